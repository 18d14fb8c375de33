using System.Buffers.Binary;
using System.Globalization;

namespace Appliance.Ledger;

/// <summary>Which entries of a ledger are asked for. Days are UTC's, both ends included.</summary>
public sealed record LedgerFilter(string? Action, string? Person, DateOnly? From, DateOnly? To)
{
    public static readonly LedgerFilter None = new(null, null, null, null);

    private const int LongestText = 100;

    /// <summary>How far the clock in an entry's id may be from when it was written: ids only grow, also where a clock was set back.</summary>
    private static readonly TimeSpan s_skew = TimeSpan.FromHours(1);

    public bool IsNone => this == None;

    /// <summary>What the action begins with, as it is stored: "File up" is "file.up".</summary>
    public string? Prefix => Action?.Replace(' ', '.');

    public DateTimeOffset Since => From is { } day ? Start(day) : DateTimeOffset.UnixEpoch;

    public DateTimeOffset Until => To is { } day && day < DateOnly.MaxValue ? Start(day.AddDays(1)) : DateTimeOffset.MaxValue;

    /// <summary>Ids below this one do not hold their time.</summary>
    public static Guid FirstTimed { get; } = IdAt(new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero));

    /// <summary>No entry of these days has a lower id, save one below <see cref="FirstTimed"/>.</summary>
    public Guid LowestId => From is null || Since - s_skew < DateTimeOffset.UnixEpoch ? Guid.Empty : IdAt(Since - s_skew);

    /// <summary>Every entry of these days has a lower id.</summary>
    public Guid HighestId => To is null || Until > IdsEnd ? Guid.AllBitsSet : IdAt(Until + s_skew);

    private static DateTimeOffset IdsEnd { get; } = new(9000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>From an address' query; null where a day is none, or a text is too long to be one.</summary>
    public static LedgerFilter? Read(string? action, string? person, string? from, string? to) =>
        Day(from, out var first) && Day(to, out var last) && action is not { Length: > LongestText } && person is not { Length: > LongestText }
            ? new LedgerFilter(Text(action), Text(person), first, last)
            : null;

    public static string Written(DateOnly? day) => day?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? "";

    private static string? Text(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    private static bool Day(string? text, out DateOnly? day)
    {
        day = DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var read) ? read : null;
        return day is not null || string.IsNullOrEmpty(text);
    }

    private static DateTimeOffset Start(DateOnly day) => new(day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);

    private static Guid IdAt(DateTimeOffset moment)
    {
        Span<byte> id = stackalloc byte[16];
        id.Clear();
        BinaryPrimitives.WriteInt64BigEndian(id, moment.ToUnixTimeMilliseconds() << 16);
        return new Guid(id, bigEndian: true);
    }
}
