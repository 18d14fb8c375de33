using Appliance.Files;
using System.Text.Json;
using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Ledger;

/// <summary>A team's ledger, for its owners and who has the permission by a group; to everybody else there is no such page.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class LedgerPageModel(LedgerList list, LedgerVerification verification, LedgerKeys keys, TimeProvider clock) : PageModel
{
    public LedgerSlice Slice { get; private set; } = new([], null);

    /// <summary>Null unless verifying was asked for.</summary>
    public LedgerReport? Report { get; private set; }

    public DateTimeOffset VerifiedAt { get; private set; }

    public LedgerFilter Filter { get; private set; } = LedgerFilter.None;

    public LedgerChoices Choices { get; private set; } = new([], []);

    /// <summary>Why the filter cannot be used; null where it can.</summary>
    public string? Problem { get; private set; }

    public string TeamReference { get; private set; } = "";

    /// <summary>The id of the key that signs.</summary>
    public string KeyId => keys.KeyId;

    public async Task<IActionResult> OnGetAsync(string team, Guid? before, string? person, string? from, string? to, CancellationToken cancellationToken)
    {
        if (await list.FindAsync(team, User.Id(), cancellationToken) is not { } found)
        {
            return NotFound();
        }
        if (LedgerFilter.Read(Request.Query["action"], person, from, to) is { } filter)
        {
            Filter = filter;
            Slice = await list.ReadAsync(found.Id, User.Id(), filter, before, cancellationToken);
        }
        else
        {
            Problem = "A day is written 2026-11-26; an action and a person’s name have 100 characters at most.";
        }
        await DressAsync(found, cancellationToken);
        return Page();
    }

    public async Task<IActionResult> OnPostVerifyAsync(string team, CancellationToken cancellationToken)
    {
        if (await list.FindAsync(team, User.Id(), cancellationToken) is not { } found)
        {
            return NotFound();
        }
        Report = await verification.VerifyAsync(found.Id.Value, [], cancellationToken);
        VerifiedAt = clock.GetUtcNow();
        Slice = await list.ReadAsync(found.Id, User.Id(), LedgerFilter.None, null, cancellationToken);
        await DressAsync(found, cancellationToken);
        return Page();
    }

    private async Task DressAsync(LedgerTeam found, CancellationToken cancellationToken) =>
        (TeamReference, Choices) = (found.Reference, await list.ChoicesAsync(found.Id, User.Id(), cancellationToken));

    /// <summary>The query of the page that starts before an entry.</summary>
    internal string Older(Guid before) => QueryString.Create(new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["action"] = Filter.Action,
        ["person"] = Filter.Person,
        ["from"] = LedgerFilter.Written(Filter.From),
        ["to"] = LedgerFilter.Written(Filter.To),
        ["before"] = before.ToString("N"),
    }.Where(pair => !string.IsNullOrEmpty(pair.Value))).ToString();

    /// <summary><c>file.uploaded</c> → "File uploaded".</summary>
    internal static string InWords(string action)
    {
        var words = action.Replace('.', ' ');
        return words.Length == 0 ? words : char.ToUpperInvariant(words[0]) + words[1..];
    }

    internal static bool IsRefusal(LedgerLine line) =>
        line.Action.EndsWith(".failed", StringComparison.Ordinal) || line.Action.EndsWith(".refused", StringComparison.Ordinal);

    /// <summary>What the entry holds, in words, the name first; then the address it came from.</summary>
    internal static IReadOnlyList<string> Details(LedgerLine line)
    {
        try
        {
            var details = JsonSerializer.Deserialize<Dictionary<string, string?>>(line.Details) ?? [];
            return [.. details.Where(d => !string.IsNullOrEmpty(d.Value) && d.Key is not (TokenName.ReferenceDetail or OperatorName.KeyDetail)).OrderBy(d => d.Key == "name" ? 0 : 1).Select(d => InWords(d.Key, d.Value!, details)), .. Address(line)];
        }
        catch (JsonException)
        {
            // Tampered with: shown as it stands, for verification to name.
            return [line.Details, .. Address(line)];
        }
    }

    private static string InWords(string key, string value, Dictionary<string, string?> all) => key switch
    {
        TokenName.NameDetail when all.GetValueOrDefault(TokenName.ReferenceDetail) is { } reference => $"with token “{value}” ({reference})",
        OperatorName.NameDetail => $"by operator “{value}” (key {all.GetValueOrDefault(OperatorName.KeyDetail)?[..Math.Min(16, all[OperatorName.KeyDetail]!.Length)]})",
        "name" or "username" => value,
        "version" => "version " + value,
        "bytes" when long.TryParse(value, out var bytes) => ByteSize.Text(bytes),
        _ => $"{key} {value}",
    };

    private static string[] Address(LedgerLine line) => string.IsNullOrEmpty(line.Address) ? [] : ["from " + line.Address];
}
