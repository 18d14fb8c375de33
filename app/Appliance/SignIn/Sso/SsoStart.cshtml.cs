using System.Text.Encodings.Web;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.SignIn.Sso;

/// <summary>
/// Where a sign-in through a team's identity provider begins, with a click on our own page that says where it leads. Without it, the owner of some
/// team could send anybody's browser through a provider of theirs, and have it signed in as whom they like (login CSRF).
/// </summary>
[AllowAnonymous]
[EnableRateLimiting(RateLimits.SignIn)]
public sealed class SsoStartModel(IServiceProvider services) : PageModel
{
    private readonly SsoFlow _flow = services.GetRequiredService<SsoFlow>();

    /// <summary>The provider's host.</summary>
    public string Provider { get; private set; } = "";

    public string? Username { get; private set; }

    public string Return { get; private set; } = "";

    public async Task<IActionResult> OnGetAsync(string team, [FromQuery(Name = "return")] string? returnPath, CancellationToken ct)
    {
        if (Request.Headers["Sec-Fetch-Site"] == "cross-site")
        {
            // Asked again from here, with the cookies that a browser holds back from other sites' links: the form's token is the person's.
            var here = HtmlEncoder.Default.Encode(ReturnPath.Local($"{Request.Path}{Request.QueryString}"));
            return Content($"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={here}"><title>Appliance</title></head><body></body></html>""", "text/html; charset=utf-8");
        }
        if (await _flow.FindAsync(team, ct) is not { } id || await _flow.ProviderAsync(id, ct) is not { } address)
        {
            return new StatusCodeResult(StatusCodes.Status404NotFound);
        }
        (Provider, Return, Username) = (address.Host, ReturnPath.Local(returnPath), User.Identity?.Name);
        // The form's answer leads on to the provider, which browsers hold against the form's page.
        Response.Headers.ContentSecurityPolicy = ResponseHeaders.FormsMayLeadTo(address);
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string team, [FromForm(Name = "return")] string? returnPath, CancellationToken ct)
    {
        if (await _flow.FindAsync(team, ct) is not { } id || await _flow.LeaveAsync(id, team, SsoRequest.SignIn, null, returnPath, HttpContext, ct) is not { } departure)
        {
            return new StatusCodeResult(StatusCodes.Status404NotFound);
        }
        return departure.Form is null ? Redirect(departure.Address) : Content(departure.Page(Response), "text/html; charset=utf-8");
    }
}
