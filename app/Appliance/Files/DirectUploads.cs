using System.Buffers;
using System.IO.Pipelines;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Objects;
using Appliance.Teams;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>A file that came in one request. <c>Version</c> names its content, as its entity tag does.</summary>
public sealed record DirectFile(ListedEntry Entry, Guid Version);

/// <summary>
/// A file in one request whose length is announced. Small content is sealed and durable first, then all rows come to be in one transaction; larger
/// content goes the way of every upload, and is forgotten when the request breaks off.
/// </summary>
public sealed class DirectUploads(
    Database database, SealedObjects objects, Uploads uploads, Folders folders, Quota quota, FileLimits limits, TimeProvider time)
{
    private readonly FilePlacing _placing = new(quota, time);

    /// <summary>Stores a file under a name and commits. Where that cannot be, it throws before a byte is read.</summary>
    /// <param name="visit">Who, and in which team; its session is done afterwards.</param>
    /// <param name="announced">Where to, and how many bytes.</param>
    /// <param name="body">Exactly that many.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="EntryNameException">The name cannot be one.</exception>
    /// <exception cref="FileRuleException">The folder is gone, the name is taken, or the team's quota would be exceeded.</exception>
    /// <exception cref="UploadException">It is too long, broke off, or cannot be finished.</exception>
    public async Task<DirectFile> StoreAsync(TeamVisit visit, NewUpload announced, PipeReader body, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ArgumentNullException.ThrowIfNull(announced);
        uploads.RequireLength(announced.Length);
        if (announced.Length > limits.SmallFileBytes)
        {
            var upload = await uploads.CreateAsync(visit, announced, origin, cancellationToken);
            await visit.DisposeAsync();
            return await ReadAsync(visit, upload.Id, await uploads.TakeWholeAsync(upload, null, body, origin, cancellationToken));
        }
        var name = EntryName.Parse(announced.Name);
        var place = await LookAsync(visit, announced, name, cancellationToken);
        await visit.DisposeAsync();
        return await TakeSmallAsync(visit, announced.Length, body, (session, content, pieces) =>
            StoreSmallAsync(session, content, pieces, place, name, announced.Conflict, origin), cancellationToken);
    }

    /// <summary>Makes content a new version of a file and commits. Where that cannot be, it throws before a byte is read.</summary>
    /// <param name="visit">Who, and in which team; its session is done afterwards.</param>
    /// <param name="entry">The file's reference.</param>
    /// <param name="ifVersion">The current version must be one of these when the new one comes to be; null: whatever it is.</param>
    /// <param name="length">Bytes that will come.</param>
    /// <param name="body">Exactly that many.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="FileRuleException">The file is gone, has another content, or the team's quota would be exceeded.</exception>
    /// <exception cref="UploadException">It is too long, broke off, or cannot be finished.</exception>
    public async Task<DirectFile> ReplaceAsync(
        TeamVisit visit, string entry, IReadOnlyCollection<Guid>? ifVersion, long length, PipeReader body, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        uploads.RequireLength(length);
        var where = new OnFile(entry, ifVersion);
        var file = await Entries.FindAsync(visit.Session, entry, cancellationToken) ?? throw FileRuleException.EntryGone();
        FilePlacing.Require(file.Entry.IsFolder, file.CurrentVersion, where);
        if (length > limits.SmallFileBytes)
        {
            var upload = await uploads.AnnounceAsync(
                visit, file.Path is [.., var folder] ? folder.Id : null, EntryName.Parse(file.Entry.Name), length, Upload.NewVersion, cancellationToken);
            await visit.Session.CommitAsync(cancellationToken);
            await visit.DisposeAsync();
            return await ReadAsync(visit, upload.Id, await uploads.TakeWholeAsync(upload, where, body, origin, cancellationToken));
        }
        Quota.Require(await quota.UsageAsync(visit, cancellationToken), length, 0);
        await visit.DisposeAsync();
        return await TakeSmallAsync(visit, length, body, async (session, content, pieces) =>
        {
            await quota.RequireRoomAsync(session, length, 0, CancellationToken.None);
            var placed = await _placing.PlaceAsync(session, content, where, origin, CancellationToken.None);
            pieces.ForEach(session.Add);
            return (await Entries.ReadAsync(session, [placed.Entry], CancellationToken.None)).Single();
        }, cancellationToken);
    }

    /// <summary>Where small content goes. <c>IsNew</c>: a new file will come of it; <c>IsLimited</c>: the team has a quota.</summary>
    private sealed record Place(FolderStep? Folder, bool IsNew, bool IsLimited);

    /// <summary>What can be refused before the bytes are read; nothing stays locked.</summary>
    private async Task<Place> LookAsync(TeamVisit visit, NewUpload announced, EntryName name, CancellationToken cancellationToken)
    {
        var session = visit.Session;
        var path = await folders.PathAsync(session, announced.Folder, cancellationToken) ?? throw FileRuleException.FolderGone();
        var folder = path is [.., var last] ? last : null;
        var seen = (await session.SqlAsync<Seen>(
            $"""
            select (select kind from entries where team_id = app_team() and parent_id is not distinct from {folder?.Id}::uuid and name_key = {name.Key} and deleted_at is null) as "Kind",
                   (select max_bytes from team_usage where team_id = app_team()) as "MaxBytes", (select max_files from team_usage where team_id = app_team()) as "MaxFiles"
            """, cancellationToken)).Single();
        var isNew = UploadFinish.RequireName(seen.Kind, announced.Conflict, name.Text);
        var isLimited = quota.Limits(seen.MaxBytes, seen.MaxFiles) is not (null, null);
        if (isLimited)
        {
            Quota.Require(await quota.UsageAsync(visit, cancellationToken), announced.Length, isNew ? 1 : 0);
        }
        return new Place(folder, isNew, isLimited);
    }

    private sealed record Seen(string? Kind, long? MaxBytes, long? MaxFiles);

    /// <summary>Seals the content, and then writes the rows; if they cannot be, nothing stays.</summary>
    private async Task<DirectFile> TakeSmallAsync(
        TeamVisit visit, long length, PipeReader body, Func<TeamSession, NewContent, List<Segment>, Task<ListedEntry>> write, CancellationToken cancellationToken)
    {
        var (version, inDoubt) = (Guid.CreateVersion7(), false);
        var (mediaType, pieces) = await SealAsync(visit.Team, version, length, body, cancellationToken);
        try
        {
            await using var session = await database.ForTeamAsync(visit.Team, visit.Person, CancellationToken.None);
            var entry = await write(session, new NewContent(version, visit.Team, visit.Person, length, mediaType), pieces);
            inDoubt = true;
            await session.CommitAsync(CancellationToken.None);
            return new DirectFile(entry, version);
        }
        catch when (!inDoubt)
        {
            await objects.RemoveAsync(visit.Team, pieces.Select(p => p.ObjectId.Value), CancellationToken.None);
            throw;
        }
    }

    private async Task<(string MediaType, List<Segment> Pieces)> SealAsync(TeamId team, Guid version, long length, PipeReader body, CancellationToken cancellationToken)
    {
        if (length == 0)
        {
            return (MediaTypes.Of([]), []);
        }
        var (id, taken) = (ObjectId.New(), 0L);
        var head = new byte[Math.Min(length, MediaTypes.HeadBytes)];
        await using var writer = await objects.CreateAsync(team, id, CancellationToken.None);
        for (var whole = false; !whole;)
        {
            var read = await ReadAsync(body, cancellationToken);
            if (read.Buffer.Length > length - taken)
            {
                throw new UploadException(UploadProblem.TooLong, "More bytes came than were announced.");
            }
            foreach (var part in read.Buffer)
            {
                if (taken < head.Length)
                {
                    part.Span[..(int)Math.Min(part.Length, head.Length - taken)].CopyTo(head.AsSpan((int)taken));
                }
                await writer.WriteAsync(part, CancellationToken.None);
                taken += part.Length;
            }
            body.AdvanceTo(read.Buffer.End);
            whole = read.IsCompleted;
        }
        if (taken < length)
        {
            throw Uploads.BrokeOff();
        }
        await writer.CompleteAsync(CancellationToken.None);
        return (MediaTypes.Of(head), [new Segment { TeamId = team, ContentId = version, Start = 0, Length = length, ObjectId = id }]);
    }

    private static async Task<ReadResult> ReadAsync(PipeReader body, CancellationToken cancellationToken)
    {
        try
        {
            return await body.ReadAsync(cancellationToken);
        }
        // Kestrel's own BadHttpRequestException and ConnectionResetException among them.
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            throw Uploads.BrokeOff();
        }
    }

    private async Task<ListedEntry> StoreSmallAsync(
        TeamSession session, NewContent content, List<Segment> pieces, Place place, EntryName name, string conflict, Origin origin)
    {
        var (folder, isNew, isLimited) = place;
        long? mostFiles = null;
        if (isLimited)
        {
            // What was to be a new version is a new file if the other one has just gone.
            mostFiles = isNew ? null : await quota.HoldFilesAsync(session, CancellationToken.None);
            await quota.RequireRoomAsync(session, content.Size, isNew ? 1 : 0, CancellationToken.None);
        }
        if (isNew && await InsertNewAsync(session, content, pieces, folder, name, origin) is { } made)
        {
            return made;
        }
        if (await folders.PathAsync(session, folder?.Reference, CancellationToken.None) is null)
        {
            throw FileRuleException.FolderGone();
        }
        var placed = await _placing.PlaceAsync(session, content, new NewName(folder?.Id, name.Text, name.Key, conflict), mostFiles, origin, CancellationToken.None);
        pieces.ForEach(session.Add);
        return (await Entries.ReadAsync(session, [placed.Entry], CancellationToken.None)).Single();
    }

    /// <summary>A new file, in one statement: the entry, its version, its segment and what the ledger says of it. Null where the name is taken or the folder gone.</summary>
    private async Task<ListedEntry?> InsertNewAsync(
        TeamSession session, NewContent content, List<Segment> pieces, FolderStep? folder, EntryName name, Origin origin)
    {
        var (id, reference, now) = (Guid.CreateVersion7(), Reference.New(), time.GetUtcNow());
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond)); // what the database keeps
        var told = session.Prepare(FilePlacing.Uploaded(content, id, name.Text, 1), origin);
        var stored = pieces.Count == 0 ? null : pieces[0];
        var made = await session.SqlAsync<int>(
            $"""
            with recursive up as (
                select parent_id, deleted_at, 1 as depth from entries where team_id = app_team() and id = {folder?.Id}::uuid
                union all
                select e.parent_id, e.deleted_at, up.depth + 1 from up join entries e on e.team_id = app_team() and e.id = up.parent_id where up.depth < {Folders.MaxDepth}
            ), entry as (
                insert into entries (id, team_id, reference, parent_id, kind, name, name_key, current_version_id, size, media_type, created_at, created_by, modified_at, modified_by)
                select {id}, app_team(), {reference}, {folder?.Id}::uuid, 'file', {name.Text}, {name.Key}, {content.Id}, {content.Size}, {content.MediaType},
                       {now}, {content.User.Value}, {now}, {content.User.Value}
                where {folder is null} or (select coalesce(bool_and(deleted_at is null), false) from up)
                on conflict (team_id, parent_id, name_key) where deleted_at is null do nothing returning id
            ), version as (
                insert into versions (id, team_id, entry_id, content_id, number, size, media_type, created_at, created_by)
                select {content.Id}, app_team(), id, {content.Id}, 1, {content.Size}, {content.MediaType}, {now}, {content.User.Value} from entry
            ), segment as (
                insert into segments (team_id, content_id, start, length, object_id)
                select app_team(), {content.Id}, 0, {content.Size}, {stored?.ObjectId.Value}::uuid from entry where {stored is not null}
            ), told as (
                insert into ledger_entries (id, tree, at, actor, action, subject, address, details)
                select {told.Id}, {told.Tree}, {told.At}, {told.Actor?.Value}::uuid, {told.Action}, {told.Subject}, {told.Address}::text, {told.Details} from entry
            )
            select count(*)::int as "Value" from entry
            """, CancellationToken.None);
        return made is [1]
            ? new ListedEntry(reference, Entry.File, name.Text, name.Key, folder?.Reference, content.Size, content.MediaType, 1, now, now)
            : null;
    }

    private async Task<DirectFile> ReadAsync(TeamVisit visit, Guid version, PlacedFile placed)
    {
        await using var session = await database.ForTeamAsync(visit.Team, visit.Person, CancellationToken.None);
        return new DirectFile((await Entries.ReadAsync(session, [placed.Entry], CancellationToken.None)).Single(), version);
    }
}
