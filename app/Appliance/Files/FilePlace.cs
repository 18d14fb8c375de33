using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>Content that is durable, on its way to being a version. <c>Id</c> is the version's, and that of its segments.</summary>
internal sealed record NewContent(Guid Id, TeamId Team, UserId User, long Size, string MediaType);

/// <summary>Where new content goes: under a name in a folder (null: the root), with what to do when that is taken; see <see cref="Upload.Conflict"/>.</summary>
internal sealed record NewName(Guid? Folder, string Name, string NameKey, string Conflict);

/// <summary>Where new content goes: on a file, if its current version is one of these (null: whatever it is).</summary>
internal sealed record OnFile(string Entry, IReadOnlyCollection<Guid>? IfVersion);

/// <summary>The file that content has become.</summary>
internal sealed record PlacedFile(Guid Entry, int Number, string Name);

/// <summary>
/// Makes durable content a file, or a file's new version, in the caller's transaction. Two that come for one name at the same moment become two
/// versions of one file: the second waits for the first's commit and then finds its entry.
/// </summary>
internal sealed class FilePlacing(Quota quota, TimeProvider time)
{
    /// <summary>Under a name. The caller has seen that the folder is there.</summary>
    /// <param name="session">In the team.</param>
    /// <param name="content">Durable.</param>
    /// <param name="where">Which name.</param>
    /// <param name="mostFiles">From <see cref="HoldFilesAsync"/>; null where the caller holds room for a file.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    /// <exception cref="FileRuleException">The name is taken, or the team's files are as many as may be.</exception>
    public async Task<PlacedFile> PlaceAsync(TeamSession session, NewContent content, NewName where, long? mostFiles, Origin origin, CancellationToken cancellationToken)
    {
        var (id, now) = (Guid.CreateVersion7(), time.GetUtcNow());
        var name = where.Name;
        var isNew = await InsertAsync(session, content, id, where.Folder, where.Name, where.NameKey, now, cancellationToken);
        if (!isNew && where.Conflict == Upload.KeepBoth)
        {
            name = await InsertNumberedAsync(session, content, id, where, now, cancellationToken);
            isNew = true;
        }
        if (!isNew)
        {
            var file = await LockNamedAsync(session, where, cancellationToken);
            return where.Conflict == Upload.Refuse
                ? throw FileRuleException.NameTaken(where.Name)
                : await AddVersionAsync(session, content, file, where.Name, now, origin, cancellationToken);
        }
        if (mostFiles is { } most && !await Quota.HasFilesLeftAsync(session, most, cancellationToken))
        {
            throw new FileRuleException(FileRule.QuotaExceeded, "The team has as many files as it may by now. What lies in the trash counts: empty it, then try again.");
        }
        await InsertVersionAsync(session, content, id, 1, now, cancellationToken);
        Tell(session, content, id, name, 1, origin);
        return new PlacedFile(id, 1, name);
    }

    /// <summary>On a file that is there.</summary>
    /// <exception cref="FileRuleException">It is gone, a folder, or has another content by now.</exception>
    public async Task<PlacedFile> PlaceAsync(TeamSession session, NewContent content, OnFile where, Origin origin, CancellationToken cancellationToken)
    {
        var (locked, _) = await Entries.LockLiveAsync(session, [where.Entry], cancellationToken);
        var file = locked[0];
        Require(file.IsFolder, file.CurrentVersionId, where);
        return await AddVersionAsync(session, content, file.Id, file.Name, time.GetUtcNow(), origin, cancellationToken);
    }

    /// <summary>Whether new content may go on this file.</summary>
    /// <exception cref="FileRuleException">It may not.</exception>
    public static void Require(bool isFolder, Guid? current, OnFile where)
    {
        if (isFolder)
        {
            throw new FileRuleException(FileRule.NotAFile, "A folder has no content. Upload a file into it.");
        }
        if (where.IfVersion is { } seen && !seen.Contains(current!.Value))
        {
            throw FileRuleException.Changed();
        }
    }

    /// <summary>To be asked before anything is locked, by whoever finishes an upload: room for its bytes was held, but not that it is no new file.</summary>
    public Task<long?> HoldFilesAsync(TeamSession session, CancellationToken cancellationToken) => quota.HoldFilesAsync(session, cancellationToken);

