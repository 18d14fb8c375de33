using Appliance.Web;
using Microsoft.AspNetCore.Authorization;

namespace Appliance.Admin;

/// <summary>What an endpoint of the operators' port does, by the name that the list of keys permits it with. Every endpoint there names one; one that does not stops the start.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class AdminActionAttribute(string name) : Attribute
{
    public string Name { get; } = AdminActions.All.Contains(name) ? name : throw new ArgumentException($"There is no action '{name}'.", nameof(name));
}

/// <summary>The names of the actions.</summary>
internal static class AdminActions
{
    /// <summary>How the appliance does: version, health, sizes. What a key may do whose line names no action.</summary>
    public const string Status = "status";

    /// <summary>Teams with their sizes and limits.</summary>
    public const string Teams = "teams";

    /// <summary>People: names, and how they sign in.</summary>
    public const string Users = "users";

    /// <summary>What a team may store: changing it.</summary>
    public const string Quota = "quota";

    /// <summary>Whether the configuration works.</summary>
    public const string Config = "config";

    /// <summary>Verifying the ledger, and its signed heads.</summary>
    public const string Ledger = "ledger";

    /// <summary>The entries of the appliance's own tree, as a file. Never a team's.</summary>
    public const string LedgerExport = "ledger-export";

    /// <summary>Errors that people were given a reference for: listing and closing them.</summary>
    public const string Errors = "errors";

    /// <summary>Break-glass: asking for a team's files, approving what another key asks for, reading what a team's owner or two operators allowed.</summary>
    public const string BreakGlass = "breakglass";

    /// <summary>Re-keying: how the keys stand, and rotating them.</summary>
    public const string Keys = "keys";

    /// <summary>In the list of keys: every action there is, and those of later versions.</summary>
    public const string Every = "all";

    public static IReadOnlyList<string> All { get; } = [Status, Teams, Users, Quota, Config, Ledger, LedgerExport, Errors, BreakGlass, Keys];
}

/// <summary><see cref="Access.Operator"/>: the key may do what the endpoint does. Where the endpoint does not say, nobody may.</summary>
internal sealed class AdminActionRequirement : AuthorizationHandler<AdminActionRequirement>, IAuthorizationRequirement
{
    protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, AdminActionRequirement requirement)
    {
        if (context.Resource is HttpContext http && http.Operator() is { } key && http.GetEndpoint()?.Metadata.GetMetadata<AdminActionAttribute>() is { } action && key.May(action.Name))
        {
            context.Succeed(requirement);
        }
        return Task.CompletedTask;
    }
}
