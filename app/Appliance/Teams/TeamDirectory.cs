using System.Globalization;
using System.Text;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;

namespace Appliance.Teams;

/// <summary>A team that the person is in, since when, and as what.</summary>
public sealed record MyTeam(Guid Id, string Reference, string Name, string Role, DateTimeOffset Since);

/// <summary>Making teams, and a person's own list of them.</summary>
public sealed class TeamDirectory(Database database, TeamKeys keys, TimeProvider time)
{
    public const int MaxNameLength = 100;

    /// <summary>Makes a team with <paramref name="origin"/>'s person as its owner; answers its reference.</summary>
    /// <exception cref="TeamRuleException">The name cannot be one; the message is for people.</exception>
    public async Task<string> CreateAsync(string? name, Origin origin, CancellationToken cancellationToken)
    {
        var owner = origin.Actor ?? throw new ArgumentException("A team is made by a person.", nameof(origin));
        name = CheckedName(name);
        var team = TeamId.New();
        // The key is durable first: a team without a key could never hold anything, a key without a team harms nobody.
        keys.Create(team);
        await using var session = await database.ForTeamAsync(team, owner, cancellationToken);
        var now = time.GetUtcNow();
        var made = new Team { Id = team, Reference = Reference.New(), Name = name, CreatedAt = now };
        session.Add(made);
        session.Add(new Membership { TeamId = team, UserId = owner, Role = Membership.Owner, Since = now, AddedBy = owner });
        var happened = new LedgerEvent("team.created", team.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal) { ["name"] = name });
        session.Record(happened, origin);
        // Who runs the appliance learns that there is a team, not what it is called.
        session.RecordForAppliance(happened with { Details = null }, origin);
        await session.CommitAsync(cancellationToken);
        return made.Reference;
    }

    public async Task<IReadOnlyList<MyTeam>> ListAsync(UserId person, CancellationToken cancellationToken)
    {
        await using var session = await database.ForUserAsync(person, cancellationToken);
        return await session.SqlAsync<MyTeam>(
            $"""
            select t.id as "Id", t.reference as "Reference", t.name as "Name", m.role as "Role", m.since as "Since"
            from memberships m join teams t on t.id = m.team_id where m.user_id = app_user() order by upper(t.name), t.id
            """, cancellationToken);
    }

    internal static string CheckedName(string? name, string what = "A team’s name")
    {
        name = name?.Trim() ?? "";
        if (name.Length is 0 or > MaxNameLength)
        {
            throw new TeamRuleException($"{what} has 1 to {MaxNameLength} characters.");
        }
        if (name.EnumerateRunes().Any(IsRefused) || name.Contains('\uFFFD', StringComparison.Ordinal))
        {
            throw new TeamRuleException("The name holds a control character or one that turns the direction of writing. Leave it out.");
        }
        return name;
    }

    private static bool IsRefused(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        || rune.Value is 0xFFFD or 0x061C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069);
}

/// <summary>A rule about teams stands in the way. The message says which and what to do, for people.</summary>
public sealed class TeamRuleException(string message) : Exception(message);
