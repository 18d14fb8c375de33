using Appliance.Data;
using Appliance.Objects;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>The bytes of an archive's files, out of the store. Where their segments are is asked for some hundred files at a time.</summary>
internal sealed class ArchiveContent(Database database, SealedObjects objects, TeamId team, UserId person, ArchivePlan plan) : IZipContent, IAsyncDisposable
{
    private const int Batch = 200;

    private Dictionary<Guid, List<StoredSegment>> _segments = [];
    private int _known; // items before this one have been asked for
    private ContentReader? _reader;

    /// <exception cref="ArchiveCutException">The file was deleted for good since the archive began.</exception>
    public async ValueTask OpenAsync(int item, CancellationToken cancellationToken)
    {
        await DisposeAsync();
        if (item >= _known)
        {
            await AskAsync(item, cancellationToken);
        }
        var size = plan.Items[item].Size;
        var segments = _segments.GetValueOrDefault(plan.Contents[item], []);
        var position = 0L;
        foreach (var segment in segments)
        {
            position = segment.Start == position ? position + segment.Length : long.MinValue;
        }
        if (position != size)
        {
            throw new ArchiveCutException("A file's bytes are not there any more.");
        }
        _reader = await ContentReader.OpenAsync(objects, team, new ByteRange(0, size), segments, cancellationToken);
    }

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
        _reader?.ReadAsync(buffer, cancellationToken) ?? throw new InvalidOperationException("No item is open.");

    public async ValueTask DisposeAsync()
    {
        if (_reader is { } reader)
        {
            _reader = null;
            await reader.DisposeAsync();
        }
    }

    /// <summary>A session of its own each time: an archive may take hours, a transaction must not.</summary>
    private async Task AskAsync(int from, CancellationToken cancellationToken)
    {
        var wanted = new List<Guid>(Batch);
        for (_known = from; _known < plan.Items.Count && wanted.Count < Batch; _known++)
        {
            if (plan.Items[_known].Size > 0)
            {
                wanted.Add(plan.Contents[_known]);
            }
        }
        var contents = wanted.Distinct().ToArray();
        await using var session = await database.ForTeamAsync(team, person, cancellationToken);
        var rows = await session.SqlAsync<Row>(
            $"""
            select content_id as "ContentId", start as "Start", length as "Length", object_id as "ObjectId" from segments
            where team_id = app_team() and content_id = any({contents}) order by content_id, start
            """, cancellationToken);
        _segments = rows.GroupBy(r => r.ContentId).ToDictionary(g => g.Key, g => g.Select(r => new StoredSegment(r.Start, r.Length, r.ObjectId)).ToList());
    }

    private sealed record Row(Guid ContentId, long Start, long Length, Guid ObjectId);
}
