using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;

namespace Appliance.SignIn.Policy;

/// <summary>
/// Who must use what: one policy of the appliance, one of each team that asks for more. A change is checked against the session and the factors of whoever
/// makes it, in the transaction that makes it: nobody asks for what they do not have themselves, so somebody is always left who can take it back.
/// </summary>
public sealed class Policies(Database database, SignInSettings settings, TimeProvider clock)
{
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(30);

    private const int MostPasswordDays = 3650;

    private const int MostRememberedDays = 90;

    /// <summary>Twice the time between the warning and the end.</summary>
    private const int LeastUnusedDays = 14;

    private const int MostUnusedDays = 3650;

    private const int LeastReviewDays = 7;

    private const int MostReviewDays = 730;

    private const string Meanwhile = "Somebody changed this policy meanwhile. It is shown as it is now: choose again.";

    private Offer? _offer;

    private sealed record Offer(bool Passkey, DateTimeOffset At);

    public async Task<AppliancePolicy> ApplianceAsync(CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        return await session.AppliancePolicyAsync(ct);
    }

    /// <summary>
    /// Whether the sign-in page offers a passkey. Everybody and every probe asks for that page, so what was so is remembered for half a minute, and it needs no
    /// database; it is an offer and no more: what it leads to asks anew.
    /// </summary>
    public async ValueTask<bool> OffersPasskeyAsync(CancellationToken ct)
    {
        var (offer, now) = (_offer, clock.GetUtcNow());
        if (offer is not null && (now - offer.At).Duration() < Remembered)
        {
            return offer.Passkey;
        }
        try
        {
            return (_offer = new Offer((await ApplianceAsync(ct)).PasskeyAlone, now)).Passkey;
        }
        catch (DatabaseUnavailableException)
        {
            return false;
        }
    }

    /// <summary>Forgets what was remembered: the policy was changed.</summary>
    public void Forget() => _offer = null;

    public static Task<TeamPolicy> TeamAsync(TeamVisit visit, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        return visit.Session.TeamPolicyAsync(ct);
    }

    /// <summary>After how long a session locks, whatever teams ask for.</summary>
    public async Task<TimeSpan> IdleLockAsync(CancellationToken ct) => Shorter(settings.IdleLock, (await ApplianceAsync(ct)).Factors.IdleLock);

    /// <summary>The longest that a policy can say: of the appliance, where <paramref name="above"/> is null; otherwise of a team under that policy.</summary>
    public (TimeSpan IdleLock, TimeSpan Lifetime) Longest(FactorPolicy? above) =>
        (Shorter(settings.IdleLock, above?.IdleLock), Shorter(settings.Lifetime, above?.Lifetime));

    /// <summary>Changes the appliance's policy, as the request's person, and commits.</summary>
    /// <exception cref="PolicyRuleException">It cannot be so; nothing was changed.</exception>
    public async Task ChangeApplianceAsync(PolicyChoice choice, HttpContext http, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(choice);
        var (idle, lifetime) = Longest(null);
        var wanted = choice.Factors(
            choice.SecondFactor switch
            {
                "optional" => FactorRule.Optional,
                "required" => FactorRule.Required,
                "key" => FactorRule.Key,
                _ => throw new PolicyRuleException("Choose who needs a second factor."),
            },
            idle, lifetime);
        var passwordDays = PolicyChoice.Number(choice.PasswordDays, "The renewal of passwords", "days", MostPasswordDays);
        var rememberedDays = PolicyChoice.Number(choice.RememberedDays, "Remembering a device", "days", MostRememberedDays) ?? 0;
        await using var session = await database.ForApplianceAsync(ct);
        // Of two changes at once, the second waits here, and then finds that it saw another policy.
        await session.SqlAsync<int>($"""select version as "Value" from appliance_policy for update""", ct);
        var before = await session.AppliancePolicyAsync(ct);
        if (before.Version != choice.Version)
        {
            throw new PolicyRuleException(Meanwhile);
        }
        await RequireMetByAuthorAsync(session, wanted, http, ct);
        if ((await session.SqlAsync<bool>($"""select owner as "Value" from users where id = {http.User.Id().Value}""", ct)) is not [true])
        {
            throw new PolicyRuleException("Only an owner of the appliance changes its policy.");
        }
        var after = before with { Factors = wanted, PasswordDays = passwordDays, PasskeyAlone = choice.PasskeyAlone, RememberedDays = rememberedDays };
        var changes = Changes(before.Factors, wanted, "optional");
        Note(changes, "password_days", before.PasswordDays, after.PasswordDays);
        Note(changes, "remembered_days", before.RememberedDays, after.RememberedDays);
        Note(changes, "passkey_alone", before.PasskeyAlone, after.PasskeyAlone);
        if (changes.Count == 0)
        {
            return;
        }
        await session.ExecuteAsync(
            $"""
            update appliance_policy set second_factor = {Text(wanted.SecondFactor, "optional")}, device_bound = {wanted.DeviceBound}, user_verification = {wanted.UserVerification},
                   idle_lock_minutes = {wanted.IdleLockMinutes}, session_hours = {wanted.SessionHours}, password_days = {passwordDays},
                   passkey_alone = {choice.PasskeyAlone}, remembered_days = {rememberedDays}, version = version + 1, changed_at = {clock.GetUtcNow()}
            """, ct);
        session.RecordForAppliance(new LedgerEvent("policy.changed", null, changes), http.Origin());
        session.AfterCommit(Forget);
        await session.CommitAsync(ct);
    }

