using System.Net;
using System.Net.Http.Headers;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn.Tokens;
using Appliance.Tests.Teams;
using Appliance.Tests.Tus;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.Tokens;

/// <summary>From its making, through its use, to its end.</summary>
[Trait("Requirement", "A16")]
public sealed class TokenLifetimeTests(TokenHost host) : IClassFixture<TokenHost>
{
    private const string Probe = "/api/v1/probe";

    [Fact]
    public async Task Making_one_takes_a_name_an_end_and_a_team_of_ones_own()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        var (tokens, origin) = (host.Services.GetRequiredService<ApiTokens>(), new Origin(anna.Id, null));
        var foreign = await ben.TeamAsync();
        var refusals = new Func<Task>[]
        {
            () => tokens.CreateAsync(ApiToken.Bearer, "", null, true, 7, origin, default),
            () => tokens.CreateAsync(ApiToken.Bearer, new string('x', 101), null, true, 7, origin, default),
            () => tokens.CreateAsync(ApiToken.Bearer, "x\ny", null, true, 7, origin, default),
            () => tokens.CreateAsync(ApiToken.Bearer, "x", null, true, null, origin, default),
            () => tokens.CreateAsync(ApiToken.AppPassword, "x", null, true, 8, origin, default),
            () => tokens.CreateAsync("session", "x", null, true, 7, origin, default),
            () => tokens.CreateAsync(ApiToken.Bearer, "x", foreign, true, 7, origin, default),
        };
        foreach (var refused in refusals)
        {
            await refused.ShouldThrowAsync<TokenRuleException>();
        }
        (await tokens.ListAsync(anna.Id, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Its_last_use_is_kept_to_the_minute_and_its_secret_nowhere()
    {
        using var anna = await Person.NewAsync(host);
        var secret = await ApiClient.TokenAsync(host, anna.Id);
        using var client = ApiClient.With(host, secret);
        var tokens = host.Services.GetRequiredService<ApiTokens>();
        (await tokens.ListAsync(anna.Id, default)).Single().LastUsedAt.ShouldBeNull();
        await client.GetStringAsync(Probe);
        var first = (await tokens.ListAsync(anna.Id, default)).Single();
        first.LastUsedAt.ShouldNotBeNull();
        first.LastAddress.ShouldBe("127.0.0.1");
        host.Clock.Move(TimeSpan.FromSeconds(20));
        await client.GetStringAsync(Probe);
        (await tokens.ListAsync(anna.Id, default)).Single().LastUsedAt.ShouldBe(first.LastUsedAt);
        host.Clock.Move(TimeSpan.FromSeconds(60));
        await client.GetStringAsync(Probe);
        (await tokens.ListAsync(anna.Id, default)).Single().LastUsedAt!.Value.ShouldBeGreaterThan(first.LastUsedAt!.Value.AddSeconds(59));

        var dump = await host.DumpAsync();
        dump.ShouldNotContain(secret[4..], Case.Sensitive);
        dump.ShouldContain(first.Reference);
    }

    [Fact]
    public async Task A_token_is_over_when_it_expires_and_when_it_is_revoked_and_stays_one_persons()
    {
        using var anna = await Person.NewAsync(host);
        using var ben = await Person.NewAsync(host, "ben");
        using var week = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id, days: 7));
        using var month = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id, days: 30));
        var tokens = host.Services.GetRequiredService<ApiTokens>();
        (await week.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.OK);
        host.Clock.Move(TimeSpan.FromDays(7));
        try
        {
            (await week.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
            (await month.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        finally
        {
            host.Clock.Move(TimeSpan.FromDays(-7));
        }
        var listed = (await tokens.ListAsync(anna.Id, default)).Single(t => t.ExpiresAt - t.CreatedAt == TimeSpan.FromDays(30));
        (await tokens.RevokeAsync(listed.Reference, new Origin(ben.Id, null), default)).ShouldBeFalse();
        (await month.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await tokens.RevokeAsync(listed.Reference, new Origin(anna.Id, null), default)).ShouldBeTrue();
        (await month.GetAsync(Probe)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await tokens.RevokeAsync(listed.Reference, new Origin(anna.Id, null), default)).ShouldBeFalse();
        (await host.LedgerAsync("token.revoked")).ShouldContain(e => e.Actor == anna.Id);
    }

    [Fact]
    public async Task A_token_that_is_revoked_while_it_sends_brings_nothing_in()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        using var program = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id));
        using var made = await program.SendAsync(TusClient.Request(
            HttpMethod.Post, $"/api/v1/teams/{team}/uploads", ("Upload-Length", "10"), ("Upload-Metadata", TusClient.Metadata("late"))));
        made.StatusCode.ShouldBe(HttpStatusCode.Created);
        var upload = made.Headers.Location!.ToString();
        await UsedAsync("update api_tokens set last_used_at = null where user_id = ");
        var request = TusClient.Request(HttpMethod.Patch, upload, ("Upload-Offset", "0"));
        var body = new Stalls(new byte[10], 4);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
        request.Content = body;
        var running = program.SendAsync(request);
        await body.Stalled;
        // It has left; now until it has been let in, which is written down.
        while (await UsedAsync("select last_used_at from api_tokens where user_id = ") is null or DBNull)
        {
            await Task.Delay(10);
        }

        var tokens = host.Services.GetRequiredService<ApiTokens>();
        (await tokens.RevokeAsync((await tokens.ListAsync(anna.Id, default)).Single().Reference, new Origin(anna.Id, null), default)).ShouldBeTrue();
        body.GoOn();
        (await running).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await program.SendAsync(TusClient.Request(HttpMethod.Head, upload))).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        // The upload itself is still its person's.
        (await new TusClient(anna, team).OffsetAsync(upload)).ShouldBe(0);

        Task<object?> UsedAsync(string sql) => host.Cluster.SuperuserAsync(host.Settings.DatabaseName, sql + $"'{anna.Id}'");
    }
}
