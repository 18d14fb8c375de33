using Appliance.Data;
using Appliance.Objects;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>A version's content, as it is found before a byte is read. <c>VersionId</c> names bytes that never change, <c>ContentId</c> their segments; <c>Size</c> is in bytes.</summary>
public sealed record StoredContent(TeamId Team, Guid VersionId, Guid ContentId, string Name, long Size, string MediaType, DateTimeOffset Modified)
{
    /// <summary>The version of a file that has this number, or the current one (null); null for what is not there, and for a folder.</summary>
    public static async Task<StoredContent?> FindAsync(TeamSession session, string? entry, int? version, CancellationToken cancellationToken)
    {
        if (!Reference.IsWellFormed(entry))
        {
            return null;
        }
        var found = await session.SqlAsync<Found>(
            $"""
            with recursive up as (
                select parent_id, deleted_at, 0 as depth from entries where team_id = app_team() and reference = {entry}
                union all
                select e.parent_id, e.deleted_at, up.depth + 1
                from up join entries e on e.team_id = app_team() and e.id = up.parent_id where up.depth <= {Folders.MaxDepth}
            )
            select v.id as "Id", v.content_id as "ContentId", e.name as "Name", v.size as "Size", v.media_type as "MediaType", v.created_at as "CreatedAt"
            from entries e join versions v on v.team_id = e.team_id and v.entry_id = e.id
                 and case when {version}::integer is null then v.id = e.current_version_id else v.number = {version} end
            where e.team_id = app_team() and e.reference = {entry} and (select bool_and(deleted_at is null) from up)
            """, cancellationToken);
        return found is [var file] ? new StoredContent(session.TeamOrThrow, file.Id, file.ContentId, file.Name, file.Size, file.MediaType, file.CreatedAt) : null;
    }

    /// <summary>
    /// As <see cref="FindAsync"/>, with all its segments in order, in one round trip: what a download asks. The database answers with
    /// nothing where the person is no member of the team.
    /// </summary>
    public static async Task<(StoredContent Content, IReadOnlyList<StoredSegment> Segments)?> ReadAsync(
        Database database, TeamId team, UserId person, string? entry, int? version, CancellationToken cancellationToken)
    {
        if (!Reference.IsWellFormed(entry))
        {
            return null;
        }
        var rows = new ContentRows(team);
        await database.ReadAsync(
            team, person, ContentRows.Sql(entry!, version), row =>
            {
                rows.Take(row);
                return row;
            }, cancellationToken);
        return rows.Found;
    }

    /// <summary>Those of all segments that hold a range, in order.</summary>
    /// <exception cref="InvalidOperationException">There is a gap, which nothing that was committed can have.</exception>
    public IReadOnlyList<StoredSegment> Within(ByteRange range, IReadOnlyList<StoredSegment> all)
    {
        var segments = all is [{ Start: 0 } only] && only.Length == range.Count ? all : [.. all.Where(s => s.Start < range.Start + range.Count && s.Start + s.Length > range.Start)];
        RequireNoGap(range, segments);
        return segments;
    }

    /// <summary>The segments that hold a range, in order.</summary>
    /// <exception cref="InvalidOperationException">There is a gap, which nothing that was committed can have.</exception>
    public async Task<IReadOnlyList<StoredSegment>> SegmentsAsync(TeamSession session, ByteRange range, CancellationToken cancellationToken)
    {
        var segments = await session.SqlAsync<StoredSegment>(
            $"""
            select start as "Start", length as "Length", object_id as "ObjectId" from segments
            where team_id = app_team() and content_id = {ContentId} and start < {range.Start + range.Count} and start + length > {range.Start} order by start
            """, cancellationToken);
        RequireNoGap(range, segments);
        return segments;
    }

    private void RequireNoGap(ByteRange range, IReadOnlyList<StoredSegment> segments)
    {
        var position = range.Start;
        foreach (var segment in segments)
        {
            position = segment.Start <= position ? segment.Start + segment.Length : throw Gap();
        }
        if (position < range.Start + range.Count)
        {
            throw Gap();
        }
    }

    private InvalidOperationException Gap() => new($"The segments of version {VersionId} leave a gap.");

    private sealed record Found(Guid Id, Guid ContentId, string Name, long Size, string MediaType, DateTimeOffset CreatedAt);
}

/// <summary>What <c>app_content</c> answers, row by row.</summary>
internal sealed class ContentRows(TeamId team)
{
    private readonly List<StoredSegment> _segments = [];
    private StoredContent? _content;

    public (StoredContent Content, IReadOnlyList<StoredSegment> Segments)? Found => _content is null ? null : (_content, _segments);

    public static FormattableString Sql(string entry, int? version) =>
        $"""
        select version_id, content_id, name, size, media_type, created_at, start, length, object_id from app_content({entry}, {version}::integer)
        """;

    public void Take(Row row)
    {
        _content ??= new StoredContent(team, row.Id(0), row.Id(1), row.Text(2), row.Long(3), row.Text(4), row.Time(5));
        if (!row.IsNull(6))
        {
            _segments.Add(new StoredSegment(row.Long(6), row.Long(7), row.Id(8)));
        }
    }
}

/// <summary>A piece of a content: so many bytes, after so many others.</summary>
public sealed record StoredSegment(long Start, long Length, Guid ObjectId);

/// <summary>A range of a content in clear, front to back. Only the chunks that hold it are read and decrypted, each verified before it is handed out.</summary>
public sealed class ContentReader : IAsyncDisposable
{
    private readonly SealedObjects _objects;
    private readonly TeamId _team;
    private readonly ByteRange _range;
    private readonly IReadOnlyList<StoredSegment> _segments;

    private Stream? _current;
    private int _next;

    private ContentReader(SealedObjects objects, TeamId team, ByteRange range, IReadOnlyList<StoredSegment> segments)
    {
        _objects = objects;
        _team = team;
        _range = range;
        _segments = segments;
    }

    /// <summary>Opens the range; what is missing or spoiled at its beginning is found here, before an answer has begun.</summary>
    /// <exception cref="TamperedException">What is stored is not what was written. Reading throws it too.</exception>
    /// <exception cref="ObjectMissingException">As with reading.</exception>
    /// <exception cref="StoreUnavailableException">As with reading.</exception>
    public static async Task<ContentReader> OpenAsync(
        SealedObjects objects, TeamId team, ByteRange range, IReadOnlyList<StoredSegment> segments, CancellationToken cancellationToken)
    {
        var reader = new ContentReader(objects, team, range, segments);
        if (segments.Count > 0)
        {
            reader._current = await reader.OpenNextAsync(cancellationToken);
        }
        return reader;
    }

    /// <summary>0 at the end of the range.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (_current is not null)
        {
            if (await _current.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                return read;
            }
            await _current.DisposeAsync();
            _current = null;
            _current = _next < _segments.Count ? await OpenNextAsync(cancellationToken) : null;
        }
        return 0;
    }

    public async ValueTask DisposeAsync()
    {
        if (_current is not null)
        {
            await _current.DisposeAsync();
        }
    }

    private Task<Stream> OpenNextAsync(CancellationToken cancellationToken)
    {
        var segment = _segments[_next++];
        var from = Math.Max(_range.Start, segment.Start);
        var to = Math.Min(_range.Start + _range.Count, segment.Start + segment.Length);
        return _objects.OpenAsync(_team, new ObjectId(segment.ObjectId), segment.Length, from - segment.Start, to - from, cancellationToken);
    }
}
