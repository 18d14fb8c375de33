using Appliance.Accounts.People;
using Appliance.Teams;
using Appliance.Web;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.SignIn.Policy;

/// <summary>What the form of a policy shows.</summary>
/// <param name="Choice">As it is, or as it was typed where that was refused.</param>
/// <param name="Problem">Why it was refused; null: it was not.</param>
/// <param name="Above">What the appliance asks already, on a team's page; null: this is the appliance's.</param>
/// <param name="IdleLock">The longest idle lock there can be.</param>
/// <param name="Lifetime">The longest session there can be.</param>
public sealed record PolicyForm(PolicyChoice Choice, PolicyRuleException? Problem, FactorPolicy? Above, TimeSpan IdleLock, TimeSpan Lifetime)
{
    internal static PolicyChoice Of(FactorPolicy policy, string weakest, int version) => new()
    {
        SecondFactor = policy.SecondFactor switch { FactorRule.Key => "key", FactorRule.Required => "required", _ => weakest },
        DeviceBound = policy.DeviceBound,
        UserVerification = policy.UserVerification,
        IdleLockMinutes = policy.IdleLockMinutes?.ToString(System.Globalization.CultureInfo.InvariantCulture),
        SessionHours = policy.SessionHours?.ToString(System.Globalization.CultureInfo.InvariantCulture),
        Version = version,
    };
}

/// <summary>What everybody must use to sign in, for the appliance's owners. For everybody else there is no such page.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class AppliancePolicyPage(Policies policies) : ApplianceOwnerPage
{
    public PolicyForm Form { get; private set; } = null!;

    [BindProperty]
    public PolicyChoice Choice { get; set; } = new();

    public Task OnGetAsync(CancellationToken ct) => ShowAsync(null, ct);

    public async Task<IActionResult> OnPostAsync(CancellationToken ct)
    {
        try
        {
            await policies.ChangeApplianceAsync(Choice, HttpContext, ct);
            return Redirect("/people/policy");
        }
        catch (PolicyRuleException refused)
        {
            Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
            await ShowAsync(refused, ct);
            return Page();
        }
    }

    private async Task ShowAsync(PolicyRuleException? problem, CancellationToken ct)
    {
        var policy = await policies.ApplianceAsync(ct);
        var (idle, lifetime) = policies.Longest(null);
        // What was typed stays, save where it was typed beside another policy than the one there is.
        var choice = problem is not null && Choice.Version == policy.Version ? Choice : PolicyForm.Of(policy.Factors, "optional", policy.Version) with
        {
            PasswordDays = policy.PasswordDays?.ToString(System.Globalization.CultureInfo.InvariantCulture), RememberedDays = policy.RememberedDays == 0 ? null : policy.RememberedDays.ToString(System.Globalization.CultureInfo.InvariantCulture), PasskeyAlone = policy.PasskeyAlone,
        };
        Form = new PolicyForm(choice, problem, null, idle, lifetime);
    }
}

/// <summary>What a team asks of its members, for its owners. For everybody else there is no such page.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class TeamPolicyPage(TeamAccess access, Policies policies) : TeamPage(access)
{
    public PolicyForm Form { get; private set; } = null!;

    [BindProperty]
    public PolicyChoice Choice { get; set; } = new();

    public Task<IActionResult> OnGetAsync() => WithOwnerAsync(visit => ShowAsync(visit, null));

    public async Task<IActionResult> OnPostAsync()
    {
        PolicyRuleException? problem = null;
        var done = await WithOwnerAsync(async visit =>
        {
            try
            {
                await policies.ChangeTeamAsync(visit, Choice, HttpContext, HttpContext.RequestAborted);
            }
            catch (PolicyRuleException refused)
            {
                problem = refused;
            }
            return Redirect($"/teams/{TeamReference}/policy");
        });
        if (problem is null)
        {
            return done;
        }
        Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
        return await WithOwnerAsync(visit => ShowAsync(visit, problem));
    }

    private async Task<IActionResult> WithOwnerAsync(Func<TeamVisit, Task<IActionResult>> work)
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true })
        {
            return NothingHere;
        }
        if (User.OnlyTeamReference() is not null)
        {
            // Whoever came in by the provider must not decide what it takes to come in.
            HttpContext.Features.Set(new ErrorDetail("You came in through your organisation's sign-in. The team's policy is changed by owners who sign in with their own password and key."));
            return new StatusCodeResult(StatusCodes.Status403Forbidden);
        }
        return await work(visit);
    }

    private async Task<IActionResult> ShowAsync(TeamVisit visit, PolicyRuleException? problem)
    {
        var ct = HttpContext.RequestAborted;
        var (policy, appliance) = (await Policies.TeamAsync(visit, ct), await visit.Session.AppliancePolicyAsync(ct));
        var (idle, lifetime) = policies.Longest(appliance.Factors);
        var choice = problem is not null && Choice.Version == policy.Version ? Choice : PolicyForm.Of(policy.Factors, "appliance", policy.Version) with
        {
            UnusedDays = policy.UnusedDays?.ToString(System.Globalization.CultureInfo.InvariantCulture),
            NoShareLinks = policy.NoShareLinks,
            ReviewDays = policy.ReviewDays?.ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
        Form = new PolicyForm(choice, problem, appliance.Factors, idle, lifetime);
        return Page();
    }
}
