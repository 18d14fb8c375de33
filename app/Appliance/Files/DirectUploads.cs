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
        return await StoreSmallAsync(visit.Team, visit.Person, place, name, announced, body, origin, cancellationToken);
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
        await FolderLevel.RequireWriteAsync(visit.Session, file.Path, cancellationToken);
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
        return await TakeSmallAsync(visit.Team, visit.Person, length, body, null, async (session, content, pieces) =>
        {
            await quota.RequireRoomAsync(session, length, 0, CancellationToken.None);
            var placed = await _placing.PlaceAsync(session, content, where, origin, CancellationToken.None);
            pieces.ForEach(session.Add);
            return (await Entries.ReadAsync(session, [placed.Entry], CancellationToken.None)).Single();
        }, cancellationToken);
    }

    /// <summary>
    /// As <see cref="StoreAsync"/>, for small content of a new file in a team without a quota, where what can be refused has been looked at already. Null, and no
    /// byte was read: it is something else, or may not be, and goes the other way.
    /// </summary>
    internal async Task<DirectFile?> TryStoreAsync(NewFileLook look, UserId person, NewUpload announced, PipeReader body, Origin origin, CancellationToken cancellationToken)
    {
        if (announced.Length > limits.SmallFileBytes || look.Seen is not { IsThere: true, MayWrite: true } seen || quota.Limits(seen.MaxBytes, seen.MaxFiles) is not (null, null))
        {
            return null;
        }
        var name = EntryName.Parse(announced.Name);
        return UploadFinish.RequireName(seen.Kind, announced.Conflict, name.Text)
            ? await StoreSmallAsync(look.Team, person, new Place(seen.Folder, announced.Folder, IsNew: true, IsLimited: false), name, announced, body, origin, cancellationToken)
            : null;
    }

    /// <summary>Where small content goes. <c>IsNew</c>: a new file will come of it; <c>IsLimited</c>: the team has a quota.</summary>
    private sealed record Place(Guid? Folder, string? FolderReference, bool IsNew, bool IsLimited);

    /// <summary>What can be refused before the bytes are read; nothing stays locked.</summary>
    private async Task<Place> LookAsync(TeamVisit visit, NewUpload announced, EntryName name, CancellationToken cancellationToken)
    {
        var session = visit.Session;
        var path = await folders.PathAsync(session, announced.Folder, cancellationToken) ?? throw FileRuleException.FolderGone();
        await FolderLevel.RequireWriteAsync(session, path, cancellationToken);
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
        return new Place(folder?.Id, folder?.Reference, isNew, isLimited);
    }

    private sealed record Seen(string? Kind, long? MaxBytes, long? MaxFiles);

    private Task<DirectFile> StoreSmallAsync(
        TeamId team, UserId person, Place place, EntryName name, NewUpload announced, PipeReader body, Origin origin, CancellationToken cancellationToken) =>
        TakeSmallAsync(
            team, person, announced.Length, body,
            (content, pieces) => place is { IsNew: true, IsLimited: false }
                ? NewFile.InsertAsync(database, NewFile.Of(content, pieces, place.Folder, place.FolderReference, name, origin, time))
                : Task.FromResult<ListedEntry?>(null),
            (session, content, pieces) => PlaceSmallAsync(session, content, pieces, place, name, announced.Conflict, origin), cancellationToken);

    /// <summary>
    /// Seals the content, and then writes the rows: in one flight if <paramref name="direct"/> can do it, otherwise in a session. If they cannot be
    /// written, nothing stays; where nobody knows whether they were, the object does, and the sweeper decides.
    /// </summary>
    private async Task<DirectFile> TakeSmallAsync(
        TeamId team, UserId person, long length, PipeReader body, Func<NewContent, List<Segment>, Task<ListedEntry?>>? direct,
        Func<TeamSession, NewContent, List<Segment>, Task<ListedEntry>> write, CancellationToken cancellationToken)
    {
        var (version, inDoubt) = (Guid.CreateVersion7(), false);
        var (mediaType, pieces) = await SealAsync(team, version, length, body, cancellationToken);
        try
        {
            var content = new NewContent(version, team, person, length, mediaType);
            if (direct is not null && await direct(content, pieces) is { } made)
            {
                return new DirectFile(made, version);
            }
            await using var session = await database.ForTeamAsync(team, person, CancellationToken.None);
            var entry = await write(session, content, pieces);
            inDoubt = true;
            await session.CommitAsync(CancellationToken.None);
            return new DirectFile(entry, version);
        }
        catch (Exception e) when (!inDoubt && e is not InDoubtException)
        {
            await objects.RemoveAsync(team, pieces.Select(p => p.ObjectId.Value), CancellationToken.None);
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

    private async Task<ListedEntry> PlaceSmallAsync(
        TeamSession session, NewContent content, List<Segment> pieces, Place place, EntryName name, string conflict, Origin origin)
    {
        long? mostFiles = null;
        if (place.IsLimited)
        {
            // What was to be a new version is a new file if the other one has just gone.
            mostFiles = place.IsNew ? null : await quota.HoldFilesAsync(session, CancellationToken.None);
            await quota.RequireRoomAsync(session, content.Size, place.IsNew ? 1 : 0, CancellationToken.None);
            if (place.IsNew && await NewFile.InsertAsync(session, NewFile.Of(content, pieces, place.Folder, place.FolderReference, name, origin, time)) is { } made)
            {
                return made;
            }
        }
        if (await folders.PathAsync(session, place.FolderReference, CancellationToken.None) is null)
        {
            throw FileRuleException.FolderGone();
        }
        var placed = await _placing.PlaceAsync(session, content, new NewName(place.Folder, name.Text, name.Key, conflict), mostFiles, origin, CancellationToken.None);
        pieces.ForEach(session.Add);
        return (await Entries.ReadAsync(session, [placed.Entry], CancellationToken.None)).Single();
    }

    private async Task<DirectFile> ReadAsync(TeamVisit visit, Guid version, PlacedFile placed)
    {
        await using var session = await database.ForTeamAsync(visit.Team, visit.Person, CancellationToken.None);
        return new DirectFile((await Entries.ReadAsync(session, [placed.Entry], CancellationToken.None)).Single(), version);
    }
}
