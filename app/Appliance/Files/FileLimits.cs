namespace Appliance.Files;

/// <summary>How much, how big, how long.</summary>
public sealed record FileLimits
{
    /// <summary>Bytes that one file may have: the operator's <see cref="Web.Settings.MaxFileGibibytes"/>.</summary>
    public long MaxFileBytes { get; init; } = 50L << 30;

    /// <summary>Bytes in a sealed object: what a kill -9 can cost, and what is read for the end of a range.</summary>
    public int SegmentBytes { get; init; } = 64 << 20;

    /// <summary>After this long, what a slow client has sent is made durable although the segment is not full.</summary>
    public TimeSpan SegmentTime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Files and folders in one archive; each costs some 200 bytes of memory while it is written. How many archives at once: <see cref="ArchiveSlots"/>.</summary>
    public int ArchiveEntries { get; init; } = 250_000;

    /// <summary>How long one request may send. It must stay well below <see cref="OrphanGrace"/>: until a checksum is verified, what was sent is an orphan.</summary>
    public TimeSpan RequestTime { get; init; } = TimeSpan.FromHours(12);

    /// <summary>How long an unfinished upload waits for its client to come back.</summary>
    public TimeSpan UploadLifetime { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How old an object that nothing refers to must be before it is removed.</summary>
    public TimeSpan OrphanGrace { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long what was deleted stays in the trash.</summary>
    public TimeSpan TrashLifetime { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Content of at most so many bytes that comes in one request is stored in one transaction, without an upload that could be resumed.</summary>
    public int SmallFileBytes { get; init; } = 1 << 20;

    /// <summary>How often the care job looks.</summary>
    public TimeSpan CareInterval { get; init; } = TimeSpan.FromHours(1);
}
