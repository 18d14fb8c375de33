using System.Globalization;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Files;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Teams.Groups;

namespace Appliance.Sharing;

/// <summary>What somebody chose for a link, as it was typed.</summary>
public sealed record ShareChoice
{
    public string? Days { get; init; }

    public string? Downloads { get; init; }

    public string? Password { get; init; }
}

/// <summary>A link as lists show it. <c>MakerIsMember</c>: otherwise it does not work, whatever else holds. <c>Uses</c>: the last ones.</summary>
public sealed record ListedLink(
    string Reference, string Entry, string EntryName, string MadeBy, bool MakerIsMember, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, bool HasPassword,
    int? MaxDownloads, int Downloads, DateTimeOffset? RevokedAt)
{
    public IReadOnlyList<LinkUse> Uses { get; init; } = [];

    public bool Works(DateTimeOffset now) => RevokedAt is null && MakerIsMember && ExpiresAt > now && !(Downloads >= MaxDownloads);
}

/// <summary>A download by a link: when, and from which address.</summary>
public sealed record LinkUse(string Reference, DateTimeOffset At, string? Address);

/// <summary>A link cannot be made so. The message says why, for people.</summary>
public sealed class ShareRuleException(string message) : Exception(message);

/// <summary>The links of a team: made by members for what they see, revoked by whoever made them and by owners.</summary>
public sealed class ShareLinks(IServiceProvider services, TimeProvider clock)
{
    public const int UsualDays = 7;

    public const int MostDays = 365;

    /// <summary>How long the list of links goes back, and of their uses.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(90);

    private const int MostDownloads = 1_000_000;

    private const int ShortestPassword = 8;

    private const int MostOfOnePerson = 1000;

    private const int MostListed = 500;

    private const int MostUses = 20;

