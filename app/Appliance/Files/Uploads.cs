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
    private readonly UploadFinish _finish;
    private readonly ActiveWriters _writers = new();

    public Uploads(Database database, SealedObjects objects, Folders folders, TimeProvider time, FileLimits limits)
    {
        _database = database;
        _objects = objects;
        _folders = folders;
        _time = time;
        _limits = limits;
        _finish = new UploadFinish(time);
    }

    /// <summary>Announces content and commits. An empty file is there at once.</summary>
    /// <param name="visit">Who uploads, and where to; its session is done afterwards.</param>
    /// <param name="folder">The folder's reference; null for the root.</param>
    /// <param name="name">As the client says it.</param>
    /// <param name="length">Bytes that will come, 0 to <see cref="FileLimits.MaxFileBytes"/>.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    /// <exception cref="EntryNameException">The name cannot be one.</exception>
    /// <exception cref="FileRuleException">The folder is not there, or a folder has this name.</exception>
    /// <exception cref="UploadException">Too long.</exception>
    public async Task<Upload> CreateAsync(
        TeamVisit visit, string? folder, string? name, long length, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length > _limits.MaxFileBytes)
        {
            throw new UploadException(UploadProblem.TooLong, $"A file may have at most {ByteSize.Text(_limits.MaxFileBytes)}.");
        }
        var session = visit.Session;
        var parsed = EntryName.Parse(name);
        var path = await _folders.PathAsync(session, folder, cancellationToken) ?? throw FileRuleException.FolderGone();
        var now = _time.GetUtcNow();
        var upload = new Upload
        {
            Id = Guid.CreateVersion7(),
            TeamId = visit.Team,
            Reference = Reference.New(),
            UserId = visit.Person,
            FolderId = path is [.., var parent] ? parent.Id : null,
            Name = parsed.Text,
            NameKey = parsed.Key,
            Length = length,
            Received = 0,
            CreatedAt = now,
            ExpiresAt = now + _limits.UploadLifetime,
            MediaType = length == 0 ? MediaTypes.Of([]) : null,
        };
        await UploadFinish.RequireNameForFileAsync(session, upload, cancellationToken);
        session.Add(upload);
        await session.SaveAsync(cancellationToken);
        if (length == 0)
        {
            await _finish.FinishAsync(session, upload, origin, cancellationToken);
        }
        await session.CommitAsync(cancellationToken);
        return upload;
    }

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
        await _finish.FinishAsync(session, upload, origin, cancellationToken);
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
        await using var intake = new UploadIntake(_database, _objects, _finish, _time, _limits, upload, origin);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, writer.Asked);
        using var limit = new CancellationTokenSource(_limits.RequestTime, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ended.Token, limit.Token);
        return await intake.TakeAsync(body, checksum, stop.Token);
    }

    /// <summary>
    /// Takes a file whose length nobody knows beforehand, in one piece (a form without script). It is there when this returns; when it breaks
    /// off, nothing of it is.
    /// </summary>
    /// <exception cref="UploadException">It broke off, is too long, or cannot be finished.</exception>
    public async Task ReceiveWholeAsync(
        TeamVisit visit, string? folder, string? name, PipeReader body, Origin origin, CancellationToken cancellationToken)
    {
        var upload = await CreateAsync(visit, folder, name, _limits.MaxFileBytes, origin, cancellationToken);
        await using var intake = new UploadIntake(_database, _objects, _finish, _time, _limits, upload, origin);
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
            throw new UploadException(UploadProblem.Gone, "The connection broke before the whole file was here. Nothing of it was stored.");
        }
        if (stands == upload.Length)
        {
            return; // as long as a file may be, to the byte: finished already
        }
        await using var session = await _database.ForTeamAsync(visit.Team, visit.Person, CancellationToken.None);
        await session.ExecuteAsync($"update uploads set length = received where team_id = app_team() and id = {upload.Id}", CancellationToken.None);
        await _finish.FinishAsync(session, upload.WithLength(stands), origin, CancellationToken.None);
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
        var objects = await DropAsync(session, upload, cancellationToken);
        await session.CommitAsync(cancellationToken);
        await DeleteObjectsAsync(session.TeamOrThrow, objects, cancellationToken);
    }

    /// <summary>Forgets the team's uploads that have expired; answers how many. For the care job.</summary>
    internal async Task<int> ExpireAsync(TeamId team, CancellationToken cancellationToken)
    {
        await using var session = await _database.ForJobAsync(team, cancellationToken);
        var expired = await session.SqlAsync<Guid>(
            $"""select id as "Value" from uploads where team_id = app_team() and expires_at <= {_time.GetUtcNow()} limit 1000 for update skip locked""",
            cancellationToken);
        var objects = new List<Guid>();
        foreach (var id in expired)
        {
            objects.AddRange(await DropAsync(session, id, cancellationToken));
        }
        await session.CommitAsync(cancellationToken);
        await DeleteObjectsAsync(team, objects, cancellationToken);
        return expired.Count;
    }

    /// <summary>Removes the row and, unless they have become a file's, the segments; answers these segments' objects.</summary>
    private static async Task<List<Guid>> DropAsync(TeamSession session, Guid upload, CancellationToken cancellationToken)
    {
        var dropped = await session.SqlAsync<bool>(
            $"""delete from uploads where team_id = app_team() and id = {upload} returning finished_at is not null as "Value" """, cancellationToken);
        return dropped is [false]
            ? await session.SqlAsync<Guid>(
                $"""delete from segments where team_id = app_team() and content_id = {upload} returning object_id as "Value" """, cancellationToken)
            : [];
    }

    /// <summary>Makes room at once. Where the store is away, the sweeper does it later.</summary>
    private async Task DeleteObjectsAsync(TeamId team, List<Guid> objects, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var id in objects)
            {
                await _objects.DeleteAsync(team, new ObjectId(id), cancellationToken);
            }
        }
        catch (StoreUnavailableException)
        {
            // Nothing refers to them any more; the sweeper finds them.
        }
    }

    private static async Task<Upload?> ReadAsync(TeamSession session, string reference, CancellationToken cancellationToken) =>
        (await session.SqlAsync<Row>(
            $"""
            select id as "Id", team_id as "TeamId", user_id as "UserId", reference as "Reference", folder_id as "FolderId", name as "Name", name_key as "NameKey", length as "Length",
                   received as "Received", created_at as "CreatedAt", expires_at as "ExpiresAt", finished_at as "FinishedAt", media_type as "MediaType"
            from uploads where team_id = app_team() and reference = {reference} and user_id = app_user()
            """, cancellationToken)).SingleOrDefault()?.ToUpload();

    internal static UploadException WrongOffset(long received) =>
        new(UploadProblem.WrongOffset, string.Create(CultureInfo.InvariantCulture, $"The upload stands at byte {received}. Go on from there."));

    private sealed record Row(
        Guid Id, Guid TeamId, Guid UserId, string Reference, Guid? FolderId, string Name, string NameKey, long Length, long Received,
        DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, DateTimeOffset? FinishedAt, string? MediaType)
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
        };
    }
}
