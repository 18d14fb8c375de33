using Appliance.Data;

namespace Appliance.SignIn.Policy;

/// <summary>What a person may do with their own factors under the policies of the appliance and of their teams. Each answers why not, as a sentence; null: they may.</summary>
internal static class FactorRules
{
    /// <summary>A code from the app, of this person.</summary>
    public static async Task<string?> AppProblemAsync(this TeamSession session, UserId person, CancellationToken ct) =>
        (await session.AppliancePolicyAsync(ct)).Factors.TakesApp((await SignIn.Factors.ReadAsync(session, person, ct)).Key)
            ? null
            : "Security keys alone are taken here. Use one of yours, or a recovery code.";

    /// <summary>A first factor that is no key.</summary>
    public static async Task<string?> OnlyKeysProblemAsync(this TeamSession session, CancellationToken ct) =>
        (await session.AppliancePolicyAsync(ct)).Factors.SecondFactor == FactorRule.Key ? "Security keys alone are taken here. Add a security key." : null;

    /// <summary>
    /// A further factor or new recovery codes, in this session. Where a policy takes keys alone, whoever has a key gives it (or a recovery code) first: who
    /// fished a password and a code from an app must not add a key with them.
    /// </summary>
    public static async Task<string?> AddProblemAsync(this TeamSession session, UserId person, Guid id, CancellationToken ct)
    {
        var strict = (await session.PoliciesOfAsync(person, ct)).FirstOrDefault(p => p.Policy.SecondFactor == FactorRule.Key);
        return strict.Policy is null
            || (await session.GivenAsync(id, ct)).Name is SessionFactor.Key or SessionFactor.RecoveryCode
            || !(await SignIn.Factors.ReadAsync(session, person, ct)).Key
                ? null
                : $"{Who(strict.Team)} takes security keys alone, and you have one. Confirm with it, or sign in with a recovery code, before you add anything.";
    }

    /// <summary>
    /// Going without one of the factors. What somebody has no need for yet may go, if something else stays. In a transaction that has the person's row
    /// (<see cref="SignIn.Factors.LockAsync"/>), the answer holds to its end.
    /// </summary>
    public static async Task<string?> NeededProblemAsync(this TeamSession session, UserId person, Func<EnrolledFactors, EnrolledFactors> without, CancellationToken ct)
    {
        var has = await session.EnrolledAsync(person, ct);
        var left = without(has);
        var broken = (await session.PoliciesOfAsync(person, ct)).FirstOrDefault(p => !p.Policy.IsMetBy(left) && (p.Policy.IsMetBy(has) || !left.Any));
        return broken.Policy is null ? null
            : !left.Any && broken.Policy.SecondFactor != FactorRule.Key ? has.App
                ? "This is your only second factor. Without it you could not sign in. Add a security key first."
                : "This is your only key. Without it you could not sign in. Add another one, or an app, first."
            : $"{Who(broken.Team)} requires {broken.Policy.Demand}, and this is the last that you have. Add another one first.";
    }

    private static string Who(string? team) => team is null ? "The appliance" : $"The team {team}";
}
