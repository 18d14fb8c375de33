using System.Globalization;
using System.IO.Pipelines;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Objects;
using Appliance.Teams;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>
/// Content on its way in, for every adapter: announced, sent in one or more requests, finished as a new file or a new version.
/// What <see cref="ReceiveAsync"/> has answered is durable (invariant 3): the bytes sealed in the store and their row committed.
/// </summary>
/// <remarks>
/// The content's integrity is the sealed segments' (AES-GCM over bytes, order and length). There is no hash of the whole content: SHA-256
/// as the framework has it cannot be resumed after a restart, and reading 50 GiB again to compute it would double the work. Each request's own
/// checksum is verified where the client sends one.
/// </remarks>
public sealed class Uploads
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly Database _database;
    private readonly SealedObjects _objects;
    private readonly Folders _folders;
    private readonly TimeProvider _time;
    private readonly FileLimits _limits;
    private readonly Quota _quota;
    private readonly UploadFinish _finish;
    private readonly ActiveWriters _writers = new();

    public Uploads(Database database, SealedObjects objects, Folders folders, Quota quota, TimeProvider time, FileLimits limits)
    {
        _database = database;
        _objects = objects;
        _folders = folders;
        _time = time;
        _limits = limits;
        _quota = quota;
        _finish = new UploadFinish(new FilePlacing(quota, time), time);
    }

    /// <summary>Announces content that becomes a new version where its name is taken. See the other one.</summary>
    public Task<Upload> CreateAsync(TeamVisit visit, string? folder, string? name, long length, Origin origin, CancellationToken cancellationToken) =>
        CreateAsync(visit, new NewUpload(folder, name, length), origin, cancellationToken);

    /// <summary>Announces content and commits. An empty file is there at once.</summary>
    /// <param name="visit">Who uploads, and where to; its session is done afterwards.</param>
    /// <param name="announced">What will come.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    /// <exception cref="EntryNameException">The name cannot be one.</exception>
    /// <exception cref="FileRuleException">The folder is not there, the name is taken, or the team's quota would be exceeded.</exception>
    /// <exception cref="UploadException">Too long.</exception>
    public async Task<Upload> CreateAsync(TeamVisit visit, NewUpload announced, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ArgumentNullException.ThrowIfNull(announced);
        var (session, length) = (visit.Session, announced.Length);
        RequireLength(length);
        var parsed = EntryName.Parse(announced.Name);
        var path = await _folders.PathAsync(session, announced.Folder, cancellationToken) ?? throw FileRuleException.FolderGone();
        await FolderLevel.RequireWriteAsync(session, path, cancellationToken);
        var upload = await AnnounceAsync(visit, path is [.., var parent] ? parent.Id : null, parsed, length, announced.Conflict, cancellationToken);
        if (length == 0)
        {
            await _finish.FinishAsync(session, upload, null, origin, cancellationToken);
        }
        await session.CommitAsync(cancellationToken);
        return upload;
    }

    /// <exception cref="UploadException">More than a file may have.</exception>
    internal void RequireLength(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length > _limits.MaxFileBytes)
        {
            throw new UploadException(UploadProblem.TooLong, $"A file may have at most {ByteSize.Text(_limits.MaxFileBytes)}.");
        }
    }

    /// <summary>Writes down what will come; the caller commits.</summary>
    internal async Task<Upload> AnnounceAsync(TeamVisit visit, Guid? folder, EntryName name, long length, string conflict, CancellationToken cancellationToken)
    {
        var (session, now) = (visit.Session, _time.GetUtcNow());
        var upload = new Upload
        {
            Id = Guid.CreateVersion7(),
            TeamId = visit.Team,
            Reference = Reference.New(),
            UserId = visit.Person,
            FolderId = folder,
            Name = name.Text,
            NameKey = name.Key,
            Length = length,
            Received = 0,
            CreatedAt = now,
            ExpiresAt = now + _limits.UploadLifetime,
            Conflict = conflict,
            MediaType = length == 0 ? MediaTypes.Of([]) : null,
        };
        var isNew = await UploadFinish.RequireNameAsync(session, upload, cancellationToken);
        // The announcement itself is what holds the room until the file is there.
        await _quota.RequireRoomAsync(session, length, isNew ? 1 : 0, cancellationToken);
        session.Add(upload);
        await session.SaveAsync(cancellationToken);
        return upload;
    }

    /// <summary>Takes all of an announced upload from one request. The file is there when this returns; when the request breaks off, nothing of it is.</summary>
    /// <exception cref="UploadException">It broke off, or cannot be finished.</exception>
    internal async Task<PlacedFile> TakeWholeAsync(Upload upload, OnFile? onFile, PipeReader body, Origin origin, CancellationToken cancellationToken)
    {
        await using var intake = new UploadIntake(_database, _objects, _finish, _time, _limits, upload, onFile, origin);
        try
        {
            await intake.TakeAsync(body, null, cancellationToken);
            return intake.Placed ?? throw BrokeOff();
        }
        finally
        {
            // Nobody knows the upload's address: what is not finished now never will be.
            if (intake.Placed is null)
            {
                await using var aside = await _database.ForTeamAsync(upload.TeamId, upload.UserId, CancellationToken.None);
                await TerminateAsync(aside, upload.Id, CancellationToken.None);
            }
        }
    }

    internal static UploadException BrokeOff() =>
        new(UploadProblem.Gone, "The connection broke before the whole file was here. Nothing of it was stored.");

    /// <summary>The person's own upload; null for an unknown reference and for somebody else's.</summary>
    /// <exception cref="UploadException">It has expired.</exception>
    public async Task<Upload?> FindAsync(TeamVisit visit, string? reference, CancellationToken cancellationToken)
    {
        if (!Reference.IsWellFormed(reference))
        {
            return null;
        }
        var upload = await ReadAsync(visit.Session, reference!, cancellationToken);
        return upload is { FinishedAt: null } && upload.ExpiresAt <= _time.GetUtcNow() ? throw UploadException.Gone() : upload;
    }

    /// <summary>
    /// Where an upload stands, for a client that wants to go on: a request that is still writing is asked to end, and an upload whose last
    /// byte is here but whose file is not yet (the server was killed in between) is finished now.
    /// </summary>
    /// <exception cref="UploadException">It has expired, or cannot be finished.</exception>
    public async Task<Upload?> ResumeAsync(TeamVisit visit, string? reference, Origin origin, CancellationToken cancellationToken)
    {
        if (await FindAsync(visit, reference, cancellationToken) is not { } upload)
        {
            return null;
        }
        await _writers.AskToEndAsync(upload.Id, s_patience, _time, cancellationToken);
        await using var session = await _database.ForTeamAsync(visit.Team, visit.Person, cancellationToken);
        upload = await ReadAsync(session, reference!, cancellationToken);
        if (upload is not { FinishedAt: null } || upload.Received < upload.Length)
        {
            return upload;
        }
        await _finish.FinishAsync(session, upload, null, origin, cancellationToken);
        await session.CommitAsync(cancellationToken);
        return upload;
    }

    /// <summary>
    /// Takes bytes that go on at <paramref name="offset"/>, until <paramref name="body"/> ends or breaks off; answers where the upload stands.
    /// Without a checksum, what arrived before a broken connection is kept. With the last byte, the file is there.
    /// </summary>
    /// <exception cref="UploadException">See <see cref="UploadProblem"/>.</exception>
    /// <exception cref="StoreFullException">No room left. What was answered before is kept.</exception>
    /// <exception cref="StoreUnavailableException">What was answered before is kept; going on later is right.</exception>
    /// <exception cref="DatabaseUnavailableException">As with the store.</exception>
    public async Task<long> ReceiveAsync(
        Upload upload, long offset, PipeReader body, BodyChecksum? checksum, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(upload);
        using var writer = _writers.TryEnter(upload.Id)
            ?? throw new UploadException(UploadProblem.Busy, "Another request is sending to this upload. Ask where it stands, then go on from there.");
        if (offset != upload.Received)
        {
            throw WrongOffset(upload.Received);
        }
        if (upload.FinishedAt is not null)
        {
            return offset;
        }
        await using var intake = new UploadIntake(_database, _objects, _finish, _time, _limits, upload, null, origin);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, writer.Asked);
        using var limit = new CancellationTokenSource(_limits.RequestTime, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ended.Token, limit.Token);
        return await intake.TakeAsync(body, checksum, stop.Token);
    }

    /// <summary>
    /// Takes a file whose length nobody knows beforehand, in one piece (a form without script). It is there when this returns; when it breaks
    /// off, nothing of it is.
    /// </summary>
    /// <param name="visit">Who uploads, and where to; its session is done afterwards.</param>
    /// <param name="folder">The folder's reference; null for the root.</param>
    /// <param name="name">As the client says it.</param>
    /// <param name="most">Bytes that it cannot exceed, because all of the request has no more; null where that is not known.</param>
    /// <param name="body">The bytes.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="UploadException">It broke off, is too long, or cannot be finished.</exception>
    public async Task ReceiveWholeAsync(
        TeamVisit visit, string? folder, string? name, long? most, PipeReader body, Origin origin, CancellationToken cancellationToken)
    {
        var upload = await CreateAsync(visit, folder, name, Math.Clamp(most ?? long.MaxValue, 1, _limits.MaxFileBytes), origin, cancellationToken);
        await using var intake = new UploadIntake(_database, _objects, _finish, _time, _limits, upload, null, origin);
        var stands = 0L;
        try
        {
            stands = await intake.TakeAsync(body, null, cancellationToken);
        }
        finally
        {
            if (!intake.IsWhole)
            {
                await using var aside = await _database.ForTeamAsync(visit.Team, visit.Person, CancellationToken.None);
                await TerminateAsync(aside, upload.Id, CancellationToken.None);
            }
        }
        if (!intake.IsWhole)
        {
            throw BrokeOff();
        }
        if (stands == upload.Length)
        {
            return; // as long as a file may be, to the byte: finished already
        }
        await using var session = await _database.ForTeamAsync(visit.Team, visit.Person, CancellationToken.None);
        await session.ExecuteAsync($"update uploads set length = received where team_id = app_team() and id = {upload.Id}", CancellationToken.None);
        await _finish.FinishAsync(session, upload.WithLength(stands), null, origin, CancellationToken.None);
        await session.CommitAsync(CancellationToken.None);
    }

    /// <summary>Cancels an upload and commits. The file of a finished one stays.</summary>
    public async Task TerminateAsync(TeamVisit visit, Upload upload, CancellationToken cancellationToken)
    {
        await _writers.AskToEndAsync(upload.Id, s_patience, _time, cancellationToken);
        await TerminateAsync(visit.Session, upload.Id, cancellationToken);
    }

    private async Task TerminateAsync(TeamSession session, Guid upload, CancellationToken cancellationToken)
    {
        var gone = await UploadRemoval.DropAsync(session, [upload], cancellationToken);
        await session.CommitAsync(cancellationToken);
        await _objects.RemoveAsync(session.TeamOrThrow, gone, cancellationToken);
    }

    private static async Task<Upload?> ReadAsync(TeamSession session, string reference, CancellationToken cancellationToken) =>
        (await session.SqlAsync<Row>(
            $"""
            select id as "Id", team_id as "TeamId", user_id as "UserId", reference as "Reference", folder_id as "FolderId", name as "Name", name_key as "NameKey", length as "Length",
                   received as "Received", created_at as "CreatedAt", expires_at as "ExpiresAt", finished_at as "FinishedAt", media_type as "MediaType", conflict as "Conflict"
            from uploads where team_id = app_team() and reference = {reference} and user_id = app_user()
            """, cancellationToken)).SingleOrDefault()?.ToUpload();

    internal static UploadException WrongOffset(long received) =>
        new(UploadProblem.WrongOffset, string.Create(CultureInfo.InvariantCulture, $"The upload stands at byte {received}. Go on from there."));

    private sealed record Row(
        Guid Id, Guid TeamId, Guid UserId, string Reference, Guid? FolderId, string Name, string NameKey, long Length, long Received,
        DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, DateTimeOffset? FinishedAt, string? MediaType, string Conflict)
    {
        public Upload ToUpload() => new()
        {
            Id = Id,
            TeamId = new TeamId(TeamId),
            UserId = new UserId(UserId),
            Reference = Reference,
            FolderId = FolderId,
            Name = Name,
            NameKey = NameKey,
            Length = Length,
            Received = Received,
            CreatedAt = CreatedAt,
            ExpiresAt = ExpiresAt,
            FinishedAt = FinishedAt,
            MediaType = MediaType,
            Conflict = Conflict,
        };
    }
}

/// <summary>Content that is announced.</summary>
/// <param name="Folder">The reference of the folder it is to be in; null for the root.</param>
/// <param name="Name">As the client says it.</param>
/// <param name="Length">Bytes that will come, 0 to <see cref="FileLimits.MaxFileBytes"/>.</param>
/// <param name="Conflict">What to do when the name is taken: <see cref="Upload.NewVersion"/>, <see cref="Upload.KeepBoth"/> or <see cref="Upload.Refuse"/>.</param>
public sealed record NewUpload(string? Folder, string? Name, long Length, string Conflict = Upload.NewVersion);
