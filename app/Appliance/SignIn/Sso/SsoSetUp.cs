using Appliance.Data;
using Appliance.Ledger;
using Appliance.Saml;
using Appliance.Teams;

namespace Appliance.SignIn.Sso;

/// <summary>What an owner decides about the connection, as the form says it.</summary>
public sealed record SsoChoice
{
    public string? State { get; init; }

    public string? UsernameAttribute { get; init; }

    public string? EmailAttribute { get; init; }

    public string? GroupsAttribute { get; init; }

    /// <summary>A line for each: the group, "=", and "owner" or "member".</summary>
    public string? Groups { get; init; }

    public string? Others { get; init; }

    public string? JustInTime { get; init; }

    public string? IdpInitiated { get; init; }

    public string? SecondFactor { get; init; }
}

/// <summary>
/// Setting single sign-on up. Every method is for an owner who is fully signed in, works in the visit's transaction with its ledger entry, and commits. What a
/// rule forbids is told by <see cref="TeamRuleException"/>.
/// </summary>
public sealed class SsoSetUp(SsoKeys keys, TeamDoor door, TimeProvider clock)
{
    private const int MostRoles = 200;

    /// <summary>The connection; made, with its first key, where there is none.</summary>
    public async Task<SsoConnection> OpenAsync(TeamVisit visit, CancellationToken ct)
    {
        var session = visit.Session;
        if (await session.ConnectionAsync(ct) is { } connection)
        {
            return connection;
        }
        await session.ExecuteAsync($"insert into saml_connections (team_id, state, changed_at) values (app_team(), 'draft', {clock.GetUtcNow()}) on conflict do nothing", ct);
        if ((await keys.ListAsync(session, ct)).Count == 0)
        {
            await keys.AddAsync(session, "current", "appliance", ct);
        }
        return (await session.ConnectionAsync(ct))!;
    }

    /// <summary>
    /// Takes the identity provider's metadata, in place of what was there: all its keys count from this moment, none other. A provider of another
    /// name starts untested, and what people were called at the former one means nothing at it.
    /// </summary>
    public async Task TakeMetadataAsync(TeamVisit visit, ReadOnlyMemory<byte> metadata, Origin origin, CancellationToken ct)
    {
        IdpMetadata read;
        try
        {
            read = IdpMetadata.Parse(metadata.Span, clock.GetUtcNow());
        }
        catch (SamlMetadataException e)
        {
            throw new TeamRuleException(e.Message);
        }
        var before = await OpenAsync(visit, ct);
        var other = before.IdpEntityId != read.EntityId;
        var certificates = string.Join('\n', read.Keys.Select(k => Convert.ToBase64String(k.Certificate)));
        await visit.Session.ExecuteAsync(
            $"""
            update saml_connections set idp_entity_id = {read.EntityId}, sign_on_url = {read.SignOnUrl}, is_redirect = {read.IsRedirect}, certificates = {certificates}, changed_at = {clock.GetUtcNow()},
                state = case when {other} then 'draft' else state end, tested_at = case when {other} then null else tested_at end
            where team_id = app_team()
            """, ct);
        await DoneAsync(visit, "sso.metadata-taken", origin, ct, ("provider", read.EntityId), ("keys", string.Join(' ', read.Keys.Select(k => k.Fingerprint))));
    }

    /// <summary>What the person saw come back from their own test is right, they say: from now on the connection may become binding.</summary>
    public async Task ConfirmTestAsync(TeamVisit visit, SsoRequest request, Origin origin, CancellationToken ct)
    {
        var connection = await OpenAsync(visit, ct);
        if (request.Purpose != SsoRequest.Test || SsoOutcome.FromJson(request.Outcome) is not { Problem: null } outcome || outcome.Issuer != connection.IdpEntityId)
        {
            throw new TeamRuleException("This test did not succeed, or was made with another identity provider. Test again.");
        }
        await visit.Session.ExecuteAsync($"update saml_connections set tested_at = {clock.GetUtcNow()} where team_id = app_team()", ct);
        await SsoRequests.RemoveAsync(visit.Session, request, ct);
        await DoneAsync(visit, "sso.tested", origin, ct, ("provider", outcome.Issuer));
    }