    /// <summary>Makes a link and answers its token, which nothing can show again. Commits.</summary>
    /// <exception cref="ShareRuleException">There is no such entry, the team wants no links, a choice is none, or too many work already.</exception>
    /// <exception cref="TooBusyException">Too many passwords are being hashed.</exception>
    public async Task<string> MakeAsync(TeamVisit visit, string? entry, ShareChoice choice, Origin origin, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ArgumentNullException.ThrowIfNull(choice);
        var session = visit.Session;
        var days = Number(choice.Days, "The link works for a number of days", MostDays) ?? UsualDays;
        var downloads = Number(choice.Downloads, "The limit is a number of downloads", MostDownloads);
        if (choice.Password is { Length: > 0 } and { Length: < ShortestPassword } || !PasswordHasher.IsBounded(choice.Password is null or "" ? "none" : choice.Password))
        {
            throw new ShareRuleException($"The password has at least {ShortestPassword} characters, and not very many.");
        }
        if (await AreRefusedAsync(session, ct))
        {
            throw new ShareRuleException("This team shares nothing by link. Its owners decide that.");
        }
        if (!await visit.MayAsync(Permission.Links, ct))
        {
            throw new ShareRuleException("Your groups do not let you share by link. An owner of the team can change that.");
        }
        if (await Entries.FindAsync(session, entry, ct) is not { } found)
        {
            throw new ShareRuleException("This is not there any more.");
        }
        var now = clock.GetUtcNow();
        if ((await session.SqlAsync<int>(
            $"""select count(*)::int as "Value" from share_links where team_id = app_team() and made_by = app_user() and revoked_at is null and expires_at > {now}""", ct)).Single() >= MostOfOnePerson)
        {
            throw new ShareRuleException($"{MostOfOnePerson} links of yours work already. Revoke some first.");
        }
        var hash = choice.Password is { Length: > 0 } password
            ? await services.GetRequiredService<PasswordGate>().RunAsync(() => Task.Run(() => services.GetRequiredService<PasswordHasher>().HashPassword(null!, password), ct), ct)
            : null;
        var token = Token.New();
        var link = new ShareLink
        {
            TeamId = visit.Team,
            Id = Guid.CreateVersion7(now),
            Reference = Reference.New(),
            TokenHash = Token.Hash(token),
            Entry = found.Entry.Reference,
            EntryName = found.Entry.Name,
            MadeBy = visit.Person,
            CreatedAt = now,
            ExpiresAt = now.AddDays(days),
            PasswordHash = hash,
            MaxDownloads = downloads,
        };
        session.Add(link);
        session.Record(
            Happened("share-link.made", link.Reference, link.EntryName, ("expires", link.ExpiresAt.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)),
                ("downloads", downloads?.ToString(CultureInfo.InvariantCulture)), ("password", hash is null ? "no" : "yes")),
            origin);
        await session.CommitAsync(ct);
        return token;
    }

    /// <summary>Those that the person may see: their own; an owner, everybody's. The newest first, with their last uses.</summary>
    public static async Task<IReadOnlyList<ListedLink>> ListAsync(TeamVisit visit, string? entry, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var links = await visit.Session.SqlAsync<Row>(
            $"""
            select l.reference as "Reference", l.entry as "Entry", l.entry_name as "EntryName", u.username as "MadeBy",
                   exists (select from memberships m where m.team_id = l.team_id and m.user_id = l.made_by) as "MakerIsMember", l.created_at as "CreatedAt",
                   l.expires_at as "ExpiresAt", l.password_hash is not null as "HasPassword", l.max_downloads as "MaxDownloads", l.downloads as "Downloads", l.revoked_at as "RevokedAt"
            from share_links l join users u on u.id = l.made_by
            where l.team_id = app_team() and ({entry}::text is null or l.entry = {entry}) order by l.created_at desc, l.id limit {MostListed}
            """, ct);
        var references = links.Select(l => l.Reference).ToArray();
        var uses = (await visit.Session.SqlAsync<LinkUse>(
            $"""
            select l.reference as "Reference", s.at as "At", s.address as "Address"
            from share_links l cross join lateral
                 (select at, address from share_uses where team_id = l.team_id and link_id = l.id order by at desc limit {MostUses}) s
            where l.team_id = app_team() and l.reference = any({references}) order by s.at desc
            """, ct)).ToLookup(u => u.Reference, StringComparer.Ordinal);
        return [.. links.Select(l => new ListedLink(
            l.Reference, l.Entry, l.EntryName, l.MadeBy, l.MakerIsMember, l.CreatedAt, l.ExpiresAt, l.HasPassword, l.MaxDownloads, l.Downloads, l.RevokedAt) { Uses = [.. uses[l.Reference]] })];
    }

    /// <summary>Ends a link at once. False: there is none of that reference that the person may see, or it is revoked already. Commits.</summary>
    public async Task<bool> RevokeAsync(TeamVisit visit, string? reference, Origin origin, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var gone = await visit.Session.SqlAsync<string>(
            $"""update share_links set revoked_at = {clock.GetUtcNow()} where team_id = app_team() and reference = {reference ?? ""} and revoked_at is null returning entry_name as "Value" """, ct);
        if (gone is not [var name])
        {
            return false;
        }
        visit.Session.Record(Happened("share-link.revoked", reference!, name), origin);
        await visit.Session.CommitAsync(ct);
        return true;
    }

    /// <summary>Removes what has been over for <see cref="Kept"/>: links, and the list of their uses. The ledger keeps both. For a job, in its session; commits.</summary>
    internal async Task SweepAsync(TeamSession session, CancellationToken ct)
    {
        var before = clock.GetUtcNow() - Kept;
        await session.ExecuteAsync($"delete from share_uses where team_id = app_team() and at <= {before}", ct);
        await session.ExecuteAsync(
            $"""
            delete from share_links l where l.team_id = app_team() and l.expires_at <= {before}
                and not exists (select from share_uses u where u.team_id = l.team_id and u.link_id = l.id)
            """, ct);
        await session.CommitAsync(ct);
    }

    /// <summary>The team's owners want no links.</summary>
    public static async Task<bool> AreRefusedAsync(TeamSession session, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(session);
        return (await session.SqlAsync<bool>($"""select exists (select from team_policies where team_id = app_team() and no_share_links) as "Value" """, ct)).Single();
    }

    internal static LedgerEvent Happened(string action, string reference, string name, params (string Name, string? Value)[] more)
    {
        var details = new Dictionary<string, string?>(StringComparer.Ordinal) { ["name"] = name };
        foreach (var (key, value) in more)
        {
            details[key] = value;
        }
        return new LedgerEvent(action, reference, details);
    }

    private static int? Number(string? text, string what, int most)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return null;
        }
        return int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= most
            ? number
            : throw new ShareRuleException($"{what} from 1 to {most.ToString(CultureInfo.InvariantCulture)}.");
    }

    private sealed record Row(
        string Reference, string Entry, string EntryName, string MadeBy, bool MakerIsMember, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, bool HasPassword,
        int? MaxDownloads, int Downloads, DateTimeOffset? RevokedAt);
}
