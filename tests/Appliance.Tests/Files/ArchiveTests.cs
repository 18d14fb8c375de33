using System.IO.Compression;
using System.Net;
using Appliance.Data;
using Appliance.Files;
using Appliance.Tests.SignIn.Tokens;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Appliance.Tests.Tus;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>Many files and folders as one ZIP, through HTTP.</summary>
[Trait("Requirement", "F1")]
public sealed class ArchiveTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    [Fact]
    public async Task A_folder_comes_with_everything_in_it_and_the_length_is_told_beforehand()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        var tus = new TusClient(anna, team);
        var folder = await anna.FolderAsync(team, "Ordner 東京");
        await anna.FolderAsync(team, "leer", folder);
        var deep = await anna.FolderAsync(team, "deep", folder);
        await tus.UploadAsync("a.txt", "first"u8.ToArray(), folder);
        await tus.UploadAsync("b.bin", Pattern(300_000), deep);
        await tus.UploadAsync("empty", [], deep);
        await tus.UploadAsync("beside.txt", "second"u8.ToArray());
        var beside = (await anna.ListAsync(team)).Single(e => e.Name == "beside.txt").Reference;
        var inFolder = (await anna.ListAsync(team, folder)).Single(e => e.Name == "a.txt").Reference;

        using var program = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id, team, mayWrite: false));
        // What also lies in a folder that is chosen comes once.
        using var answer = await program.GetAsync($"/api/v1/teams/{team}/archive?entry={folder}&entry={beside}&entry={inFolder}");
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/zip");
        answer.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
        var bytes = await answer.Content.ReadAsByteArrayAsync();
        answer.Content.Headers.ContentLength.ShouldBe(bytes.Length);
        var files = await ReadAsync(bytes);
        files.Keys.ShouldBe(["Ordner 東京/", "beside.txt", "Ordner 東京/a.txt", "Ordner 東京/deep/", "Ordner 東京/leer/", "Ordner 東京/deep/b.bin", "Ordner 東京/deep/empty"], ignoreOrder: true);
        files["Ordner 東京/a.txt"].ShouldBe("first"u8.ToArray());
        files["Ordner 東京/deep/b.bin"].ShouldBe(Pattern(300_000));
        files["beside.txt"].ShouldBe("second"u8.ToArray());

        // The same by the form of a page.
        using var posted = await anna.PostAsync($"/api/v1/teams/{team}/archive", ("entry", folder), ("entry", beside));
        (await ReadAsync(await posted.Content.ReadAsByteArrayAsync())).Keys.ShouldBe(files.Keys, ignoreOrder: true);
    }

    [Fact]
    public async Task Two_of_one_name_from_two_folders_stand_side_by_side()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        var tus = new TusClient(anna, team);
        var folder = await anna.FolderAsync(team, "Folder");
        await tus.UploadAsync("Report.pdf", [1]);
        await tus.UploadAsync("REPORT.pdf", [2], folder);
        var one = (await anna.ListAsync(team)).Single(e => e.Name == "Report.pdf").Reference;
        var two = (await anna.ListAsync(team, folder)).Single().Reference;
        var files = await ReadAsync(await anna.Http.GetByteArrayAsync($"/api/v1/teams/{team}/archive?entry={one}&entry={two}"));
        files.Values.Select(b => (int)b.Single()).Order().ShouldBe([1, 2]);
        files.Keys.Distinct(StringComparer.OrdinalIgnoreCase).Count().ShouldBe(2);
        files.Keys.ShouldContain(name => name.EndsWith(" (2).pdf", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_unknown_foreign_or_in_the_trash_is_404_and_what_is_too_much_is_told()
    {
        using var anna = await Person.NewAsync(host);
        using var mallory = await Person.NewAsync(host, "mallory");
        var team = await anna.TeamAsync();
        var other = await mallory.TeamAsync();
        var folder = await anna.FolderAsync(team, "Folder");
        await new TusClient(anna, team).UploadAsync("x", [1], folder);
        var inside = (await anna.ListAsync(team, folder)).Single().Reference;
        async Task<HttpStatusCode> Get(Person person, string path) => (await person.Http.GetAsync(path)).StatusCode;

        (await Get(mallory, $"/api/v1/teams/{team}/archive?entry={folder}")).ShouldBe(HttpStatusCode.NotFound);
        (await Get(mallory, $"/api/v1/teams/{other}/archive?entry={folder}")).ShouldBe(HttpStatusCode.NotFound);
        (await Get(anna, $"/api/v1/teams/{team}/archive?entry={folder}&entry={Reference.New()}")).ShouldBe(HttpStatusCode.NotFound);
        (await Get(anna, $"/api/v1/teams/{team}/archive?entry=nonsense")).ShouldBe(HttpStatusCode.NotFound);
        (await Get(anna, $"/api/v1/teams/{team}/archive")).ShouldBe(HttpStatusCode.BadRequest);
        (await Get(anna, $"/api/v1/teams/{team}/archive?{string.Join('&', Enumerable.Repeat($"entry={folder}", 101))}")).ShouldBe(HttpStatusCode.BadRequest);
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update entries set deleted_at = now(), deleted_by = created_by where reference = '{folder}'");
        (await Get(anna, $"/api/v1/teams/{team}/archive?entry={folder}")).ShouldBe(HttpStatusCode.NotFound);
        (await Get(anna, $"/api/v1/teams/{team}/archive?entry={inside}")).ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_file_that_is_gone_or_spoiled_meanwhile_cuts_the_connection()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        var tus = new TusClient(anna, team);
        var folder = await anna.FolderAsync(team, "Folder");
        await tus.UploadAsync("a", Pattern(200_000), folder);
        await tus.UploadAsync("b", Pattern(200_000), folder);
        await host.Cluster.SuperuserAsync(
            host.Settings.DatabaseName,
            $"delete from segments where content_id = (select v.content_id from versions v join entries e on e.id = v.entry_id join entries f on f.id = e.parent_id where f.reference = '{folder}' and e.name = 'b')");
        using var answer = await anna.Http.GetAsync($"/api/v1/teams/{team}/archive?entry={folder}", HttpCompletionOption.ResponseHeadersRead);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        await Should.ThrowAsync<Exception>(() => answer.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_hundred_thousand_entries_cancelled_half_way_end_at_once()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        var folder = await anna.FolderAsync(team, "Folder");
        await new TusClient(anna, team).UploadAsync("one", Pattern(100), folder);
        await FillAsync(host, folder, 100_000);
        using (var answer = await anna.Http.GetAsync($"/api/v1/teams/{team}/archive?entry={folder}", HttpCompletionOption.ResponseHeadersRead))
        {
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
            await using var body = await answer.Content.ReadAsStreamAsync();
            await body.ReadExactlyAsync(new byte[100_000]);
        }
        // Its sessions are given back: the appliance goes on answering, and a whole one still comes out.
        (await anna.Http.GetAsync($"/api/v1/teams/{team}")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task More_entries_than_an_archive_may_have_are_refused()
    {
        await using var small = await ApplianceHost.StartAsync(adapt: builder => builder.Services.AddSingleton(new FileLimits { ArchiveEntries = 50 }));
        using var anna = await Person.NewAsync(small);
        var team = await anna.TeamAsync();
        var folder = await anna.FolderAsync(team, "Folder");
        await new TusClient(anna, team).UploadAsync("one", Pattern(100), folder);
        await FillAsync(small, folder, 48);
        (await anna.Http.GetAsync($"/api/v1/teams/{team}/archive?entry={folder}")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await FillAsync(small, folder, 1);
        using var refused = await anna.Http.GetAsync($"/api/v1/teams/{team}/archive?entry={folder}");
        refused.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await refused.Content.ReadAsStringAsync()).ShouldContain("archive-too-large");
    }

    [Fact, Trait("Requirement", "W5")]
    public async Task Archives_under_way_are_bounded_for_one_person_and_for_all_and_a_place_is_given_back()
    {
        await using var small = await ApplianceHost.StartAsync(settings => settings with { Limits = settings.Limits with { Archives = 3, ArchivesPerPerson = 2 } });
        using var anna = await Person.NewAsync(small);
        using var ben = await Person.NewAsync(small, "ben");
        var (ofAnna, ofBen) = (await LargeAsync(anna), await LargeAsync(ben));
        using var one = await BeginAsync(anna, ofAnna);
        var two = await BeginAsync(anna, ofAnna);

        // The person's own bound: 429, and only theirs.
        using var mine = await anna.Http.GetAsync(ofAnna);
        await ShouldBeRefusedAsync(mine, HttpStatusCode.TooManyRequests, "archives-of-person");
        using var three = await BeginAsync(ben, ofBen);
        // Everybody's: 503.
        using var everybodys = await ben.Http.GetAsync(ofBen);
        await ShouldBeRefusedAsync(everybodys, HttpStatusCode.ServiceUnavailable, "archives-busy");
        // A person who comes by a page's form reads a sentence on a page.
        using var navigation = new HttpRequestMessage(HttpMethod.Get, ofBen) { Headers = { { "Accept", "text/html" }, { "Sec-Fetch-Mode", "navigate" } } };
        using var page = await ben.Http.SendAsync(navigation);
        page.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        page.Content.Headers.ContentType!.MediaType.ShouldBe("text/html");
        (await page.Content.ReadAsStringAsync()).ShouldContain("download single files");

        // Who gives up makes room, and so does who gets to the end.
        two.Dispose();
        using var again = await EventuallyAsync(ben, ofBen);
        (await again.Content.ReadAsByteArrayAsync()).Length.ShouldBeGreaterThan(24 << 20);
        using var next = await EventuallyAsync(ben, ofBen);
    }

    private static async Task<string> LargeAsync(Person person)
    {
        var team = await person.TeamAsync();
        await new TusClient(person, team).UploadAsync("large", new byte[24 << 20]);
        return $"/api/v1/teams/{team}/archive?entry={(await person.ListAsync(team)).Single().Reference}";
    }

    /// <summary>Asked for, and not read on: more than any buffer holds.</summary>
    private static async Task<HttpResponseMessage> BeginAsync(Person person, string archive)
    {
        var answer = await person.Http.GetAsync(archive, HttpCompletionOption.ResponseHeadersRead);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return answer;
    }

    private static async Task<HttpResponseMessage> EventuallyAsync(Person person, string archive)
    {
        for (var i = 0; i < 100; i++)
        {
            var answer = await person.Http.GetAsync(archive, HttpCompletionOption.ResponseHeadersRead);
            if (answer.StatusCode == HttpStatusCode.OK)
            {
                return answer;
            }
            answer.Dispose();
            await Task.Delay(100);
        }
        throw new TimeoutException("No place was given back.");
    }

    private static async Task ShouldBeRefusedAsync(HttpResponseMessage answer, HttpStatusCode status, string code)
    {
        answer.StatusCode.ShouldBe(status);
        answer.Headers.RetryAfter!.Delta.ShouldBe(ArchiveSlots.RetryAfter);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        (await answer.Content.ReadAsStringAsync()).ShouldContain($"urn:appliance:problem:{code}");
    }

    /// <summary>So many more files that all have the bytes of the one that is there.</summary>
    private static async Task FillAsync(ApplianceHost host, string folder, int count)
    {
        const int Batch = 20_000;
        for (var done = 0; done < count; done += Batch)
        {
            await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, FillSql(folder, Math.Min(Batch, count - done)));
        }
    }

    private static string FillSql(string folder, int count) =>
        $"""
        with model as (select e.*, v.content_id from entries e join versions v on v.id = e.current_version_id join entries f on f.id = e.parent_id
                       where f.reference = '{folder}' and e.name = 'one'),
        made as (select gen_random_uuid() as entry, gen_random_uuid() as version, n from generate_series(1, {count}) n),
        entries_made as (
            insert into entries (id, team_id, reference, parent_id, kind, name, name_key, current_version_id, size, media_type, created_at, created_by, modified_at, modified_by)
            select entry, m.team_id, substr(md5(entry::text), 1, 26), m.parent_id, 'file', 'f' || entry, 'F' || upper(entry::text), version, m.size, m.media_type, now(), m.created_by, now(), m.created_by
            from made, model m)
        insert into versions (id, team_id, entry_id, content_id, number, size, media_type, created_at, created_by)
        select version, m.team_id, entry, m.content_id, 1, m.size, m.media_type, now(), m.created_by from made, model m
        """;

    private static byte[] Pattern(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)(i * 31 >> 3))];

    private static async Task<Dictionary<string, byte[]>> ReadAsync(byte[] zip)
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        using var archive = new ZipArchive(new MemoryStream(zip));
        foreach (var entry in archive.Entries)
        {
            await using var stream = await entry.OpenAsync();
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes);
            files.Add(entry.FullName, bytes.ToArray());
        }
        return files;
    }
}
