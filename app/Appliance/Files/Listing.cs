using System.Buffers.Text;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Appliance.Data;

namespace Appliance.Files;

public enum ListSort
{
    Name,

    /// <summary>Bytes; folders, which have none, by name.</summary>
    Size,

    Modified,
}

/// <summary>The order of a listing. Folders come first in every one.</summary>
public sealed record ListOrder(ListSort Sort = ListSort.Name, bool Descending = false)
{
    public static readonly ListOrder ByName = new();
}

/// <summary>A part of a listing. <c>More</c>: where the next page begins, or null at the end.</summary>
public sealed record ListedPage(IReadOnlyList<ListedEntry> Entries, PageStart? More);

/// <summary>The entry after which a page begins: by its place in the order, so that a page stays right while others add and remove entries.</summary>
public sealed record PageStart
{
    private PageStart(ListOrder order, bool folder, long value, string nameKey) => (Order, IsFolder, Value, NameKey) = (order, folder, value, nameKey);

    public ListOrder Order { get; }

    public bool IsFolder { get; }

    /// <summary>Bytes, or microseconds since 1970; 0 where the order is by name.</summary>
    public long Value { get; }

    public string NameKey { get; }

    internal static PageStart After(ListOrder order, ListedEntry last) => new(
        order, last.IsFolder,
        order.Sort switch
        {
            ListSort.Modified => (last.ModifiedAt - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond,
            ListSort.Size => last.Size ?? 0,
            _ => 0,
        },
        last.NameKey);

    /// <summary>In a listing by name, for whoever has no more of the entry than that.</summary>
    internal static PageStart AfterName(bool folder, string nameKey) => new(ListOrder.ByName, folder, 0, nameKey);

    internal DateTimeOffset Time => DateTimeOffset.UnixEpoch.AddTicks(Value * TimeSpan.TicksPerMicrosecond);

    /// <summary>As it stands in an address: opaque.</summary>
    public override string ToString() => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $"{SortLetter(Order.Sort)}{(Order.Descending ? 'd' : 'a')}{(IsFolder ? 'd' : 'f')}{Value}:{NameKey}")));

    /// <summary>Null for what <see cref="ToString"/> never wrote.</summary>
    public static PageStart? Parse(string? text)
    {
        const int Longest = (EntryName.MaxBytes * 3 + 32) * 4 / 3;
        if (text is not { Length: > 0 and <= Longest })
        {
            return null;
        }
        try
        {
            var plain = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Base64Url.DecodeFromChars(text));
            var colon = plain.IndexOf(':', StringComparison.Ordinal);
            if (colon < 4 || plain.Contains('\0', StringComparison.Ordinal) || colon == plain.Length - 1
                || !long.TryParse(plain.AsSpan(3, colon - 3), NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value > MostMicroseconds && plain[0] == 'm')
            {
                return null;
            }
            ListSort? sort = plain[0] switch { 'n' => ListSort.Name, 's' => ListSort.Size, 'm' => ListSort.Modified, _ => null };
            var start = sort is { } known && plain[1] is 'a' or 'd' && plain[2] is 'd' or 'f'
                ? new PageStart(new ListOrder(sort.Value, plain[1] == 'd'), plain[2] == 'd', value, plain[(colon + 1)..])
                : null;
            return start?.ToString() == text ? start : null;
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            return null;
        }
    }

    /// <summary>The end of the year 9999.</summary>
    private const long MostMicroseconds = 253_402_300_799_999_999;

    private static char SortLetter(ListSort sort) => sort switch { ListSort.Size => 's', ListSort.Modified => 'm', _ => 'n' };
}

/// <summary>What is in a folder, page by page, in an order that an index has: no page costs more than its own rows, however large the folder is.</summary>
public static class Listing
{
    public const int MostAtOnce = 1000;

    private const string Columns =
        """
        select reference as "Reference", kind as "Kind", name as "Name", name_key as "NameKey", {0}::text as "Folder",
               case when kind = 'file' then size end as "Size", media_type as "MediaType", revision as "Revision", created_at as "CreatedAt", modified_at as "ModifiedAt"
        from entries where team_id = app_team() and deleted_at is null and
        """;

    /// <summary>A page of a folder that is there (null: the root).</summary>
    /// <param name="session">In the team.</param>
    /// <param name="folder">From <see cref="Folders.PathAsync"/>.</param>
    /// <param name="order">Which order.</param>
    /// <param name="after">Where the page before ended, in the same order; null for the first page.</param>
    /// <param name="limit">1 to <see cref="MostAtOnce"/>.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public static async Task<ListedPage> PageAsync(
        TeamSession session, FolderStep? folder, ListOrder order, PageStart? after, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(order);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, MostAtOnce);
        if (after is not null && after.Order != order)
        {
            throw new ArgumentException("A page goes on in the order that it began in.", nameof(after));
        }
        // Folders and files each in the order of their index, in one round trip; each part stops at the limit.
        var parent = folder is null ? "parent_id is null" : "parent_id = {1}";
        var files = Part(parent, Entry.File, order, after is { IsFolder: false });
        var sql = after is { IsFolder: false } ? files : $"({Part(parent, Entry.Folder, FolderOrder(order), after is not null)}) union all ({files})";
        var found = await session.SqlAsync<ListedEntry>(
            FormattableStringFactory.Create(sql, folder?.Reference, folder?.Id, after?.NameKey, (object?)after?.Value, (object?)after?.Time, limit + 1), cancellationToken);
        // Each part is in order; that one comes before the other is said here, because SQL promises it for no "union all".
        List<ListedEntry> entries = [.. found.Where(e => e.IsFolder), .. found.Where(e => !e.IsFolder)];
        return entries.Count <= limit ? new ListedPage(entries, null) : new ListedPage(entries[..limit], PageStart.After(order, entries[limit - 1]));
    }

    /// <summary>Made of constants alone; every value is a parameter.</summary>
    private static string Part(string parent, string kind, ListOrder order, bool goesOn)
    {
        var (comparison, direction) = order.Descending ? ("<", " desc") : (">", "");
        var start = !goesOn ? "" : order.Sort switch
        {
            ListSort.Size => $"and (size, name_key) {comparison} ({{3}}, {{2}})",
            ListSort.Modified => $"and (modified_at, name_key) {comparison} ({{4}}, {{2}})",
            _ => $"and name_key {comparison} {{2}}",
        };
        var by = order.Sort switch { ListSort.Size => "size" + direction + ", ", ListSort.Modified => "modified_at" + direction + ", ", _ => "" };
        return $"{Columns} {parent} and kind = '{kind}' {start} order by {by}name_key{direction} limit {{5}}";
    }

    private static ListOrder FolderOrder(ListOrder order) => order.Sort == ListSort.Size ? ListOrder.ByName : order;
}