    private static async Task<bool> InsertAsync(
        TeamSession session, NewContent content, Guid id, Guid? folder, string name, string key, DateTimeOffset now, CancellationToken cancellationToken) =>
        await session.ExecuteAsync(
            $"""
            insert into entries (id, team_id, reference, parent_id, kind, name, name_key, current_version_id, size, media_type, created_at, created_by, modified_at, modified_by)
            values ({id}, {content.Team.Value}, {Reference.New()}, {folder}, 'file', {name}, {key}, {content.Id}, {content.Size}, {content.MediaType},
                    {now}, {content.User.Value}, {now}, {content.User.Value})
            on conflict (team_id, parent_id, name_key) where deleted_at is null do nothing
            """, cancellationToken) == 1;

    private static async Task<string> InsertNumberedAsync(
        TeamSession session, NewContent content, Guid id, NewName where, DateTimeOffset now, CancellationToken cancellationToken)
    {
        const int MostTries = 20;
        var wanted = new WantedName(EntryName.Parse(where.Name), IsFolder: false);
        for (var attempt = 0; attempt < MostTries; attempt++)
        {
            var free = (await FreeNames.ChooseAsync(session, where.Folder, [wanted], cancellationToken))[0];
            if (await InsertAsync(session, content, id, where.Folder, free.Text, free.Key, now, cancellationToken))
            {
                return free.Text;
            }
        }
        throw FileRuleException.NameTaken(where.Name);
    }

    private static async Task<PlacedFile> AddVersionAsync(
        TeamSession session, NewContent content, Guid file, string name, DateTimeOffset now, Origin origin, CancellationToken cancellationToken)
    {
        var number = 1 + (await session.SqlAsync<int>(
            $"""select coalesce(max(number), 0) as "Value" from versions where team_id = app_team() and entry_id = {file}""", cancellationToken)).Single();
        await InsertVersionAsync(session, content, file, number, now, cancellationToken);
        await session.ExecuteAsync(
            $"""
            update entries set current_version_id = {content.Id}, size = {content.Size}, media_type = {content.MediaType}, revision = revision + 1,
                   modified_at = {now}, modified_by = {content.User.Value}
            where team_id = app_team() and id = {file}
            """, cancellationToken);
        Tell(session, content, file, name, number, origin);
        return new PlacedFile(file, number, name);
    }

    private static Task<int> InsertVersionAsync(TeamSession session, NewContent content, Guid file, int number, DateTimeOffset now, CancellationToken cancellationToken) =>
        session.ExecuteAsync(
            $"""
            insert into versions (id, team_id, entry_id, content_id, number, size, media_type, created_at, created_by)
            values ({content.Id}, {content.Team.Value}, {file}, {content.Id}, {number}, {content.Size}, {content.MediaType}, {now}, {content.User.Value})
            """, cancellationToken);

    private static async Task<Guid> LockNamedAsync(TeamSession session, NewName where, CancellationToken cancellationToken)
    {
        var found = await session.SqlAsync<Found>(
            $"""
            select id as "Id", kind as "Kind" from entries
            where team_id = app_team() and parent_id is not distinct from {where.Folder}::uuid and name_key = {where.NameKey} and deleted_at is null for no key update
            """, cancellationToken);
        return found switch
        {
            [{ Kind: Entry.File } file] => file.Id,
            [_] => throw NameIsFolders(where.Name),
            // Renamed or deleted between the two statements: trying again finds the name free.
            _ => throw new ConcurrentChangeException(new InvalidOperationException("The entry that had the name has just gone.")),
        };
    }

    internal static FileRuleException NameIsFolders(string name) => new(FileRule.NameTaken, $"There is a folder called “{name}” here. Rename one of the two.");

    private static void Tell(TeamSession session, NewContent content, Guid file, string name, int number, Origin origin) =>
        session.Record(Uploaded(content, file, name, number), origin);

    internal static LedgerEvent Uploaded(NewContent content, Guid file, string name, int number) => new("file.uploaded", file.ToString("D"), EntryEvents.Details(
        ("name", name), ("version", number.ToString(CultureInfo.InvariantCulture)), ("bytes", content.Size.ToString(CultureInfo.InvariantCulture))));

    private sealed record Found(Guid Id, string Kind);
}
