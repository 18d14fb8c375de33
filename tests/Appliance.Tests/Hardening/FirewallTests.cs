using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Hardening;

/// <summary>hardening/nftables in network namespaces of our own: real rules, a real kernel, real connections.</summary>
public sealed class FirewallTests
{
    private static readonly string[] s_allowed =
        ["outside to web 8443", "host to web 8443", "web to objects 9000", "web to the configured address"];

    [Fact, Trait("Requirement", "O6"), Trait("Requirement", "O7")]
    public async Task Only_the_listed_flows_go_through_and_without_the_rules_all_would()
    {
        var script = Path.Combine(Repository.Root, "tests/hardening/flows.sh");
        var (without, withRules) = (await FlowsAsync(script, "without"), await FlowsAsync(script));
        without.Count.ShouldBeGreaterThan(10);
        without.ShouldAllBe(flow => flow.StartsWith("through ", StringComparison.Ordinal), "what is refused below is refused by the rules");
        withRules.Where(flow => flow.StartsWith("through ", StringComparison.Ordinal)).Select(flow => flow["through ".Length..]).ShouldBe(s_allowed, ignoreOrder: true);
        withRules.Count(flow => flow.StartsWith("refused ", StringComparison.Ordinal)).ShouldBe(without.Count - s_allowed.Length);
    }

    [Theory, Trait("Requirement", "O6")]
    [InlineData("mail.example:25")]
    [InlineData("10.0.0.1")]
    [InlineData("10.0.0.1:25; flush ruleset")]
    public async Task An_address_that_is_none_is_refused_before_anything_is_loaded(string address)
    {
        var (code, said) = await ChildProcess.TryRunAsync("env", "EDGE=edge", "STORE=store", Path.Combine(Repository.Root, "hardening/nftables/firewall"), "print", address);
        code.ShouldBe(64);
        said.ShouldContain("is not ADDRESS:PORT");
    }

    private static async Task<List<string>> FlowsAsync(string script, params string[] arguments) =>
        [.. (await ChildProcess.RunAsync(script, arguments)).Split('\n').Where(line => line.StartsWith("through ", StringComparison.Ordinal) || line.StartsWith("refused ", StringComparison.Ordinal))];
}
