using Appliance.Accounts;
using Appliance.Accounts.People;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Mail;

/// <summary>What was sent to the person, so that they see what was not, and the phrase that is in all of it.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class MessagesPage(MailQueue mails, Phrases phrases, AccountSession accounts) : PageModel
{
    public IReadOnlyList<SentMail> Sent { get; private set; } = [];

    public string Phrase { get; private set; } = "";

    public bool IsConfigured => mails.IsConfigured;

    public string? Problem { get; private set; }

    public async Task OnGetAsync(CancellationToken ct)
    {
        Response.Headers.CacheControl = "no-cache, no-store";
        Sent = await mails.ListAsync(User.Id(), ct);
        Phrase = await phrases.ReadAsync(await accounts.OpenAsync(ct), User.Id(), ct);
        await accounts.CommitAsync(ct);
    }

    public async Task<IActionResult> OnPostAsync(string? phrase, CancellationToken ct)
    {
        var session = await accounts.OpenAsync(ct);
        Problem = await phrases.ChooseAsync(session, User.Id(), phrase, ct);
        if (Problem is null)
        {
            session.RecordForAppliance(new LedgerEvent("mail-phrase.changed", User.Id().ToString()), HttpContext.Origin());
            await accounts.CommitAsync(ct);
            return Redirect("/account/messages");
        }
        await accounts.DisposeAsync();
        await OnGetAsync(ct);
        return Page();
    }
}

/// <summary>How the mail is, for the appliance's owner: what waits and why. Nobody's address or text.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class MailStatePage(MailQueue mails, Settings settings) : ApplianceOwnerPage
{
    public bool IsConfigured => mails.IsConfigured;

    public string Server => settings.Mail is { } mail ? $"{mail.Host}:{mail.Port}" : "";

    public MailState State { get; private set; } = new(0, null, null, 0);

    public async Task OnGetAsync(CancellationToken ct) => State = await mails.StateAsync(ct);
}
