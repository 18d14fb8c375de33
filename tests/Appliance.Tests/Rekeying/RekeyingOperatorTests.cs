using System.Net;
using System.Text.RegularExpressions;
using Appliance.Data;
using Appliance.Rekeying;
using Appliance.Tests.Teams;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Rekeying;

/// <summary>Who may have keys rotated, and that it is done once however many ask.</summary>
[Trait("Requirement", "O5"), Trait("Requirement", "F7")]
public sealed class RekeyingOperatorTests : IAsyncLifetime
{
    private RekeyHost _host = null!;

    public async Task InitializeAsync() => _host = await RekeyHost.StartAsync();

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task Several_replicas_and_operators_rotate_a_key_once()
    {
        using var person = await Person.NewAsync(_host);
        var (reference, files) = await RekeyHost.TeamAsync(person);
        var team = await _host.TeamIdAsync(reference);
        await files.FileAsync("a");
        using var client = _host.Operator(_host.Ada);
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => client.PostAsync($"/admin/v1/keys/teams/{reference}/rotate", null)));
        answers.Count(a => a.StatusCode == HttpStatusCode.Accepted).ShouldBe(1);
        answers.Count(a => a.StatusCode == HttpStatusCode.Conflict).ShouldBe(7);
        // The whole service again, on the same data.
        var other = ApplianceProgram.Build(_host.Settings with { Listen = new IPEndPoint(IPAddress.Loopback, 0), MetricsListen = new IPEndPoint(IPAddress.Loopback, 0), Admin = null }, [], builder => builder.Services.AddSingleton(_host.Limits));
        await using (other)
        {
            var theirs = other.Services.GetRequiredService<KeyRotations>();
            for (var i = 0; i < 20; i++)
            {
                await Task.WhenAll(Enumerable.Range(0, 4).SelectMany(_ => new[] { _host.Rotations.TurnAsync(default), theirs.TurnAsync(default) }));
            }
            (await _host.StageAsync(team)).ShouldBe("finished");
            other.Services.GetRequiredService<TeamKeys>().StateOf(team).ShouldBe(new TeamKeyState(2, 1));
        }
        (await _host.ActionsAsync(team.Value)).ShouldBe(["keys.rotation-started", "keys.rewrapped", "keys.rotation-finished"]);
        // While one is at it, the others are not.
        await _host.AskAsync($"teams/{reference}");
        await using var held = await _host.Database.ForApplianceAsync(default);
        await held.SqlAsync<bool>($"""select pg_try_advisory_xact_lock({0x7265_6b65_7969_6e67}) as "Value" """, default);
        (await _host.Rotations.TurnAsync(default)).ShouldBeFalse();
        (await _host.StageAsync(team)).ShouldBe("asked");
    }

    [Fact]
    public async Task Only_a_key_with_that_action_may_ask_and_no_answer_holds_a_key()
    {
        using var person = await Person.NewAsync(_host);
        var (reference, _) = await RekeyHost.TeamAsync(person);
        await _host.AllowAsync(_host.Ada.Line("actions=status,teams,users,quota,config,ledger,ledger-export,errors"));
        using (var refused = _host.Operator(_host.Ada))
        {
            (await refused.GetAsync("/admin/v1/keys")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            foreach (var path in new[] { "appliance", "teams", $"teams/{reference}" })
            {
                (await refused.PostAsync($"/admin/v1/keys/{path}/rotate", null)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            }
        }
        (await person.Http.PostAsync("/admin/v1/keys/appliance/rotate", null)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await _host.SqlAsync("select count(*) from key_rotations")).ShouldBe(0L);
        await _host.AllowAsync(_host.Ada.Line("actions=keys"));
        using var client = _host.Operator(_host.Ada);
        (await client.PostAsync($"/admin/v1/keys/teams/{Reference.New()}/rotate", null)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await client.PostAsync("/admin/v1/keys/teams/..%2f/rotate", null)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await _host.AskAsync("teams");
        await _host.RunAsync();
        var text = await client.GetStringAsync("/admin/v1/keys");
        text.ShouldContain($"\"team\":\"{reference}\",\"stage\":\"finished\"");
        text.ShouldContain("\"ok\":true");
        // What is secret is 32 bytes long; an id has 8.
        Regex.IsMatch(text, "[0-9a-f]{40}|[A-Za-z0-9+/]{43}", RegexOptions.None, TimeSpan.FromSeconds(5)).ShouldBeFalse(text);
        var asked = (string)(await _host.SqlAsync("select details from ledger_entries where action = 'operator.key-rotation-asked'"))!;
        asked.ShouldContain("\"operator\":\"ada\"");
    }
}
