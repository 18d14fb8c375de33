using System.Buffers;
using System.IO.Pipelines;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Objects;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>
/// One request's bytes on their way into segments. Each segment is a sealed object of its own, so nothing is ever sealed twice under one key
/// and nonce; it is completed (durable), then its row is committed, then it counts. Memory: the body's pipe and one sealing buffer.
/// </summary>
internal sealed class UploadIntake(
    Database database, SealedObjects objects, UploadFinish finish, TimeProvider time, FileLimits limits, Upload upload, OnFile? onFile, Origin origin)
    : IAsyncDisposable
{
    /// <summary>Completed objects whose rows are not committed yet: at most one, but with a checksum all of the request's.</summary>
    private readonly List<Segment> _pending = [];

    private long _committed = upload.Received;
    private long _taken = upload.Received;
    private SealedWriter? _writer;
    private ObjectId _writing;
    private long _began;
    private bool _inDoubt;
    private byte[]? _head = upload.Received == 0 ? new byte[MediaTypes.HeadBytes] : null;
    private int _headLength;

    /// <summary>Whether the body came to its own end.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>The file that it has become, once the last byte is committed.</summary>
    public PlacedFile? Placed { get; private set; }

    /// <summary>Takes the body to its end and answers where the upload stands.</summary>
    /// <param name="body">The bytes; left where they were not taken.</param>
    /// <param name="checksum">If given, all of the body counts or nothing.</param>
    /// <param name="stop">Ends the reading; what has arrived is kept as if the connection had broken.</param>
    public async Task<long> TakeAsync(PipeReader body, BodyChecksum? checksum, CancellationToken stop)
    {
        while (!IsWhole && await ReadAsync(body, stop) is { } read)
        {
            if (read.Buffer.Length > upload.Length - _taken)
            {
                await DiscardAsync();
                throw new UploadException(UploadProblem.TooLong, $"More bytes came than were announced ({ByteSize.Text(upload.Length)}).");
            }
            checksum?.Append(read.Buffer);
            await WriteAsync(read.Buffer, keep: checksum is null);
            body.AdvanceTo(read.Buffer.End);
            IsWhole = read.IsCompleted;
        }
        if (checksum is not null && !(IsWhole && checksum.Matches()))
        {
            await DiscardAsync();
            return IsWhole
                ? throw new UploadException(UploadProblem.ChecksumMismatch, "The bytes that arrived are not those that were sent. Send them again.")
                : _committed;
        }
        await CompleteSegmentAsync();
        await CommitAsync();
        return _committed;
    }

    /// <summary>Leaves nothing behind that cannot count; but what a commit may have made count, it leaves alone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_inDoubt)
        {
            _pending.Clear();
        }
        await DiscardAsync();
    }

    /// <summary>Null where the body broke off: the client went away, was too slow, or somebody asked to end.</summary>
    private static async Task<ReadResult?> ReadAsync(PipeReader body, CancellationToken stop)
    {
        try
        {
            var read = await body.ReadAsync(stop);
            return read.IsCanceled ? null : read;
        }
        // Kestrel's own BadHttpRequestException and ConnectionResetException among them.
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            return null;
        }
    }

    // The body's own token ends the reading only: what was read is brought to safety, whatever becomes of the client.
    private async Task WriteAsync(ReadOnlySequence<byte> bytes, bool keep)
    {
        Look(bytes);
        foreach (var part in bytes)
        {
            var rest = part;
            while (!rest.IsEmpty)
            {
                var writer = _writer ?? await BeginSegmentAsync();
                var now = rest[..(int)Math.Min(rest.Length, limits.SegmentBytes - writer.Length)];
                await writer.WriteAsync(now, CancellationToken.None);
                _taken += now.Length;
                rest = rest[now.Length..];
                if (writer.Length == limits.SegmentBytes || time.GetElapsedTime(_began) >= limits.SegmentTime)
                {
                    await CompleteSegmentAsync();
                    // The last one is committed together with the finish.
                    if (keep && _taken < upload.Length)
                    {
                        await CommitAsync();
                    }
                }
            }
        }
    }

    /// <summary>Keeps the content's first bytes, until they are committed: what they say decides what it is served as.</summary>
    private void Look(ReadOnlySequence<byte> bytes)
    {
        if (_head is not null && _headLength < _head.Length)
        {
            var more = bytes.Slice(0, Math.Min(bytes.Length, _head.Length - _headLength));
            more.CopyTo(_head.AsSpan(_headLength));
            _headLength += (int)more.Length;
        }
    }

    private async Task<SealedWriter> BeginSegmentAsync()
    {
        _writing = ObjectId.New();
        _began = time.GetTimestamp();
        return _writer = await objects.CreateAsync(upload.TeamId, _writing, CancellationToken.None);
    }

    private async Task CompleteSegmentAsync()
    {
        if (_writer is not { } writer)
        {
            return;
        }
        await writer.CompleteAsync(CancellationToken.None);
        _pending.Add(new Segment { TeamId = upload.TeamId, ContentId = upload.Id, Start = _taken - writer.Length, Length = writer.Length, ObjectId = _writing });
        _writer = null;
        await writer.DisposeAsync();
    }

    /// <summary>
    /// Commits the pending segments where the upload still stands where this request began, and finishes it with its last byte. If the commit's
    /// answer is lost, its objects are left alone: it may have happened. The client asks where the upload stands.
    /// </summary>
    private async Task CommitAsync()
    {
        var finishes = _taken == upload.Length;
        if (_pending.Count == 0 && !finishes)
        {
            return;
        }
        if (_head is not null)
        {
            upload.MediaType = MediaTypes.Of(_head.AsSpan(0, _headLength));
            _head = null;
        }
        await using var session = await database.ForTeamAsync(upload.TeamId, upload.UserId, CancellationToken.None);
        var now = time.GetUtcNow();
        // A token that was revoked while this request sent its bytes brings nothing in any more.
        if (await session.ExecuteAsync(
            $"""
            update uploads set received = {_taken}, media_type = {upload.MediaType}, expires_at = {now + limits.UploadLifetime}
            where team_id = app_team() and id = {upload.Id} and user_id = app_user() and received = {_committed} and finished_at is null
              and ({origin.Token}::uuid is null
                   or exists (select from api_tokens a where a.id = {origin.Token} and a.user_id = app_user() and (a.expires_at is null or a.expires_at > {now})))
            """, CancellationToken.None) == 0)
        {
            await ExplainAsync(session);
        }
        foreach (var segment in _pending)
        {
            session.Add(segment);
        }
        await session.SaveAsync(CancellationToken.None);
        UploadException? cannotFinish = null;
        PlacedFile? placed = null;
        if (finishes)
        {
            try
            {
                placed = await finish.FinishAsync(session, upload, onFile, origin, CancellationToken.None);
            }
            catch (UploadException refused) when (refused.Problem is UploadProblem.CannotFinish or UploadProblem.Changed)
            {
                cannotFinish = refused; // the bytes are kept all the same
            }
        }
        _inDoubt = true;
        await session.CommitAsync(CancellationToken.None);
        _inDoubt = false;
        _pending.Clear();
        _committed = _taken;
        Placed = placed;
        if (cannotFinish is not null)
        {
            throw cannotFinish;
        }
    }

    /// <summary>Another process wrote to the upload meanwhile, it was cancelled, or its owner was removed from the team.</summary>
    private async Task ExplainAsync(TeamSession session)
    {
        var received = await session.SqlAsync<long>(
            $"""select received as "Value" from uploads where team_id = app_team() and id = {upload.Id} and user_id = app_user()""", CancellationToken.None);
        await DiscardAsync();
        throw received is [var stands] ? Uploads.WrongOffset(stands) : UploadException.Gone();
    }

    /// <summary>Forgets what is not committed: certainly nothing refers to it.</summary>
    private async Task DiscardAsync()
    {
        if (_writer is { } writer)
        {
            _writer = null;
            await writer.DisposeAsync();
        }
        try
        {
            foreach (var segment in _pending)
            {
                await objects.DeleteAsync(segment.TeamId, segment.ObjectId, CancellationToken.None);
            }
        }
        catch (StoreUnavailableException)
        {
            // The sweeper finds them.
        }
        _pending.Clear();
        _taken = _committed;
    }
}
