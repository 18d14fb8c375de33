using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.Policy;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>A further key. Who adds one has just touched another.</summary>
[Authorize(Policy = Access.EnrolSteppedUp)]
[OpenToTeamSessions(WhileEnrolling = true)]
public sealed class AddKeyModel(ISecurityKeyCeremonies ceremonies, AccountAlerts alerts, Database database) : FactorPage(database)
{
    public KeyPrompt Prompt { get; private set; } = null!;

    public async Task<IActionResult> OnGetAsync(CancellationToken cancellationToken)
    {
        await using var session = await Database.ForApplianceAsync(cancellationToken);
        await AskAsync(await PersonAsync(session, cancellationToken), "Security key", null, cancellationToken);
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string? reference, string? credential, string? name, CancellationToken cancellationToken)
    {
        await using var session = await Database.ForApplianceAsync(cancellationToken);
        var person = await PersonAsync(session, cancellationToken);
        var result = await ceremonies.FinishRegistrationAsync(person, reference ?? "", credential ?? "", name ?? "", HttpContext, session, cancellationToken);
        if (result.Succeeded)
        {
            alerts.Tell(session, person.Id, Happening.KeyAdded, HttpContext);
            await Sessions.AddedAsync(session, HttpContext, new SessionFactor(SessionFactor.Key, result.Proof), cancellationToken);
            await session.CommitAsync(cancellationToken);
            return LocalRedirect(Return);
        }
        await AskAsync(person, name ?? "", result.Reason, cancellationToken);
        return Page();
    }

    private async Task AskAsync(User person, string name, string? error, CancellationToken cancellationToken) => Prompt = new KeyPrompt
    {
        Ceremony = await ceremonies.BeginRegistrationAsync(person, HttpContext, cancellationToken),
        Adds = true,
        Button = "Add security key",
        Name = name,
        Error = error,
        Fields = ReturnField,
    };

    private Task<User> PersonAsync(TeamSession session, CancellationToken cancellationToken)
    {
        var id = User.Id();
        return session.Query<User>().SingleAsync(u => u.Id == id, cancellationToken);
    }
}
