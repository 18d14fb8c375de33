using System.Net;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Appliance.Tests.Tus;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>Every earlier version can be had back.</summary>
[Trait("Requirement", "F4")]
public sealed class VersionTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private async Task<(Person Person, string Team, FilesClient Files)> BeginAsync()
    {
        var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        return (person, team, new FilesClient(person, team));
    }

    [Fact]
    public async Task Versions_are_listed_with_who_and_when_and_can_be_read()
    {
        var (anna, team, files) = await BeginAsync();
        using var ben = await Person.NewAsync(host, "ben");
        await anna.InviteAsync(team, ben);
        var file = await files.FileAsync("a", [1]);
        await new FilesClient(ben, team).SendAsync(HttpMethod.Put, $"/entries/{file}/content", new byte[] { 2, 2 });
        (await files.FileAsync("A", [3, 3, 3])).ShouldBe(file);
        var listed = (await files.GetAsync($"/entries/{file}/versions")).GetProperty("versions").EnumerateArray().ToList();
        listed.Select(v => v.GetProperty("number").GetInt32()).ShouldBe([3, 2, 1]);
        listed.Select(v => v.GetProperty("size").GetInt64()).ShouldBe([3, 2, 1]);
        listed.Select(v => v.GetProperty("createdBy").GetString()).ShouldBe([anna.Username, ben.Username, anna.Username]);
        listed.Select(v => v.GetProperty("current").GetBoolean()).ShouldBe([true, false, false]);
        (await files.BytesAsync(file, 1)).ShouldBe([1]);
        (await files.BytesAsync(file, 2)).ShouldBe([2, 2]);
        var page = await files.GetAsync($"/entries/{file}/versions?limit=2");
        page.GetProperty("versions").GetArrayLength().ShouldBe(2);
        (await files.GetAsync($"/entries/{file}/versions?limit=2&after={page.GetProperty("next").GetString()}")).GetProperty("versions").EnumerateArray().Single()
            .GetProperty("number").GetInt32().ShouldBe(1);
        (await files.GetAsync($"/entries/{file}")).GetProperty("modifiedBy").GetString().ShouldBe(anna.Username);
        foreach (var wrong in new[] { "after=x", "after=0", "limit=0", "limit=5000" })
        {
            (await files.AnswerAsync(HttpMethod.Get, $"/entries/{file}/versions?{wrong}")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        }
        await files.RefusedAsync(HttpMethod.Get, $"/entries/{await files.FolderAsync("f")}/versions", null, HttpStatusCode.Conflict, "not-a-file");
    }

    [Fact]
    public async Task A_version_that_is_brought_back_is_a_new_one_with_the_old_content()
    {
        var (_, _, files) = await BeginAsync();
        var file = await files.FileAsync("a", [1]);
        await files.FileAsync("a", [2, 2]);
        var restored = await files.SendAsync(HttpMethod.Post, $"/entries/{file}/versions/1/restore");
        restored.GetProperty("size").GetInt64().ShouldBe(1);
        (await files.BytesAsync(file)).ShouldBe([1]);
        var listed = (await files.GetAsync($"/entries/{file}/versions")).GetProperty("versions").EnumerateArray().ToList();
        listed.Select(v => v.GetProperty("number").GetInt32()).ShouldBe([3, 2, 1]);
        listed[0].GetProperty("restoredFrom").GetInt32().ShouldBe(1);
        // The current one again: nothing to do.
        await files.SendAsync(HttpMethod.Post, $"/entries/{file}/versions/3/restore");
        (await files.GetAsync($"/entries/{file}/versions")).GetProperty("versions").GetArrayLength().ShouldBe(3);
        foreach (var number in new[] { "4", "0", "-1", "x", "99999999999" })
        {
            (await files.AnswerAsync(HttpMethod.Post, $"/entries/{file}/versions/{number}/restore")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await files.AnswerAsync(HttpMethod.Delete, $"/entries/{file}/versions/{number}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
    }

    [Fact]
    public async Task An_earlier_version_can_be_deleted_and_its_content_goes_with_the_last_that_has_it()
    {
        var (_, team, files) = await BeginAsync();
        var file = await files.FileAsync("a", [1]);
        await files.FileAsync("a", [2, 2]);
        await files.SendAsync(HttpMethod.Post, $"/entries/{file}/versions/1/restore");
        await files.RefusedAsync(HttpMethod.Delete, $"/entries/{file}/versions/3", null, HttpStatusCode.Conflict, "version-is-current");
        // The first one's content is the third's as well.
        await files.SendAsync(HttpMethod.Delete, $"/entries/{file}/versions/1", status: HttpStatusCode.NoContent);
        (await files.BytesAsync(file)).ShouldBe([1]);
        await files.SendAsync(HttpMethod.Delete, $"/entries/{file}/versions/2", status: HttpStatusCode.NoContent);
        (await files.AnswerAsync(HttpMethod.Get, $"/entries/{file}/content?version=2")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select count(*) from segments s join teams t on t.id = s.team_id where t.reference = '{team}'")).ShouldBe(1L);
        (await files.GetAsync("")).GetProperty("usage").GetProperty("bytes").GetInt64().ShouldBe(1);
    }

    [Fact]
    public async Task A_version_restored_while_a_new_one_uploads_leaves_both()
    {
        var (person, team, files) = await BeginAsync();
        var file = await files.FileAsync("a", [1]);
        await files.FileAsync("a", [2, 2]);
        var tus = new TusClient(person, team);
        var bytes = new byte[100_000];
        var upload = await tus.CreateAsync("a", bytes.Length);
        var stalled = new Stalls(bytes, 60_000);
        var uploading = tus.PatchAsync(upload, 0, stalled);
        await stalled.Stalled;
        await files.SendAsync(HttpMethod.Post, $"/entries/{file}/versions/1/restore");
        stalled.GoOn();
        (await uploading).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await files.BytesAsync(file)).ShouldBe(bytes);
        var listed = (await files.GetAsync($"/entries/{file}/versions")).GetProperty("versions").EnumerateArray().ToList();
        listed.Select(v => v.GetProperty("size").GetInt64()).ShouldBe([100_000, 1, 2, 1]);
    }

    [Fact]
    public async Task Uploads_and_restores_at_one_moment_all_count()
    {
        var (_, _, files) = await BeginAsync();
        var file = await files.FileAsync("a", [1]);
        await files.FileAsync("a", [2]);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => i % 2 == 0
            ? files.SendAsync(HttpMethod.Post, $"/entries/{file}/versions/1/restore")
            : files.SendAsync(HttpMethod.Put, $"/entries/{file}/content", new byte[] { (byte)i })));
        var listed = (await files.GetAsync($"/entries/{file}/versions")).GetProperty("versions").EnumerateArray().ToList();
        listed.Select(v => v.GetProperty("number").GetInt32()).ShouldBe(Enumerable.Range(1, 10).Reverse());
    }
}
