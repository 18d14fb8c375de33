using System.Text.RegularExpressions;
using Appliance.Teams;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>Everything that a search finds (<c>?q=</c>); the field above the pages shows the first few as one types.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed partial class SearchPageModel(TeamAccess access) : TeamPage(access)
{
    [FromQuery(Name = "q")]
    public string? Text { get; set; }

    public FoundEntries Found { get; private set; } = new([], false);

    public async Task<IActionResult> OnGetAsync()
    {
        await using var visit = await EnterAsync();
        if (visit is null)
        {
            return NothingHere;
        }
        if (string.IsNullOrWhiteSpace(Text))
        {
            return Page();
        }
        try
        {
            Found = await Search.FindAsync(visit, Text, Search.MostAtOnce, HttpContext.RequestAborted);
        }
        catch (FileRuleException refused)
        {
            Problem = refused.Message;
            Text = Text.Length > Search.MaxLength ? Text[..Search.MaxLength] : Text;
            Response.StatusCode = StatusCodes.Status400BadRequest;
        }
        return Page();
    }

    /// <summary>A name in pieces, those that were looked for marked.</summary>
    public IEnumerable<(string Part, bool Marked)> Marked(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var words = Blanks().Split(Text ?? "").Where(word => word.Length > 0).Select(Regex.Escape).ToArray();
        if (words.Length == 0)
        {
            return [(name, false)];
        }
        // Escaped words and nothing else: it cannot backtrack.
        var found = new Regex(string.Join('|', words), RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        var parts = new List<(string, bool)>();
        var at = 0;
        foreach (Match match in found.Matches(name))
        {
            parts.Add((name[at..match.Index], false));
            parts.Add((match.Value, true));
            at = match.Index + match.Length;
        }
        parts.Add((name[at..], false));
        return parts.Where(part => part.Item1.Length > 0);
    }

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Blanks();
}
