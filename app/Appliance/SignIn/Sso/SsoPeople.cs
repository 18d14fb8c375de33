using System.Security.Cryptography;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Saml;
using Appliance.Teams;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.Sso;

/// <summary>
/// Whose account an identity means. An identity (the provider's name and its name for the person) belongs to one account, within one team: another team's
/// owner may run a provider that says anything. No e-mail address or username ever finds an account; a person links theirs while they are signed in.
/// </summary>
public sealed class SsoPeople(TimeProvider clock)
{
    private const int LongestStem = 40;

    /// <summary>The account to sign in, made where the team says so; or why not. In the caller's transaction, with its ledger entries.</summary>
    public async Task<(User? User, string? Problem)> FindOrMakeAsync(TeamSession session, SsoConnection connection, SamlAssertion said, HttpContext http, CancellationToken ct)
    {
        var role = Role(said, connection, await session.RolesAsync(ct));
        var known = (await session.SqlAsync<Known>(
            $"""
            select i.user_id as "UserId", i.is_made as "IsMade", m.role as "Role"
            from saml_identities i left join memberships m on m.team_id = i.team_id and m.user_id = i.user_id
            where i.team_id = app_team() and i.issuer = {said.Issuer} and i.name_id = {said.NameId}
            """, ct)).SingleOrDefault();
        if (role is null)
        {
            return (null, "None of your groups opens this team. Ask an owner of the team.");
        }
        var now = clock.GetUtcNow();
        if (known is not null)
        {
            if (known.Role is null)
            {
                return (null, "You have no access to this team any more. Ask one of its owners to let you in again.");
            }
            await session.ExecuteAsync(
                $"""
                update saml_identities set last_at = {now}, email = {First(said, connection.EmailAttribute)}
                where team_id = app_team() and issuer = {said.Issuer} and name_id = {said.NameId}
                """, ct);
            var id = new UserId(known.UserId);
            if (known.IsMade && known.Role != role)
            {
                await session.ExecuteAsync($"update memberships set role = {role} where team_id = app_team() and user_id = {known.UserId}", ct);
                session.Record(new LedgerEvent("member.role-changed", id.ToString(), Details(("role", role), ("by", "identity provider"))), new Origin(id, http.Address()));
            }
            return (await session.Query<User>().SingleAsync(u => u.Id == id, ct), null);
        }
        return connection.JustInTime
            ? (await MakeAsync(session, connection, said, role, now, http, ct), null)
            : (null, "Your organisation knows you, this team does not yet. If you have an account here, sign in with it and link it on the team's members page; if not, ask an owner of the team.");
    }

    /// <summary>Links an identity to the person who is signed in. Null: done; otherwise why not.</summary>
    public async Task<string?> LinkAsync(TeamSession session, UserId person, SsoOutcome said, HttpContext http, CancellationToken ct)
    {
        if ((await session.SqlAsync<int>(
            $"""
            select count(*)::int as "Value" from saml_identities
            where team_id = app_team() and (user_id = {person.Value} or (issuer = {said.Issuer} and name_id = {said.NameId}))
            """, ct)).Single() > 0)
        {
            return "This account, or this name at your organisation, is linked already. An owner of the team can undo that first.";
        }
        await session.ExecuteAsync(
            $"""
            insert into saml_identities (team_id, issuer, name_id, user_id, reference, is_made, email, created_at)
            values (app_team(), {said.Issuer}, {said.NameId}, {person.Value}, {Reference.New()}, false, {said.Email}, {clock.GetUtcNow()})
            """, ct);
        session.Record(new LedgerEvent("sso.linked", person.ToString(), Details(("name", said.NameId))), http.Origin());
        session.RecordForAppliance(new LedgerEvent("sso.linked", person.ToString(), Details(("team", session.TeamOrThrow.ToString()))), http.Origin());
        return null;
    }

    /// <summary>What the person's groups make them; null: nothing here. Owner, where one of several says so.</summary>
    internal static string? Role(SamlAssertion said, SsoConnection connection, IReadOnlyList<SsoRole> roles)
    {
        var groups = connection.GroupsAttribute is { } name && said.Attributes.TryGetValue(name, out var values) ? values : [];
        var mine = roles.Where(r => groups.Contains(r.Value, StringComparer.Ordinal)).Select(r => r.Role).ToList();
        return mine.Contains(Membership.Owner, StringComparer.Ordinal) ? Membership.Owner
            : mine.Count > 0 || connection.Others == Membership.Member ? Membership.Member
            : null;
    }

    internal static string? First(SamlAssertion said, string? attribute) =>
        attribute is not null && said.Attributes.TryGetValue(attribute, out var values) && values is [{ Length: <= 256 } first, ..] ? first : null;

    /// <summary>
    /// Always with four letters of chance at its end: whether somebody has the name without them cannot be told from what the new one is called.
    /// </summary>
    internal static string Username(SamlAssertion said, SsoConnection connection)
    {
        var wish = (First(said, connection.UsernameAttribute) ?? said.NameId).Split('@')[0].ToLowerInvariant();
        var stem = new string([.. NormalForm.Compatible(wish).Where(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_').Take(LongestStem)]).Trim('.', '-', '_');
        return (stem.Length == 0 ? "member" : stem) + "-" + RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz23456789", 4);
    }

    private static async Task<User> MakeAsync(
        TeamSession session, SsoConnection connection, SamlAssertion said, string role, DateTimeOffset now, HttpContext http, CancellationToken ct)
    {
        string username, key;
        do
        {
            username = Username(said, connection);
            key = NameKey.Of(username);
        }
        while (await session.Query<User>().AnyAsync(u => u.UsernameKey == key, ct));
        // No password and no address: there is no way in but the provider, and nothing to recover.
        var user = new User
        {
            Username = username,
            UsernameKey = key,
            SecurityStamp = Reference.New(),
            ConcurrencyStamp = Reference.New(),
            CreatedAt = now,
        };
        session.Add(user);
        await session.SaveAsync(ct);
        session.Add(new Membership
        {
            TeamId = session.TeamOrThrow,
            UserId = user.Id,
            Role = role,
            Since = now,
            AddedBy = new UserId(connection.BoundBy ?? throw new InvalidOperationException("A binding connection was bound by somebody.")),
        });
        await session.SaveAsync(ct);
        await session.ExecuteAsync(
            $"""
            insert into saml_identities (team_id, issuer, name_id, user_id, reference, is_made, email, created_at, last_at)
            values (app_team(), {said.Issuer}, {said.NameId}, {user.Id.Value}, {Reference.New()}, true, {First(said, connection.EmailAttribute)}, {now}, {now})
            """, ct);
        var origin = new Origin(user.Id, http.Address());
        session.RecordForAppliance(new LedgerEvent("account.created", user.Id.ToString(), Details(("username", username), ("owner", "false"), ("by", "identity provider"))), origin);
        session.Record(new LedgerEvent("member.joined", user.Id.ToString(), Details(("username", username), ("role", role), ("by", "identity provider"))), origin);
        return user;
    }

    internal static Dictionary<string, string?> Details(params (string Name, string? Value)[] details) =>
        details.ToDictionary(d => d.Name, d => d.Value, StringComparer.Ordinal);

    private sealed record Known(Guid UserId, bool IsMade, string? Role);
}
