using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Appliance.Files;
using Appliance.Tests.Teams;
using Appliance.Tests.Tus;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

[Trait("Requirement", "F1")]
public sealed partial class FolderTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    [Fact]
    public async Task Folders_nest_and_hold_files()
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        var outer = await person.FolderAsync(team, "Staffel 2026 & mehr");
        var inner = await person.FolderAsync(team, "מוזיקה", outer);
        await new TusClient(person, team).UploadAsync("a <not> b".Replace("<not>", "'&#39;'", StringComparison.Ordinal), [1, 2, 3], inner);
        (await person.ListAsync(team)).Select(e => e.Name).ShouldBe(["Staffel 2026 & mehr"]);
        (await person.ListAsync(team, outer)).Select(e => e.Name).ShouldBe(["מוזיקה"]);
        (await person.ListAsync(team, inner)).Select(e => e.Name).ShouldBe(["a '&#39;' b"]);
        (await person.Http.GetStringAsync($"/teams/{team}/files/{inner}")).ShouldContain("""aria-label="Breadcrumbs""");
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("CON")]
    public async Task A_folder_with_a_bad_name_is_refused_with_the_reason(string name)
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        using var answer = await person.PostAsync($"/teams/{team}/new-folder", ("Name", name));
        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("field-error");
        (await person.ListAsync(team)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_name_can_be_taken_once_whatever_its_case_and_form()
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        await person.FolderAsync(team, "Caf\u00E9");
        using var twin = await person.PostAsync($"/teams/{team}/new-folder", ("Name", "CAFE\u0301"));
        twin.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await twin.Content.ReadAsStringAsync()).ShouldContain("already");
        // Elsewhere it is free.
        await person.FolderAsync(team, "Caf\u00E9", (await person.ListAsync(team)).Single().Reference);
    }

    [Fact]
    public async Task A_long_listing_comes_in_pages_that_hold_everything_once()
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        await person.FolderAsync(team, "first of all");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
            $"""
            insert into entries (id, team_id, reference, kind, name, name_key, size, created_at, created_by, modified_at, modified_by)
            select gen_random_uuid(), t.id, substr(translate(md5(i::text) || md5(i::text || 'x'), '0189', 'ghij'), 1, 26), 'folder', 'Folder ' || i, 'FOLDER ' || i, 0, now(), '{person.Id}', now(), '{person.Id}'
            from teams t, generate_series(1, 450) i where t.reference = '{team}'
            """);
        await new TusClient(person, team).UploadAsync("a file", [1]);
        var (seen, path, pages) = (new List<string>(), $"/teams/{team}/files", 0);
        while (true)
        {
            var html = await person.Http.GetStringAsync(path);
            var rows = Person.Rows(html).Select(r => r.Name).ToList();
            rows.Count.ShouldBeLessThanOrEqualTo(Folders.PageSize);
            seen.AddRange(rows);
            pages++;
            if (Next().Match(html) is not { Success: true } more)
            {
                break;
            }
            path = WebUtility.HtmlDecode(more.Groups["address"].Value);
        }
        pages.ShouldBe(3);
        seen.Count.ShouldBe(452);
        seen.Distinct().Count().ShouldBe(452);
        seen[0].ShouldBe("first of all");
        seen[^1].ShouldBe("a file");
    }

    [Theory]
    [InlineData("x")]
    [InlineData("f%00")]
    [InlineData("f%ED%A0%80")]
    [InlineData("d';drop table entries;--")]
    public async Task A_made_up_page_start_harms_nothing(string after)
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        (await person.Http.GetAsync($"/teams/{team}/files?after={after}")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Without_script_a_form_uploads_as_well()
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        var folder = await person.FolderAsync(team, "In");
        var bytes = new byte[3_000_000];
        Random.Shared.NextBytes(bytes);
        using var form = Form(person.Csrf, ("one.bin", bytes), ("zwei ü.txt", []));
        using var answer = await person.Http.PostAsync($"/teams/{team}/upload/{folder}", form);
        answer.StatusCode.ShouldBe(HttpStatusCode.SeeOther, await answer.Content.ReadAsStringAsync());
        answer.Headers.Location!.ToString().ShouldBe($"/teams/{team}/files/{folder}");
        var listed = await person.ListAsync(team, folder);
        listed.Select(e => e.Name).ShouldBe(["one.bin", "zwei ü.txt"]);
        (await person.DownloadAsync(team, listed[0].Reference)).ShouldBe(bytes);
        (await person.DownloadAsync(team, listed[1].Reference)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_form_without_the_right_token_first_stores_nothing()
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        person.Http.DefaultRequestHeaders.Remove("RequestVerificationToken");
        foreach (var token in new[] { "", "wrong", new string('a', 10_000) })
        {
            using var form = Form(token, ("a", [1]));
            (await person.Http.PostAsync($"/teams/{team}/upload", form)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        }
        using var late = new MultipartFormDataContent { { new ByteArrayContent([1]), "Files", "a" }, { new StringContent(person.Csrf), "RequestVerificationToken" } };
        (await person.Http.PostAsync($"/teams/{team}/upload", late)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await person.ListAsync(team)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_form_that_breaks_off_leaves_nothing()
    {
        using var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        var head = Encoding.ASCII.GetBytes(
            $"--b\r\nContent-Disposition: form-data; name=\"RequestVerificationToken\"\r\n\r\n{person.Csrf}\r\n--b\r\nContent-Disposition: form-data; name=\"Files\"; filename=\"a.bin\"\r\n\r\n");
        var body = new ByteArrayContent([.. head, .. new byte[500_000]]);
        body.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");
        using var answer = await person.Http.PostAsync($"/teams/{team}/upload", body);
        answer.IsSuccessStatusCode.ShouldBeFalse();
        ((int)answer.StatusCode).ShouldBeLessThan(500);
        (await person.ListAsync(team)).ShouldBeEmpty();
        (await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select count(*) from segments s join teams t on t.id = s.team_id where t.reference = '{team}'")).ShouldBe(0L);
    }

    private static MultipartFormDataContent Form(string token, params (string Name, byte[] Bytes)[] files)
    {
        var form = new MultipartFormDataContent { { new StringContent(token), "RequestVerificationToken" } };
        foreach (var (name, bytes) in files)
        {
            // As browsers do it (RFC 7578 section 4.2): the name as UTF-8, not encoded.
            var part = new ByteArrayContent(bytes);
            part.Headers.TryAddWithoutValidation("Content-Disposition", $"form-data; name=\"Files\"; filename*=UTF-8''{Uri.EscapeDataString(name)}");
            form.Add(part);
        }
        return form;
    }

    [GeneratedRegex("""href="(?<address>[^"]*)" rel="next""", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Next();
}
