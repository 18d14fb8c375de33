using Appliance.Admin;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Mvc.RazorPages.Infrastructure;

namespace Appliance.Web;

/// <summary>Invariant 1: an endpoint that neither names a policy nor says AllowAnonymous stops the start. So does one of the operators' port that does not say what it does.</summary>
internal sealed class EndpointPolicyCheck(IAuthorizationPolicyProvider policies, PageLoader pages) : IHostedLifecycleService
{
    /// <summary>
    /// What the application maps. Handed over by the pipeline, because the container's own list is empty until the server starts.
    /// </summary>
    public ICollection<EndpointDataSource>? Sources { get; set; }

    /// <summary>Before the server listens.</summary>
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var wrong = new List<string>();
        var sources = Sources ?? throw new InvalidOperationException("Nobody said which endpoints to check.");
        foreach (var endpoint in sources.SelectMany(source => source.Endpoints))
        {
            if (await ProblemAsync(endpoint) is { } problem)
            {
                wrong.Add($"{endpoint.DisplayName} ({(endpoint as RouteEndpoint)?.RoutePattern.RawText}) {problem}");
            }
        }
        if (wrong.Count > 0)
        {
            throw new UndeclaredAccessException(wrong);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<string?> ProblemAsync(Endpoint endpoint)
    {
        var metadata = endpoint.Metadata;
        // A page's attributes are known only once it is loaded.
        if (metadata.GetMetadata<PageActionDescriptor>() is { } page)
        {
            metadata = (await pages.LoadAsync(page, metadata)).Endpoint?.Metadata ?? metadata;
        }
        var isOperators = metadata.GetOrderedMetadata<IAuthorizeData>().Any(data => data.Policy == Access.Operator);
        if (isOperators != metadata.GetMetadata<AdminActionAttribute>() is not null)
        {
            return isOperators ? "is for operators and names no action" : "names an operators' action and not the access policy that asks for it";
        }
        if (isOperators && metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            return "is for operators and says AllowAnonymous";
        }
        if (metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            return null;
        }
        var asked = metadata.GetOrderedMetadata<IAuthorizeData>();
        if (asked.Count == 0 || asked.Any(data => string.IsNullOrEmpty(data.Policy)))
        {
            return "names no access policy and does not say AllowAnonymous";
        }
        foreach (var data in asked)
        {
            if (await policies.GetPolicyAsync(data.Policy!) is null)
            {
                return $"names the access policy '{data.Policy}', which nobody has defined";
            }
        }
        return null;
    }
}

/// <summary>The service does not start, because some endpoint does not say who may call it.</summary>
public sealed class UndeclaredAccessException(IReadOnlyList<string> endpoints)
    : Exception("Every endpoint must say who may call it: one of Access' policies, or AllowAnonymous. "
        + string.Join("; ", endpoints) + ".");