    public async Task ChooseAsync(TeamVisit visit, SsoChoice choice, Origin origin, CancellationToken ct)
    {
        var connection = await OpenAsync(visit, ct);
        var state = choice.State is SsoConnection.On or SsoConnection.Required ? choice.State : SsoConnection.Draft;
        var roles = Roles(choice.Groups);
        if (state != SsoConnection.Draft)
        {
            await RequireSafeAsync(visit, connection, ct);
        }
        var others = choice.Others == SsoConnection.Nobody ? SsoConnection.Nobody : Membership.Member;
        if (others == SsoConnection.Nobody && (roles.Count == 0 || string.IsNullOrWhiteSpace(choice.GroupsAttribute)))
        {
            throw new TeamRuleException("Nobody could sign in: members need a group, and no group or no attribute with groups is named.");
        }
        var secondFactor = choice.SecondFactor == SsoConnection.ByProvider ? SsoConnection.ByProvider : SsoConnection.ByAppliance;
        var bound = state == SsoConnection.Draft ? connection.BoundBy : visit.Person.Value;
        await visit.Session.ExecuteAsync(
            $"""
            update saml_connections set state = {state}, username_attribute = {Attribute(choice.UsernameAttribute)}, email_attribute = {Attribute(choice.EmailAttribute)},
                groups_attribute = {Attribute(choice.GroupsAttribute)}, others = {others}, just_in_time = {choice.JustInTime == "true"}, idp_initiated = {choice.IdpInitiated == "true"},
                second_factor = {secondFactor}, bound_by = {bound}::uuid, changed_at = {clock.GetUtcNow()}
            where team_id = app_team()
            """, ct);
        await visit.Session.ExecuteAsync($"delete from saml_roles where team_id = app_team()", ct);
        foreach (var (value, role) in roles)
        {
            await visit.Session.ExecuteAsync($"insert into saml_roles (team_id, value, role) values (app_team(), {value}, {role})", ct);
        }
        await DoneAsync(
            visit, "sso.changed", origin, ct,
            ("state", state), ("just in time", choice.JustInTime == "true" ? "yes" : "no"), ("provider first", choice.IdpInitiated == "true" ? "yes" : "no"), ("second factor", secondFactor),
            ("groups", string.Join(", ", roles.Select(r => $"{r.Key} = {r.Value}"))), ("others", others));
    }

    /// <summary>The person signs in without the provider from now on; an account that it made has no other way in.</summary>
    public async Task UnlinkAsync(TeamVisit visit, string? reference, Origin origin, CancellationToken ct)
    {
        var gone = await visit.Session.SqlAsync<Guid>(
            $"""
            with gone as (delete from saml_identities where team_id = app_team() and reference = {reference ?? ""} returning user_id) select user_id as "Value" from gone
            """, ct);
        if (gone is not [var person])
        {
            throw new TeamRuleException("This was unlinked meanwhile.");
        }
        // What the provider opened is closed.
        await visit.Session.ExecuteAsync($"delete from sessions where user_id = {person} and only_team = app_team()", ct);
        await DoneAsync(visit, "sso.unlinked", origin, ct, ("user", person.ToString("D")));
    }

    public async Task ChangeKeyAsync(TeamVisit visit, string? step, Origin origin, CancellationToken ct)
    {
        await OpenAsync(visit, ct);
        var all = await keys.ListAsync(visit.Session, ct);
        switch (step)
        {
            case "prepare" when all.All(k => k.Use != "next"):
                await keys.AddAsync(visit.Session, "next", "appliance", ct);
                break;
            case "activate" when await SsoKeys.ActivateAsync(visit.Session, ct):
                break;
            case "retire":
                await SsoKeys.RetireAsync(visit.Session, ct);
                break;
            default:
                throw new TeamRuleException("The keys were changed meanwhile. Look at them again.");
        }
        await DoneAsync(visit, "sso.key-changed", origin, ct, ("step", step));
    }

    /// <summary>Before others depend on it: it was seen to work, and its author, and so the team, does not depend on it.</summary>
    private static async Task RequireSafeAsync(TeamVisit visit, SsoConnection connection, CancellationToken ct)
    {
        if (connection.TestedAt is null)
        {
            throw new TeamRuleException("Test the connection first: one sign-in that comes back as you expect.");
        }
        var self = await visit.Session.SqlAsync<bool>(
            $"""
            select exists (select from users u where u.id = {visit.Person.Value} and u.password_hash is not null
                           and exists (select from security_keys k where k.user_id = u.id)) as "Value"
            """, ct);
        if (!self.Single())
        {
            throw new TeamRuleException("This would lock you out: you have no password and key of your own to sign in with when the identity provider fails. Add them first.");
        }
    }

    private static Dictionary<string, string> Roles(string? text)
    {
        var roles = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in (text ?? "").Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var at = line.LastIndexOf('=');
            var (value, role) = at < 0 ? (line, "") : (line[..at].Trim(), line[(at + 1)..].Trim().ToLowerInvariant());
            if (value.Length is 0 or > 256 || role is not (Membership.Owner or Membership.Member) || !roles.TryAdd(value, role))
            {
                throw new TeamRuleException($"“{(line.Length > 60 ? line[..60] + "…" : line)}” is not a group, an equals sign, and owner or member, once for each group.");
            }
        }
        return roles.Count <= MostRoles ? roles : throw new TeamRuleException($"More than {MostRoles} groups cannot be mapped.");
    }

    private static string? Attribute(string? name) => string.IsNullOrWhiteSpace(name) ? null
        : name.Trim() is { Length: <= 256 } trimmed && !trimmed.Any(char.IsControl) ? trimmed
        : throw new TeamRuleException("An attribute's name has at most 256 characters.");

    private async Task DoneAsync(TeamVisit visit, string action, Origin origin, CancellationToken ct, params (string Name, string? Value)[] details)
    {
        visit.Session.Record(new LedgerEvent(action, visit.Team.ToString(), SsoPeople.Details(details)), origin);
        visit.Session.AfterCommit(door.Forget);
        await visit.Session.CommitAsync(ct);
    }
}
