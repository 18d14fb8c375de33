using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Appliance.Files;
using Appliance.Tests.SignIn.Tokens;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Appliance.Tests.Tus;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>What a team may store: refused before the bytes are sent, and exact however many come at once.</summary>
[Trait("Requirement", "F10")]
public sealed class QuotaTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private const long KiB = 1024;

    private async Task<(Person Person, string Team, FilesClient Files)> BeginAsync(long? bytes, long? files)
    {
        var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        await LimitAsync(team, bytes, files);
        return (person, team, new FilesClient(person, team));
    }

    private Task<object?> LimitAsync(string team, long? bytes, long? files) => host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
        $"""
        insert into team_usage (team_id, max_bytes, max_files) select id, {Sql(bytes)}, {Sql(files)} from teams where reference = '{team}'
        on conflict (team_id) do update set max_bytes = excluded.max_bytes, max_files = excluded.max_files
        """);

    private static string Sql(long? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "null";

    [Fact]
    public async Task Usage_and_limits_are_shown_and_every_version_and_the_trash_count()
    {
        var (person, team, files) = await BeginAsync(100 * KiB, 10);
        var file = await files.FileAsync("a", new byte[10_000]);
        await files.FileAsync("a", new byte[20_000]);
        await files.SendAsync(HttpMethod.Post, $"/entries/{file}/versions/1/restore");
        await files.TrashAsync(await files.FileAsync("b", new byte[5_000]));
        var tus = new TusClient(person, team);
        var upload = await tus.CreateAsync("c", 1_000);
        await UsageAsync(files, 46_000, 3);
        (await person.Http.SendAsync(TusClient.Request(HttpMethod.Delete, upload))).EnsureSuccessStatusCode();
        await UsageAsync(files, 45_000, 2);
        await host.Services.GetRequiredService<FilesCare>().RunOnceAsync(default);
        (await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select count(*) from usage_changes c join teams t on t.id = c.team_id where t.reference = '{team}'")).ShouldBe(0L);
        await UsageAsync(files, 45_000, 2);
        await files.SendAsync(HttpMethod.Delete, "/trash", status: HttpStatusCode.NoContent);
        await UsageAsync(files, 40_000, 1);
        await files.SendAsync(HttpMethod.Delete, $"/entries/{file}/versions/2", status: HttpStatusCode.NoContent);
        await UsageAsync(files, 20_000, 1);
    }

    [Fact]
    public async Task Every_way_in_is_refused_clearly_when_it_would_not_fit()
    {
        var (person, team, files) = await BeginAsync(100 * KiB, 3);
        var file = await files.FileAsync("a", new byte[60 * KiB]);
        var tus = new TusClient(person, team);
        foreach (var length in new[] { 50 * KiB, 10 << 20 })
        {
            await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("b"), new byte[length], HttpStatusCode.InsufficientStorage, "quota-exceeded");
            await files.RefusedAsync(HttpMethod.Put, $"/entries/{file}/content", new byte[length], HttpStatusCode.InsufficientStorage, "quota-exceeded");
            using var announced = await tus.CreateAnswerAsync("b", length);
            announced.StatusCode.ShouldBe(HttpStatusCode.InsufficientStorage);
            var sentence = await announced.Content.ReadAsStringAsync();
            sentence.ShouldContain("100.0 KiB");
            sentence.ShouldContain("60.0 KiB");
            sentence.ShouldContain("trash");
        }
        await files.FileAsync("a", [1]);
        await files.RefusedAsync(HttpMethod.Post, $"/entries/{file}/versions/1/restore", null, HttpStatusCode.InsufficientStorage, "quota-exceeded");
        using (var form = new MultipartFormDataContent { { new StringContent(person.Csrf), "RequestVerificationToken" }, { new ByteArrayContent(new byte[50_000]), "Files", "b" } })
        {
            (await person.Http.PostAsync($"/teams/{team}/upload", form)).StatusCode.ShouldBe(HttpStatusCode.InsufficientStorage);
        }
        // What fits still goes in, to the last byte.
        await files.FileAsync("b", new byte[40 * KiB - 1]);
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("c"), new byte[] { 1 }, HttpStatusCode.InsufficientStorage, "quota-exceeded");
        await files.FileAsync("c", []);
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("d"), Array.Empty<byte>(), HttpStatusCode.InsufficientStorage, "quota-exceeded");
        (await tus.CreateAnswerAsync("d", 0)).StatusCode.ShouldBe(HttpStatusCode.InsufficientStorage);
        // A new version is no new file; making room helps.
        await files.FileAsync("c", []);
        await files.SendAsync(HttpMethod.Delete, $"/entries/{file}/versions/1", status: HttpStatusCode.NoContent);
        await files.FileAsync("c", new byte[60 * KiB]);
        (await files.NamesAsync()).ShouldBe(["a", "b", "c"]);
    }

    [Theory]
    [InlineData(10 * 1024)]
    [InlineData(2 << 20)]
    public async Task Sixteen_at_one_moment_fill_the_quota_exactly(int size)
    {
        const int Fit = 5;
        var (person, team, files) = await BeginAsync(Fit * size + size / 2, null);
        var tus = new TusClient(person, team);
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => i % 2 == 0
            ? files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath($"file {i}"), new byte[size])
            : tus.CreateAnswerAsync($"file {i}", size)));
        answers.Count(a => a.StatusCode == HttpStatusCode.Created).ShouldBe(Fit, string.Join(' ', answers.Select(a => a.StatusCode)));
        answers.Count(a => a.StatusCode == HttpStatusCode.InsufficientStorage).ShouldBe(16 - Fit);
        await UsageAsync(files, Fit * size, Fit);
    }

    [Fact]
    public async Task Sixteen_files_at_one_moment_are_counted_exactly()
    {
        var (_, _, files) = await BeginAsync(null, 7);
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => files.AnswerAsync(HttpMethod.Post, FilesClient.FilePath($"file {i % 12}"), new byte[10])));
        answers.ShouldAllBe(a => a.StatusCode == HttpStatusCode.Created || a.StatusCode == HttpStatusCode.InsufficientStorage);
        (await files.NamesAsync()).Count.ShouldBe(7);
        (await files.GetAsync("")).GetProperty("usage").GetProperty("files").GetInt64().ShouldBe(7);
    }

    [Fact]
    public async Task An_upload_whose_file_went_meanwhile_does_not_bring_one_file_too_many()
    {
        var (person, team, files) = await BeginAsync(null, 2);
        var (a, tus) = (await files.FileAsync("a"), new TusClient(person, team));
        await files.FileAsync("b");
        var upload = await tus.CreateAsync("a", 5);
        await files.SendAsync(HttpMethod.Patch, $"/entries/{a}", new { name = "c" });
        (await tus.PatchAsync(upload, 0, new byte[5])).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await files.NamesAsync()).ShouldBe(["b", "c"]);
        // All of it is kept for a day: once there is room, asking is enough.
        await LimitAsync(team, null, 3);
        (await tus.OffsetAsync(upload)).ShouldBe(5);
        (await files.NamesAsync()).ShouldBe(["a", "b", "c"]);
    }

    [Theory]
    [InlineData("Expect: 100-continue\r\n", 100_000_000)]
    [InlineData("", 100_000_000)]
    [InlineData("", 500_000)]
    public async Task The_refusal_comes_before_the_bytes_are_sent(string expect, int length)
    {
        var (person, _, files) = await BeginAsync(100 * KiB, null);
        var token = await ApiClient.TokenAsync(host, person.Id);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, host.Settings.Origin.Port);
        await using var tls = new SslStream(client.GetStream());
        using var handler = host.Handler();
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost", CertificateChainPolicy = handler.SslOptions.CertificateChainPolicy });
        await tls.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {files.Base}{FilesClient.FilePath("big")} HTTP/1.1\r\nHost: {host.Settings.Origin.Authority}\r\nContent-Length: {length}\r\n{expect}Authorization: Bearer {token}\r\n\r\n"));
        // Not a byte of the body was sent, nor asked for.
        using var reader = new StreamReader(tls, Encoding.ASCII);
        (await reader.ReadLineAsync()).ShouldBe("HTTP/1.1 507 Insufficient Storage");
        await UsageAsync(files, 0, 0);
    }

    [Fact]
    public async Task The_appliance_has_a_limit_for_all_that_the_operator_may_change_for_one()
    {
        await using var limited = await ApplianceHost.StartAsync(settings => settings with { TeamQuotaGibibytes = 1, TeamQuotaFiles = 2 });
        using var person = await Person.NewAsync(limited);
        var team = await person.TeamAsync();
        var files = new FilesClient(person, team);
        await files.FileAsync("a");
        await files.FileAsync("b");
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("c"), new byte[1], HttpStatusCode.InsufficientStorage, "quota-exceeded");
        (await new TusClient(person, team).CreateAnswerAsync("b", 2L << 30)).StatusCode.ShouldBe(HttpStatusCode.InsufficientStorage);

        (await RunAsync(team, "--files", "3")).ShouldBe((0, $"{team}: 6 B of 1.0 GiB, 2 of 3 files\n", ""));
        await files.FileAsync("c");
        await files.RefusedAsync(HttpMethod.Post, FilesClient.FilePath("d"), new byte[1], HttpStatusCode.InsufficientStorage, "quota-exceeded");
        (await RunAsync(team, "--files", "none", "--gib", "3")).Output.ShouldBe($"{team}: 9 B of 3.0 GiB, 3 of any number of files\n");
        await files.FileAsync("d");
        (await RunAsync(team, "--gib", "default")).Output.ShouldBe($"{team}: 12 B of 1.0 GiB, 4 of any number of files\n");
        (await RunAsync(team, "--files", "default")).Output.ShouldBe($"{team}: 12 B of 1.0 GiB, 4 of 2 files\n");
        (await RunAsync(team)).Output.ShouldBe($"{team}: 12 B of 1.0 GiB, 4 of 2 files\n");
        (await limited.Cluster.SuperuserAsync(limited.Settings.DatabaseName, "select string_agg(details, ' ' order by id) from ledger_entries where action = 'quota.changed'")).ShouldBe(
            """{"bytes":"default","files":"3"} {"bytes":"3221225472","files":"none"} {"bytes":"default","files":"none"} {"bytes":"default","files":"default"}""");
        foreach (var wrong in new string[][] { [], [team, "--gib"], [team, "--gib", "-1"], [team, "--gib", "x"], [team, "--gib", "99999999999999999999"], [team, "--what", "1"], ["unknown"] })
        {
            var answer = await RunAsync(wrong);
            answer.Code.ShouldBe(2);
            answer.Error.ShouldNotBeEmpty();
        }

        async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
        {
            var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
            return (await QuotaCommand.RunAsync(args, limited.Settings, output, error, default), output.ToString(), error.ToString());
        }
    }

    [Fact]
    public async Task A_member_cannot_set_a_quota()
    {
        var (person, team, _) = await BeginAsync(1, 1);
        var id = new Vault.TeamId((Guid)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select id from teams where reference = '{team}'"))!);
        await using (var session = await host.Database.ForTeamAsync(id, person.Id, default))
        {
            await Should.ThrowAsync<Appliance.Data.ForbiddenByDatabaseException>(() => session.ExecuteAsync($"select app_set_quota(null, null)", default));
        }
        await using var other = await host.Database.ForTeamAsync(id, person.Id, default);
        await Should.ThrowAsync<Appliance.Data.ForbiddenByDatabaseException>(() => other.ExecuteAsync($"update team_usage set max_bytes = null where team_id = app_team()", default));
    }

    private static async Task UsageAsync(FilesClient files, long bytes, long count)
    {
        var usage = (await files.GetAsync("")).GetProperty("usage");
        usage.GetProperty("bytes").GetInt64().ShouldBe(bytes);
        usage.GetProperty("files").GetInt64().ShouldBe(count);
    }
}
