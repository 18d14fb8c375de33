using Appliance.Data;
using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Accounts.People;

/// <summary>
/// Who has an account, which of them own the appliance, and letting a further person in: by a link that works once, for a day, and makes an ordinary account,
/// in no team.
/// </summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class PeoplePage(SetUpLinks links, AccountSession accounts, ApplianceOwners owners, Settings settings) : ApplianceOwnerPage
{
    /// <summary>Shown once, on the page that made it.</summary>
    public string? Link { get; private set; }

    /// <summary>Where a link was mailed to.</summary>
    public string? MailedTo { get; private set; }

    public string? Problem { get; private set; }

    /// <summary>Why an owner was not made or withdrawn.</summary>
    public string? OwnerProblem { get; private set; }

    public bool CanMail => settings.Mail is not null;

    /// <summary>Links that still work.</summary>
    public IReadOnlyList<OpenLink> Open { get; private set; } = [];

    /// <summary>At most <see cref="ApplianceOwners.Most"/>.</summary>
    public IReadOnlyList<ListedAccount> Everyone { get; private set; } = [];

    /// <summary>There are more than are shown.</summary>
    public bool More { get; private set; }

    /// <summary>How the names that are looked for begin.</summary>
    [BindProperty(Name = "name", SupportsGet = true)]
    public string? Search { get; set; }

    public async Task OnGetAsync(CancellationToken ct) => await ShowAsync(ct);

    public async Task OnPostAsync(CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-cache, no-store";
        Link = new Uri(settings.Origin, "/set-up/" + await links.ForPersonAsync(HttpContext, ct)).ToString();
        await ShowAsync(ct);
    }

    /// <summary>Mails the link. Whether somebody here has that address already shows nowhere.</summary>
    public async Task OnPostMailAsync(string? address, CancellationToken ct)
    {
        var text = address?.Trim();
        Problem = CanMail ? NameKey.EmailProblem(text) : "This appliance sends no mail.";
        if (Problem is null)
        {
            links.Mail(await accounts.OpenAsync(ct), text!, HttpContext);
            await accounts.CommitAsync(ct);
            MailedTo = text;
        }
        await ShowAsync(ct);
    }

    public async Task<IActionResult> OnPostRevokeAsync(string? reference, CancellationToken ct) =>
        await links.RevokeAsync(reference ?? "", HttpContext, ct) ? Redirect("/people") : NotFound();

    public Task<IActionResult> OnPostMakeOwnerAsync(string? username, CancellationToken ct) => ChangeAsync(username, owner: true, ct);

    public Task<IActionResult> OnPostWithdrawOwnerAsync(string? username, CancellationToken ct) => ChangeAsync(username, owner: false, ct);

    private async Task<IActionResult> ChangeAsync(string? username, bool owner, CancellationToken ct)
    {
        var (isOwner, problem) = await owners.ChangeAsync(await accounts.OpenAsync(ct), username, owner, HttpContext, ct);
        if (!isOwner)
        {
            return NotFound();
        }
        if (problem is null)
        {
            await accounts.CommitAsync(ct);
            return Redirect(string.IsNullOrEmpty(Search) ? "/people" : "/people?name=" + Uri.EscapeDataString(Search));
        }
        await accounts.DisposeAsync();
        (OwnerProblem, Response.StatusCode) = (problem, StatusCodes.Status422UnprocessableEntity);
        await ShowAsync(ct);
        return Page();
    }

    private async Task ShowAsync(CancellationToken ct)
    {
        Open = await links.OpenAsync(ct);
        var found = await ApplianceOwners.ListAsync(await accounts.OpenAsync(ct), Search?.Trim(), ct);
        await accounts.DisposeAsync();
        (Everyone, More) = (found.Take(ApplianceOwners.Most).ToList(), found.Count > ApplianceOwners.Most);
    }
}
