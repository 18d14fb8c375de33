using Appliance.Data;
using Appliance.Saml;
using Appliance.Teams;
using Appliance.Web;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.SignIn.Sso;

/// <summary>A team's single sign-on, for its owners: theirs, ours, a test, who becomes what, and when it binds.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class SsoPageModel(TeamAccess access, SsoSetUp setUp, SsoKeys keys, Settings settings, TimeProvider clock) : TeamPage(access)
{
    public SsoConnection Connection { get; private set; } = null!;

    public SsoAddresses Addresses => SsoAddresses.Of(settings.Origin, TeamReference);

    public IReadOnlyList<SsoKey> Keys { get; private set; } = [];

    public IReadOnlyList<SsoIdentity> Identities { get; private set; } = [];

    public string Groups { get; private set; } = "";

    public DateTimeOffset Now => clock.GetUtcNow();

    [BindProperty]
    public SsoChoice Choice { get; set; } = new();

    public Task<IActionResult> OnGetAsync() => WithOwnerAsync(ShowAsync);

    public Task<IActionResult> OnPostAsync() => ChangeAsync(visit => setUp.ChooseAsync(visit, Choice, HttpContext.Origin(), HttpContext.RequestAborted));

    public Task<IActionResult> OnPostKeyAsync(string? step) => ChangeAsync(visit => setUp.ChangeKeyAsync(visit, step, HttpContext.Origin(), HttpContext.RequestAborted));

    public Task<IActionResult> OnPostUnlinkAsync(string? reference) =>
        ChangeAsync(visit => setUp.UnlinkAsync(visit, reference, HttpContext.Origin(), HttpContext.RequestAborted));

    private async Task<IActionResult> ChangeAsync(Func<TeamVisit, Task> change)
    {
        var done = await WithOwnerAsync(async visit =>
        {
            try
            {
                await change(visit);
            }
            catch (TeamRuleException refused)
            {
                Problem = refused.Message;
            }
            return Redirect($"/teams/{TeamReference}/sso");
        });
        if (Problem is null)
        {
            return done;
        }
        Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
        return await WithOwnerAsync(ShowAsync);
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
            // Whoever came in by the provider must not decide what the provider may.
            HttpContext.Features.Set(new ErrorDetail("You came in through your organisation's sign-in. Its settings are changed by owners who sign in with their own password and key."));
            return new StatusCodeResult(StatusCodes.Status403Forbidden);
        }
        return await work(visit);
    }

    private async Task<IActionResult> ShowAsync(TeamVisit visit)
    {
        var ct = HttpContext.RequestAborted;
        Connection = await setUp.OpenAsync(visit, ct);
        Keys = await keys.ListAsync(visit.Session, ct);
        Identities = await visit.Session.IdentitiesAsync(ct);
        Groups = string.Join('\n', (await visit.Session.RolesAsync(ct)).Select(r => $"{r.Value} = {r.Role}"));
        if (Problem is not null)
        {
            // What was typed stays.
            Groups = Choice.Groups ?? "";
            Connection = Connection with
            {
                UsernameAttribute = Choice.UsernameAttribute, EmailAttribute = Choice.EmailAttribute, GroupsAttribute = Choice.GroupsAttribute,
                Others = Choice.Others ?? Connection.Others, JustInTime = Choice.JustInTime == "true", IdpInitiated = Choice.IdpInitiated == "true", SecondFactor = Choice.SecondFactor ?? Connection.SecondFactor,
            };
        }
        // The first look makes the connection and its key.
        await visit.Session.CommitAsync(ct);
        return Page();
    }
}

/// <summary>What came back: of an owner's test, to look at; of a member's link, to confirm.</summary>
[Authorize(Policy = Access.SignedIn)]
public sealed class SsoResultModel(TeamAccess access, SsoRequests requests, SsoPeople people, SsoSetUp setUp) : TeamPage(access)
{
    public SsoOutcome Outcome { get; private set; } = null!;

    public bool IsTest { get; private set; }

    public string RequestReference { get; private set; } = "";

    public Task<IActionResult> OnGetAsync(string? request) => WithResultAsync(request, (_, _) => Task.FromResult<IActionResult>(Page()));

    public Task<IActionResult> OnPostConfirmAsync(string? request) => WithResultAsync(request, async (visit, found) =>
    {
        if (!visit.IsOwner || !IsTest)
        {
            return NothingHere;
        }
        try
        {
            await setUp.ConfirmTestAsync(visit, found, HttpContext.Origin(), HttpContext.RequestAborted);
            return Redirect($"/teams/{TeamReference}/sso");
        }
        catch (TeamRuleException refused)
        {
            return Again(refused.Message);
        }
    });

    public Task<IActionResult> OnPostLinkAsync(string? request) => WithResultAsync(request, async (visit, found) =>
    {
        if (IsTest || Outcome.Problem is not null || User.OnlyTeamReference() is not null)
        {
            return NothingHere;
        }
        if (await people.LinkAsync(visit.Session, visit.Person, Outcome, HttpContext, HttpContext.RequestAborted) is { } problem)
        {
            return Again(problem);
        }
        await SsoRequests.RemoveAsync(visit.Session, found, HttpContext.RequestAborted);
        try
        {
            await visit.Session.CommitAsync(HttpContext.RequestAborted);
        }
        catch (DuplicateException)
        {
            return Again("It was linked meanwhile.");
        }
        return Redirect($"/teams/{TeamReference}/members");
    });

    private PageResult Again(string problem)
    {
        Problem = problem;
        Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
        return Page();
    }

    private async Task<IActionResult> WithResultAsync(string? reference, Func<TeamVisit, SsoRequest, Task<IActionResult>> work)
    {
        await using var visit = await EnterAsync();
        if (visit is null || await requests.FindAsync(visit.Session, reference, visit.Person, HttpContext.RequestAborted) is not { } found)
        {
            return NothingHere;
        }
        (Outcome, IsTest, RequestReference) = (SsoOutcome.FromJson(found.Outcome)!, found.Purpose == SsoRequest.Test, found.Reference);
        return await work(visit, found);
    }
}