    /// <summary>Changes the team's policy, as the visit's person, and commits.</summary>
    /// <exception cref="PolicyRuleException">It cannot be so; nothing was changed.</exception>
    public async Task ChangeTeamAsync(TeamVisit visit, PolicyChoice choice, HttpContext http, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ArgumentNullException.ThrowIfNull(choice);
        var session = visit.Session;
        if (!visit.IsOwner)
        {
            throw new PolicyRuleException("Only an owner of the team changes its policy.");
        }
        var appliance = (await session.AppliancePolicyAsync(ct)).Factors;
        var (idle, lifetime) = Longest(appliance);
        var wanted = choice.Factors(
            choice.SecondFactor switch
            {
                "appliance" => FactorRule.Optional,
                "required" => FactorRule.Required,
                "key" => FactorRule.Key,
                _ => throw new PolicyRuleException("Choose who needs a second factor."),
            },
            idle, lifetime);
        var unusedDays = PolicyChoice.Number(choice.UnusedDays, "The end of unused access", "days", MostUnusedDays, LeastUnusedDays);
        var reviewDays = PolicyChoice.Number(choice.ReviewDays, "The time between access reviews", "days", MostReviewDays, LeastReviewDays);
        await session.ExecuteAsync($"insert into team_policies (team_id) values (app_team()) on conflict do nothing", ct);
        await session.SqlAsync<int>($"""select version as "Value" from team_policies where team_id = app_team() for update""", ct);
        var before = await session.TeamPolicyAsync(ct);
        if (before.Version != choice.Version)
        {
            throw new PolicyRuleException(Meanwhile);
        }
        await RequireMetByAuthorAsync(session, wanted.And(appliance), http, ct);
        var changes = Changes(before.Factors, wanted, "appliance");
        Note(changes, "unused_days", before.UnusedDays, unusedDays);
        Note(changes, "review_days", before.ReviewDays, reviewDays);
        Note(changes, "no_share_links", before.NoShareLinks, choice.NoShareLinks);
        if (changes.Count == 0)
        {
            return;
        }
        await session.ExecuteAsync(
            $"""
            update team_policies set second_factor = {Text(wanted.SecondFactor, "appliance")}, device_bound = {wanted.DeviceBound}, user_verification = {wanted.UserVerification},
                   idle_lock_minutes = {wanted.IdleLockMinutes}, session_hours = {wanted.SessionHours}, unused_days = {unusedDays}, review_days = {reviewDays}, no_share_links = {choice.NoShareLinks}, version = version + 1, changed_at = {clock.GetUtcNow()}
            where team_id = app_team()
            """, ct);
        session.Record(new LedgerEvent("policy.changed", session.TeamOrThrow.ToString(), changes), http.Origin());
        await session.CommitAsync(ct);
    }

    /// <summary>Both what the author's session was opened with and what they have: the one lets them go on, the other come back.</summary>
    private static async Task RequireMetByAuthorAsync(TeamSession session, FactorPolicy wanted, HttpContext http, CancellationToken ct)
    {
        var author = http.User.Id();
        await SignIn.Factors.LockAsync(session, author, ct); // nothing of theirs is removed meanwhile
        if (!wanted.IsMetBy(await session.GivenAsync(http.User.SessionId(), ct)))
        {
            throw new PolicyRuleException($"This would lock you out: it takes {wanted.Demand}, and you gave something else. Confirm with it now, or add one first.") { CanConfirm = true };
        }
        if (!wanted.IsMetBy(await session.EnrolledAsync(author, ct)))
        {
            throw new PolicyRuleException($"This would lock you out: it takes {wanted.Demand}, and you have none. Add one first.");
        }
    }

    private static Dictionary<string, string?> Changes(FactorPolicy before, FactorPolicy after, string weakest)
    {
        var changes = new Dictionary<string, string?>(StringComparer.Ordinal);
        Note(changes, "second_factor", Text(before.SecondFactor, weakest), Text(after.SecondFactor, weakest));
        Note(changes, "device_bound", before.DeviceBound, after.DeviceBound);
        Note(changes, "user_verification", before.UserVerification, after.UserVerification);
        Note(changes, "idle_lock_minutes", before.IdleLockMinutes, after.IdleLockMinutes);
        Note(changes, "session_hours", before.SessionHours, after.SessionHours);
        return changes;
    }

    private static void Note<T>(Dictionary<string, string?> changes, string name, T before, T after)
    {
        if (!EqualityComparer<T>.Default.Equals(before, after))
        {
            (changes[name], changes[name + "_before"]) = (Words(after), Words(before));
        }
    }

    private static string Words<T>(T value) => value switch
    {
        null => "none",
        bool yes => yes ? "yes" : "no",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Text(FactorRule rule, string weakest) => rule switch
    {
        FactorRule.Key => "key",
        FactorRule.Required => "required",
        _ => weakest,
    };

    private static TimeSpan Shorter(TimeSpan one, TimeSpan? other) => other < one ? other.Value : one;
}
