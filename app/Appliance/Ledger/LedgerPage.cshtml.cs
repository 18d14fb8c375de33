using System.Text.Json;
using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Ledger;

/// <summary>A team's ledger, for its owners; to everybody else there is no such page.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class LedgerPageModel(LedgerList list, LedgerVerification verification, TimeProvider clock) : PageModel
{
    public LedgerSlice Slice { get; private set; } = new([], null);

    /// <summary>Null unless verifying was asked for.</summary>
    public LedgerReport? Report { get; private set; }

    public DateTimeOffset VerifiedAt { get; private set; }

    public async Task<IActionResult> OnGetAsync(string team, Guid? before, CancellationToken cancellationToken)
    {
        if (await list.FindAsync(team, User.Id(), cancellationToken) is not { } found)
        {
            return NotFound();
        }
        Slice = await list.ReadAsync(found.Id, User.Id(), before, cancellationToken);
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
        Slice = await list.ReadAsync(found.Id, User.Id(), null, cancellationToken);
        return Page();
    }

    /// <summary><c>file.uploaded</c> → "File uploaded".</summary>
    internal static string InWords(string action)
    {
        var words = action.Replace('.', ' ');
        return words.Length == 0 ? words : char.ToUpperInvariant(words[0]) + words[1..];
    }

    internal static bool IsRefusal(LedgerLine line) =>
        line.Action.EndsWith(".failed", StringComparison.Ordinal) || line.Action.EndsWith(".refused", StringComparison.Ordinal);

    /// <summary>The values that the entry holds, and the address it came from.</summary>
    internal static string Details(LedgerLine line)
    {
        Dictionary<string, string?>? details = null;
        try
        {
            details = JsonSerializer.Deserialize<Dictionary<string, string?>>(line.Details);
        }
        catch (JsonException)
        {
            // Tampered with: shown as it stands, for verification to name.
        }
        string?[] parts = details is null ? [line.Details, line.Address] : [.. details.Values, line.Address];
        return string.Join(" · ", parts.Where(part => !string.IsNullOrEmpty(part)));
    }
}
