using System.Globalization;
using System.Text;
using Appliance.Data;

namespace Appliance.Files;

/// <summary>A wanted name, and whether it is a folder's: a folder has no ending that must stay.</summary>
internal sealed record WantedName(EntryName Name, bool IsFolder);

/// <summary>Names that are free in a folder: the wanted one, or it with a number, “name (2).txt”.</summary>
internal static class FreeNames
{
    private const int HighestNumber = 20_000;
    private const int MostAtOnce = 10_000;

    /// <summary>Those of the wanted names that something in the folder has.</summary>
    public static async Task<HashSet<string>> TakenAsync(TeamSession session, Guid? folder, string[] keys, CancellationToken cancellationToken)
    {
        var taken = folder is { } parent
            ? await session.SqlAsync<string>(
                $"""select name_key as "Value" from entries where team_id = app_team() and parent_id = {parent} and name_key = any({keys}) and deleted_at is null""", cancellationToken)
            : await session.SqlAsync<string>(
                $"""select name_key as "Value" from entries where team_id = app_team() and parent_id is null and name_key = any({keys}) and deleted_at is null""", cancellationToken);
        return taken.ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>A free name for each, in their order; no two are the same. Somebody may still take one before the commit.</summary>
    /// <exception cref="FileRuleException">Every number is taken.</exception>
    public static async Task<EntryName[]> ChooseAsync(TeamSession session, Guid? folder, IReadOnlyList<WantedName> wanted, CancellationToken cancellationToken)
    {
        var chosen = new EntryName?[wanted.Count];
        var used = new HashSet<string>(StringComparer.Ordinal);
        var open = Enumerable.Range(0, wanted.Count).ToList();
        // First the names themselves, then numbers in growing steps: a few queries, however many copies there are.
        for (int from = 1, count = 1; open.Count > 0; from += count, count = Math.Min(count * 4, Math.Max(1, MostAtOnce / Math.Max(1, open.Count))))
        {
            if (from > HighestNumber)
            {
                throw FileRuleException.NameTaken(wanted[open[0]].Name.Text);
            }
            var candidates = open.ToDictionary(i => i, i => Enumerable.Range(from, count).Select(n => Numbered(wanted[i], n)).ToList());
            var taken = await TakenAsync(session, folder, [.. candidates.Values.SelectMany(names => names).Select(n => n.Key).Distinct(StringComparer.Ordinal)], cancellationToken);
            foreach (var i in open)
            {
                chosen[i] = candidates[i].Find(name => !taken.Contains(name.Key) && used.Add(name.Key));
            }
            open.RemoveAll(i => chosen[i] is not null);
        }
        return chosen!;
    }

    /// <summary>The name with this number, 1 being the name itself; where it gets too long, the stem is cut.</summary>
    internal static EntryName Numbered(WantedName wanted, int number)
    {
        if (number == 1)
        {
            return wanted.Name;
        }
        var (stem, ending) = FileKind.Split(wanted.Name.Text, wanted.IsFolder);
        var added = string.Create(CultureInfo.InvariantCulture, $" ({number}){ending}");
        var room = EntryName.MaxBytes - Encoding.UTF8.GetByteCount(added);
        if (Encoding.UTF8.GetByteCount(stem) > room)
        {
            stem = Cut(stem, room);
        }
        return EntryName.Parse(stem + added);
    }

    /// <summary>Whole characters as people see them: a letter keeps its accents, an emoji its parts.</summary>
    private static string Cut(string text, int bytes)
    {
        var (kept, size) = (0, 0);
        for (var e = StringInfo.GetTextElementEnumerator(text); e.MoveNext();)
        {
            var element = e.GetTextElement();
            size += Encoding.UTF8.GetByteCount(element);
            if (size > bytes)
            {
                break;
            }
            kept += element.Length;
        }
        return text[..kept];
    }
}
