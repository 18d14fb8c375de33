using Appliance.SignIn;
using Appliance.SignIn.Tokens;
using Appliance.Teams;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Accounts;

/// <summary>The person's tokens and app passwords. Revoking asks for nothing: it must be quick.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class TokensPage(ApiTokens tokens, TimeProvider clock) : PageModel
{
    public IReadOnlyList<ListedToken> Tokens { get; private set; } = [];

    public async Task OnGetAsync(CancellationToken ct) => Tokens = await tokens.ListAsync(User.Id(), ct);

    public async Task<IActionResult> OnPostRevokeAsync(string? reference, CancellationToken ct) =>
        await tokens.RevokeAsync(reference, HttpContext.Origin(), ct) ? Redirect("/account/tokens") : NotFound();

    public bool IsOver(ListedToken token) => token.ExpiresAt is { } end && end <= clock.GetUtcNow();
}

/// <summary>Makes one, for who has just touched their key. Its text is shown once, on the page that made it.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class NewTokenPage(ApiTokens tokens, TeamDirectory teams) : PageModel
{
    public IReadOnlyList<MyTeam> Teams { get; private set; } = [];

    [BindProperty]
    public string? Name { get; set; }

    [BindProperty]
    public string Kind { get; set; } = ApiToken.Bearer;

    [BindProperty]
    public string? Team { get; set; }

    /// <summary>"read" or "write".</summary>
    [BindProperty]
    public string May { get; set; } = "read";

    /// <summary>A number of days, or "never".</summary>
    [BindProperty]
    public string Days { get; set; } = "90";

    public string? Problem { get; private set; }

    /// <summary>What was made, and how it is used; null before.</summary>
    public string? Made { get; private set; }

    public Task OnGetAsync(CancellationToken ct) => LoadAsync(ct);

    public async Task OnPostAsync(CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-store";
        try
        {
            var days = int.TryParse(Days, out var number) ? number : Days == "never" ? (int?)null : 0;
            Made = await tokens.CreateAsync(Kind, Name, Team, May == "write", days, HttpContext.Origin(), ct, User.SessionId());
        }
        catch (TokenRuleException refused)
        {
            Problem = refused.Message;
            Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
            await LoadAsync(ct);
        }
    }

    private async Task LoadAsync(CancellationToken ct) => Teams = await teams.ListAsync(User.Id(), ct);
}
