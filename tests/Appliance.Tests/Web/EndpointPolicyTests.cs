using System.Net;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Web;

public sealed class EndpointPolicyTests
{
    [Fact, Trait("Requirement", "O4")]
    public async Task The_service_starts_and_knows_no_unknown_path()
    {
        await using var host = await ApplianceHost.StartAsync();
        using var client = host.Client();
        (await client.GetAsync("/nowhere")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }
}
