using System.Net;
using Appliance.Files;
using Appliance.Tests.Teams;
using Appliance.Tests.Tus;
using Microsoft.Extensions.DependencyInjection;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>A clock that tests set forward.</summary>
public sealed class SetForward : TimeProvider
{
    public TimeSpan By { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + By;
}

/// <summary>What failures leave behind, and who tidies up.</summary>
[Trait("Requirement", "T7"), Trait("Requirement", "F2")]
public sealed class CareTests : IAsyncLifetime
{
    private readonly SetForward _time = new();
    private ApplianceHost _host = null!;

    public async Task InitializeAsync() => _host = await ApplianceHost.StartAsync(adapt: builder => builder.Services.AddSingleton<TimeProvider>(_time));

    public async Task DisposeAsync() => await _host.DisposeAsync();

    private FilesCare Care => _host.Services.GetRequiredService<FilesCare>();

    private int Objects => Directory.Exists(_host.Settings.ObjectFolder)
        ? Directory.EnumerateFiles(_host.Settings.ObjectFolder, "*", SearchOption.AllDirectories).Count(f => new FileInfo(f).Length > 0) : 0;

    private Task SetForwardAsync(Person person, double hours)
    {
        _time.By = TimeSpan.FromHours(hours);
        return person.SignInAgainAsync(_host);
    }

    private Task<object?> SqlAsync(string sql) => _host.Cluster.SuperuserAsync(_host.Settings.DatabaseName, sql);

    [Theory]
    [InlineData("revoke insert on segments from appliance_app", "grant insert on segments to appliance_app")]
    [InlineData("revoke insert on versions from appliance_app", "grant insert on versions to appliance_app")]
    [InlineData("revoke insert on ledger_entries from appliance_app", "grant insert on ledger_entries to appliance_app")]
    public async Task A_failure_between_object_and_commit_leaves_an_orphan_that_the_sweeper_removes(string fail, string mend)
    {
        using var person = await Person.NewAsync(_host);
        var team = await person.TeamAsync();
        var tus = new TusClient(person, team);
        await tus.UploadAsync("stays", [1, 2, 3]);
        var upload = await tus.CreateAsync("a", 1000);
        var before = Objects;

        await SqlAsync(fail);
        (await tus.PatchAsync(upload, 0, new byte[1000])).IsSuccessStatusCode.ShouldBeFalse();
        await SqlAsync(mend);

        (await tus.OffsetAsync(upload)).ShouldBe(0);
        (await person.ListAsync(team)).Select(e => e.Name).ShouldBe(["stays"]);
        // The client goes on as if nothing had been.
        (await tus.PatchAsync(upload, 0, new byte[1000])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        await Care.RunOnceAsync(default);
        Objects.ShouldBeInRange(before + 1, before + 2);
        await SetForwardAsync(person, 25);
        await Care.RunOnceAsync(default);
        Objects.ShouldBe(before + 1);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).First(e => e.Name == "stays").Reference)).ShouldBe([1, 2, 3]);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).First(e => e.Name == "a").Reference)).Length.ShouldBe(1000);
    }

    [Fact]
    public async Task An_upload_that_nobody_comes_back_to_expires_a_day_after_its_last_byte()
    {
        using var person = await Person.NewAsync(_host);
        var team = await person.TeamAsync();
        var tus = new TusClient(person, team);
        var upload = await tus.CreateAsync("a", 10);
        await SetForwardAsync(person, 20);
        (await tus.PatchAsync(upload, 0, new byte[5])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        await SetForwardAsync(person, 43);
        await Care.RunOnceAsync(default);
        (await tus.OffsetAsync(upload)).ShouldBe(5);
        await SetForwardAsync(person, 45);
        (await tus.HeadAsync(upload)).StatusCode.ShouldBe(HttpStatusCode.Gone);
        (await tus.PatchAsync(upload, 5, new byte[5])).StatusCode.ShouldBe(HttpStatusCode.Gone);
        (await Care.RunOnceAsync(default)).Uploads.ShouldBe(1);
        (await tus.HeadAsync(upload)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        Objects.ShouldBe(0);
        (await SqlAsync("select count(*) from segments")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_finished_files_content_outlives_its_upload()
    {
        using var person = await Person.NewAsync(_host);
        var team = await person.TeamAsync();
        await new TusClient(person, team).UploadAsync("a", [1, 2, 3]);
        await SetForwardAsync(person, 400 * 24);
        (await Care.RunOnceAsync(default)).ShouldBe((1, 0));
        (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).ShouldBe([1, 2, 3]);
    }

    [Fact]
    public async Task The_check_lists_what_is_missing_damaged_and_orphaned()
    {
        using var person = await Person.NewAsync(_host);
        var team = await person.TeamAsync();
        var tus = new TusClient(person, team);
        foreach (var name in new[] { "lost", "cut", "whole" })
        {
            await tus.UploadAsync(name, new byte[100_000]);
        }
        var output = new StringWriter();
        (await ObjectsCheck.RunAsync(_host.Services, output, default)).ShouldBe(0);
        output.ToString().ShouldContain("3 objects");

        var (lost, cut) = (await ObjectOfAsync("lost"), await ObjectOfAsync("cut"));
        File.Delete(FileOf(lost));
        File.SetUnixFileMode(FileOf(cut), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using (var stream = new FileStream(FileOf(cut), FileMode.Open, FileAccess.Write))
        {
            stream.SetLength(stream.Length - 1);
        }
        await SqlAsync($"delete from segments where object_id = '{await ObjectOfAsync("whole")}'");
        output = new StringWriter();
        (await ObjectsCheck.RunAsync(_host.Services, output, default)).ShouldBe(1);
        output.ToString().ShouldContain($"missing   ");
        output.ToString().ShouldContain($" {lost}");
        output.ToString().ShouldContain("damaged   ");
        output.ToString().ShouldContain($" {cut}");
        output.ToString().ShouldContain("orphaned  ");

        async Task<Guid> ObjectOfAsync(string name) => (Guid)(await SqlAsync(
            $"select s.object_id from segments s join entries e on e.current_version_id = s.content_id where e.name = '{name}'"))!;
        string FileOf(Guid id) => Directory.EnumerateFiles(_host.Settings.ObjectFolder, "*", SearchOption.AllDirectories).Single(f => f.Contains(id.ToString("N"), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Long_uploads_are_made_durable_piece_by_piece()
    {
        await using var small = await ApplianceHost.StartAsync(adapt: builder => builder.Services.AddSingleton(new FileLimits { SegmentBytes = 100_000 }));
        using var person = await Person.NewAsync(small);
        var team = await person.TeamAsync();
        var tus = new TusClient(person, team);
        var bytes = new byte[950_000];
        Random.Shared.NextBytes(bytes);
        var upload = await tus.CreateAsync("a", bytes.Length);
        var stalled = new Stalls(bytes, 777_777);
        var sending = tus.PatchAsync(upload, 0, stalled);
        await stalled.Stalled;
        // What kill -9 would leave at this moment: all whole segments.
        for (var i = 0; (long)(await small.Cluster.SuperuserAsync(small.Settings.DatabaseName, "select received from uploads"))! < 700_000; i++)
        {
            i.ShouldBeLessThan(300);
            await Task.Delay(50);
        }
        stalled.GoOn();
        (await sending).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await small.Cluster.SuperuserAsync(small.Settings.DatabaseName, "select count(*) from segments")).ShouldBe(10L);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).ShouldBe(bytes);
    }
}
