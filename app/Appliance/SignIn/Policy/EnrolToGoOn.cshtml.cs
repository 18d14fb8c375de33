using Appliance.Data;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.Policy;

/// <summary>What is missing, and how to come by it: where somebody is led whose session is not enough for the appliance's policy, or for a team's.</summary>
[Authorize(Policy = Access.Enrol)]
[OpenToTeamSessions]
public sealed class EnrolToGoOnPage(Database database, TimeProvider clock) : SignInPageModel
{
    /// <summary>What is asked for.</summary>
    public FactorPolicy Policy { get; private set; } = null!;

    /// <summary>A team asks for it, and not the appliance.</summary>
    public bool IsTeams { get; private set; }

    /// <summary>Enough was given, too long ago.</summary>
    public bool IsTooOld { get; private set; }

    /// <summary>There is a key that may be what is asked for.</summary>
    public bool HasKey { get; private set; }

    /// <summary>An app would be enough.</summary>
    public bool TakesApp => Policy.SecondFactor != FactorRule.Key;

    /// <summary>A further factor may be added just now: nothing has to be given first.</summary>
    public bool MayAdd { get; private set; }

    /// <summary>The team's identity provider let the person in, to that team alone.</summary>
    public string? ThroughProvider => User.OnlyTeamReference();

    /// <summary>Nobody but the identity provider signs in to this account.</summary>
    public bool HasNoPassword => User.HasClaim(SignedInPerson.NoPasswordClaim, "true");

    public bool IsSteppedUp => User.IsSteppedUp();

    public async Task<IActionResult> OnGetAsync(string? team, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        var appliance = (await session.AppliancePolicyAsync(ct)).Factors;
        var theirs = (ThroughProvider ?? team) is { } reference && Reference.IsWellFormed(reference) ? await session.TeamPolicyAsync(reference, User.Id(), ct) : null;
        var given = await session.GivenAsync(User.SessionId(), ct);
        (Policy, IsTeams) = (appliance.And(theirs), appliance.IsMetBy(given));
        var id = User.SessionId();
        var age = clock.GetUtcNow() - await session.Query<Session>().Where(s => s.Id == id).Select(s => s.CreatedAt).SingleAsync(ct);
        IsTooOld = Policy.IsMetBy(given) && age >= theirs?.Lifetime;
        if (Policy.IsMetBy(given) && !IsTooOld)
        {
            return Redirect(Return);
        }
        var has = await session.EnrolledAsync(User.Id(), ct);
        HasKey = has.Keys.Any(k => !(Policy.DeviceBound && k.IsBackupEligible)) && given.Name != SessionFactor.RecoveryCode;
        MayAdd = await session.AddProblemAsync(User.Id(), id, ct) is null;
        return Page();
    }
}
