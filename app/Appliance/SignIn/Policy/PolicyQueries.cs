using Appliance.Data;
using Appliance.SignIn.SecurityKeys;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.Policy;

/// <summary>Policies, and what they are held against, as the caller's transaction sees them.</summary>
internal static class PolicyQueries
{
    public static async Task<AppliancePolicy> AppliancePolicyAsync(this TeamSession session, CancellationToken ct)
    {
        var row = (await session.SqlAsync<ApplianceRow>(
            $"""
            select second_factor as "SecondFactor", device_bound as "DeviceBound", user_verification as "UserVerification", idle_lock_minutes as "IdleLockMinutes",
                   session_hours as "SessionHours", password_days as "PasswordDays", passkey_alone as "PasskeyAlone", remembered_days as "RememberedDays", version as "Version"
            from appliance_policy
            """, ct)).Single();
        return new AppliancePolicy
        {
            Factors = Factors(row.SecondFactor, row.DeviceBound, row.UserVerification, row.IdleLockMinutes, row.SessionHours),
            PasswordDays = row.PasswordDays, PasskeyAlone = row.PasskeyAlone, RememberedDays = row.RememberedDays, Version = row.Version,
        };
    }

    /// <summary>Of the team that is set; where it has none, what changes nothing.</summary>
    public static async Task<TeamPolicy> TeamPolicyAsync(this TeamSession session, CancellationToken ct)
    {
        var rows = await session.SqlAsync<TeamRow>(
            $"""
            select second_factor as "SecondFactor", device_bound as "DeviceBound", user_verification as "UserVerification", idle_lock_minutes as "IdleLockMinutes",
                   session_hours as "SessionHours", unused_days as "UnusedDays", review_days as "ReviewDays", no_share_links as "NoShareLinks", version as "Version"
            from team_policies where team_id = app_team()
            """, ct);
        return rows is [var row]
            ? new TeamPolicy
            {
                Factors = Factors(row.SecondFactor, row.DeviceBound, row.UserVerification, row.IdleLockMinutes, row.SessionHours),
                UnusedDays = row.UnusedDays, ReviewDays = row.ReviewDays, NoShareLinks = row.NoShareLinks, Version = row.Version,
            }
            : new TeamPolicy { Factors = new FactorPolicy() };
    }

    /// <summary>Of the person's team with this reference; null: it asks for nothing, or is not theirs.</summary>
    public static async Task<FactorPolicy?> TeamPolicyAsync(this TeamSession session, string team, UserId person, CancellationToken ct) =>
        (await session.SqlAsync<FactorRow>(
            $"""
            select '' as "Team", second_factor as "SecondFactor", device_bound as "DeviceBound", user_verification as "UserVerification", idle_lock_minutes as "IdleLockMinutes",
                   session_hours as "SessionHours" from app_team_policy({team}, {person.Value})
            """, ct)).Select(Of).SingleOrDefault();

    /// <summary>What the appliance (its name is null) and each of the person's teams ask.</summary>
    public static async Task<IReadOnlyList<(string? Team, FactorPolicy Policy)>> PoliciesOfAsync(this TeamSession session, UserId person, CancellationToken ct)
    {
        var appliance = await session.AppliancePolicyAsync(ct);
        var teams = await session.SqlAsync<FactorRow>(
            $"""
            select team as "Team", second_factor as "SecondFactor", device_bound as "DeviceBound", user_verification as "UserVerification", idle_lock_minutes as "IdleLockMinutes",
                   session_hours as "SessionHours" from app_team_policies({person.Value})
            """, ct);
        return [(null, appliance.Factors), .. teams.Select(t => ((string?)t.Team, appliance.Factors.And(Of(t))))];
    }

    public static async Task<EnrolledFactors> EnrolledAsync(this TeamSession session, UserId person, CancellationToken ct)
    {
        var keys = await session.Query<SecurityKey>().AsNoTracking().Where(k => k.UserId == person)
            .Select(k => new { k.IsBackupEligible, Verifies = k.IsUserVerified || k.UserVerifiedAt != null }).ToListAsync(ct);
        var others = await SignIn.Factors.ReadAsync(session, person, ct);
        return new EnrolledFactors([.. keys.Select(k => new KeyFacts(k.IsBackupEligible, k.Verifies))], others.App, others.Phone);
    }

    /// <summary>What the session was opened with.</summary>
    public static async Task<GivenFactor> GivenAsync(this TeamSession session, Guid id, CancellationToken ct)
    {
        var row = (await session.SqlAsync<GivenRow>(
            $"""
            select s.factor as "Factor", k.is_backup_eligible as "IsBackupEligible", s.user_verified as "UserVerified"
            from sessions s left join security_keys k on k.credential_id = s.key_id and k.user_id = s.user_id where s.id = {id}
            """, ct)).Single();
        return new GivenFactor(row.Factor, row.IsBackupEligible is { } eligible ? new KeyFacts(eligible, row.UserVerified) : null);
    }

    public static FactorPolicy Factors(string rule, bool deviceBound, bool userVerification, int? idleLockMinutes, int? sessionHours) => new()
    {
        SecondFactor = Rule(rule), DeviceBound = deviceBound, UserVerification = userVerification, IdleLockMinutes = idleLockMinutes, SessionHours = sessionHours,
    };

    private static FactorRule Rule(string rule) => rule switch
    {
        "optional" or "appliance" => FactorRule.Optional,
        "required" => FactorRule.Required,
        "key" => FactorRule.Key,
        _ => throw new InvalidOperationException($"No such rule: {rule}."),
    };

    private static FactorPolicy Of(FactorRow row) => Factors(row.SecondFactor, row.DeviceBound, row.UserVerification, row.IdleLockMinutes, row.SessionHours);

    private sealed record ApplianceRow(
        string SecondFactor, bool DeviceBound, bool UserVerification, int? IdleLockMinutes, int? SessionHours, int? PasswordDays, bool PasskeyAlone, int RememberedDays, int Version);

    private sealed record TeamRow(string SecondFactor, bool DeviceBound, bool UserVerification, int? IdleLockMinutes, int? SessionHours, int? UnusedDays, int? ReviewDays, bool NoShareLinks, int Version);

    private sealed record FactorRow(string Team, string SecondFactor, bool DeviceBound, bool UserVerification, int? IdleLockMinutes, int? SessionHours);

    private sealed record GivenRow(string? Factor, bool? IsBackupEligible, bool UserVerified);
}
