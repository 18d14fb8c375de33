using Appliance.Accounts;
using Appliance.Files;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.Sharing;

/// <summary>Shares one file or folder by link, and lists the links that it has.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class SharePage(TeamAccess access, ShareLinks links, Settings settings, TimeProvider clock) : TeamPage(access)
{
    [FromRoute(Name = "entry")]
    public string Entry { get; set; } = "";

    [BindProperty]
    public ShareChoice Choice { get; set; } = new();

    public ListedEntry? Shared { get; private set; }

    /// <summary>Shown once, on the page that made it.</summary>
    public string? Link { get; private set; }

    /// <summary>The team shares nothing by link.</summary>
    public bool AreRefused { get; private set; }

    public LinksView Links { get; private set; } = null!;

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        return visit is null ? NothingHere : await ShowAsync(visit, ct);
    }

    public async Task<IActionResult> OnPostAsync(CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-cache, no-store";
        await using (var visit = await EnterAsync())
        {
            if (visit is null)
            {
                return NothingHere;
            }
            try
            {
                Link = new Uri(settings.Origin, "/s/" + await links.MakeAsync(visit, Entry, Choice, HttpContext.Origin(), ct)).ToString();
            }
            catch (ShareRuleException refused)
            {
                Problem = refused.Message;
            }
            catch (TooBusyException)
            {
                Problem = "Many passwords are being checked at this moment. Try again in a few seconds.";
            }
        }
        Response.StatusCode = Problem is null ? StatusCodes.Status200OK : StatusCodes.Status422UnprocessableEntity;
        await using var after = await EnterAsync();
        return after is null ? NothingHere : await ShowAsync(after, ct);
    }

    private async Task<IActionResult> ShowAsync(TeamVisit visit, CancellationToken ct)
    {
        if (await Entries.FindAsync(visit.Session, Entry, ct) is not { } found)
        {
            return NothingHere;
        }
        Shared = found.Entry;
        AreRefused = await ShareLinks.AreRefusedAsync(visit.Session, ct);
        Links = new LinksView(TeamReference, await ShareLinks.ListAsync(visit, Entry, ct), clock.GetUtcNow(), visit.IsOwner, $"/teams/{TeamReference}/files/{Entry}/share");
        return Page();
    }
}

/// <summary>A list of links, with revoking, which leads on to <c>Back</c>.</summary>
public sealed record LinksView(string Team, IReadOnlyList<ListedLink> Links, DateTimeOffset Now, bool OfEverybody, string Back);

/// <summary>All links of the person; an owner sees everybody's.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class LinksPage(TeamAccess access, ShareLinks links, TimeProvider clock) : TeamPage(access)
{
    public LinksView Links { get; private set; } = null!;

    [BindProperty]
    public string? Reference { get; set; }

    /// <summary>Where to go on after revoking.</summary>
    [BindProperty]
    public string? Back { get; set; }

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is null)
        {
            return NothingHere;
        }
        Links = new LinksView(TeamReference, await ShareLinks.ListAsync(visit, null, ct), clock.GetUtcNow(), visit.IsOwner, $"/teams/{TeamReference}/links");
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        return visit is not null && await links.RevokeAsync(visit, Reference, HttpContext.Origin(), ct) ? Redirect(ReturnPath.Local(Back ?? $"/teams/{TeamReference}/links")) : NothingHere;
    }
}

/// <summary>What a link opens, for whoever comes with it. Looking changes nothing, so a scanner of mail uses nothing up; downloading is a button.</summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SharedPage(IServiceProvider services) : SignInPageModel
{
    internal const string GrantCookie = "__Host-appliance-share";

    /// <summary>What there is; null behind a password, or where the link does not work.</summary>
    public ListedEntry? Shared { get; private set; }

    public bool Works { get; private set; }

    public bool NeedsPassword { get; private set; }

    public DateTimeOffset ExpiresAt { get; private set; }

    public Task OnGetAsync(string token, CancellationToken ct) => ShowAsync(token, ct);

    public async Task<IActionResult> OnPostAsync(string token, string? password, CancellationToken ct)
    {
        if (await ShowAsync(token, ct) is not { } link)
        {
            return Page();
        }
        var (grant, result) = await services.GetRequiredService<SharedEntries>().BeginAsync(link, password, HttpContext, ct);
        if (grant is null)
        {
            return Again(result);
        }
        SessionCookie.Write(HttpContext, grant, GrantCookie);
        return Redirect($"/s/{token}/content");
    }

    private async Task<OpenLink?> ShowAsync(string token, CancellationToken ct)
    {
        Response.Headers["Referrer-Policy"] = "no-referrer";
        Response.Headers["X-Robots-Tag"] = "noindex, nofollow";
        var shared = services.GetRequiredService<SharedEntries>();
        if (await shared.FindAsync(token, ct) is not { IsUsedUp: false } link || await shared.EntryAsync(link, ct) is not { } entry)
        {
            Response.StatusCode = StatusCodes.Status404NotFound;
            return null;
        }
        (Works, NeedsPassword, ExpiresAt) = (true, link.PasswordHash is not null, link.ExpiresAt);
        Shared = NeedsPassword ? null : entry;
        return link;
    }
}
