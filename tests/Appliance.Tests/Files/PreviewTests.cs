using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Appliance.Files;
using Appliance.Ledger;
using Appliance.SignIn.Tokens;
using Appliance.Teams;
using Appliance.Tests.SignIn;
using Appliance.Tests.SignIn.Tokens;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Appliance.Tests.Tus;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

[Trait("Requirement", "F3")]
public sealed class PreviewTests(SignInHost host) : IClassFixture<SignInHost>
{
    private static readonly byte[] s_png = [0x89, .. "PNG\r\n"u8, 0x1A, 0x0A, .. new byte[2000]];

    [Fact]
    public async Task What_cannot_run_is_shown_in_a_sandbox_of_its_own_and_by_ranges()
    {
        using var anna = await Person.NewAsync(host);
        var path = await UploadAsync(anna, "Bild 東京.html", s_png);
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Range = new RangeHeaderValue(1, 3) } };
        using var answer = await anna.Http.SendAsync(request);
        answer.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
        (await answer.Content.ReadAsByteArrayAsync()).ShouldBe("PNG"u8.ToArray());
        answer.Content.Headers.ContentType!.ToString().ShouldBe("image/png");
        answer.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("inline");
        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        policy.ShouldContain("default-src 'none'");
        policy.ShouldEndWith("; sandbox");
        answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        answer.Headers.GetValues("Cross-Origin-Resource-Policy").ShouldBe(["same-origin"]);
        answer.Headers.GetValues("Referrer-Policy").ShouldBe(["no-referrer"]);
        answer.Headers.GetValues("X-Frame-Options").ShouldBe(["DENY"]);
    }

    [Fact]
    public async Task What_a_browser_kept_keeps_its_sandbox_when_it_asks_again()
    {
        using var anna = await Person.NewAsync(host);
        var path = await UploadAsync(anna, "x.png", s_png);
        foreach (var address in new[] { path, path.Replace("/preview", "/content", StringComparison.Ordinal) })
        {
            using var first = await anna.Http.GetAsync(address);
            using var request = new HttpRequestMessage(HttpMethod.Get, address) { Headers = { IfNoneMatch = { first.Headers.ETag! } } };
            using var again = await anna.Http.SendAsync(request);
            again.StatusCode.ShouldBe(HttpStatusCode.NotModified);
            // A 304's headers go over those that were stored.
            foreach (var header in new[] { "Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Cross-Origin-Resource-Policy", "Referrer-Policy", "Cache-Control" })
            {
                again.Headers.GetValues(header).ShouldBe(first.Headers.GetValues(header), $"{address} {header}");
            }
        }
    }

    [Fact]
    public async Task A_PDF_is_for_the_viewer_and_is_saved_by_who_opens_its_address()
    {
        using var anna = await Person.NewAsync(host);
        using var answer = await anna.Http.GetAsync(await UploadAsync(anna, "x.pdf", "%PDF-1.7\n"u8.ToArray()));
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentType!.ToString().ShouldBe("application/pdf");
        answer.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
    }

    [Fact]
    public async Task Text_of_every_kind_is_plain_and_only_up_to_a_mebibyte()
    {
        using var anna = await Person.NewAsync(host);
        using var html = await anna.Http.GetAsync(await UploadAsync(anna, "page.html", "<script>alert(1)</script>"u8.ToArray()));
        html.Content.Headers.ContentType!.ToString().ShouldBe("text/plain; charset=utf-8");
        var most = Encoding.ASCII.GetBytes(new string('a', (int)PreviewEndpoints.MostText));
        (await anna.Http.GetAsync(await UploadAsync(anna, "most.txt", most))).StatusCode.ShouldBe(HttpStatusCode.OK);
        using var more = await anna.Http.GetAsync(await UploadAsync(anna, "more.txt", [.. most, (byte)'a']));
        more.StatusCode.ShouldBe(HttpStatusCode.UnsupportedMediaType);
    }

    [Fact]
    public async Task Everything_else_is_415_and_strangers_and_tokens_see_nothing()
    {
        using var anna = await Person.NewAsync(host);
        using var mallory = await Person.NewAsync(host, "mallory");
        using var refused = await anna.Http.GetAsync(await UploadAsync(anna, "picture.png", [0x7F, .. "ELF"u8, 0, 0]));
        refused.StatusCode.ShouldBe(HttpStatusCode.UnsupportedMediaType);
        refused.Headers.ETag.ShouldBeNull();
        refused.Content.Headers.ContentDisposition.ShouldBeNull();
        var path = await UploadAsync(anna, "real.png", s_png);
        (await mallory.Http.GetAsync(path)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var program = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id));
        (await program.GetAsync(path)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact, Trait("Requirement", "F4")]
    public async Task An_earlier_version_is_shown_by_its_number_and_no_other_number_is()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        var tus = new TusClient(anna, team);
        await tus.UploadAsync("x", "first"u8.ToArray());
        await tus.UploadAsync("x", s_png);
        var path = $"/teams/{team}/files/{await ReferenceAsync(team, "x")}";
        (await anna.Http.GetStringAsync(path + "/preview?version=1")).ShouldBe("first");
        (await anna.Http.GetAsync(path + "/preview")).Content.Headers.ContentType!.MediaType.ShouldBe("image/png");
        (await anna.Http.GetByteArrayAsync(path + "/content?version=2")).ShouldBe(s_png);
        foreach (var version in new[] { "0", "3", "-1", "1.0", "x", "", "99999999999999999999", "1&version=2" })
        {
            (await anna.Http.GetAsync($"{path}/content?version={version}")).StatusCode.ShouldBe(HttpStatusCode.NotFound, version);
        }
    }

    [Fact, Trait("Requirement", "F2")]
    public async Task The_type_is_of_the_first_bytes_however_the_rest_arrives_and_whatever_the_client_says()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        var tus = new TusClient(anna, team);
        var upload = await tus.CreateAsync("song.txt", s_png.Length);
        (await tus.PatchAsync(upload, 0, s_png[..1000])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await tus.PatchAsync(upload, 1000, s_png[1000..])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await anna.Http.GetAsync($"/teams/{team}/files/{await ReferenceAsync(team, "song.txt")}/preview")).Content.Headers.ContentType!.MediaType.ShouldBe("image/png");
    }

    [Fact]
    public async Task The_PDF_viewer_is_an_opaque_origin_that_can_reach_nothing()
    {
        using var anna = await Person.NewAsync(host);
        using var answer = await anna.Http.GetAsync(PreviewEndpoints.PdfViewer);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        policy.ShouldContain("connect-src 'none'");
        policy.ShouldContain("sandbox allow-scripts");
        policy.ShouldNotContain("allow-same-origin");
        policy.ShouldNotContain("unsafe");
        answer.Headers.GetValues("X-Frame-Options").ShouldBe(["SAMEORIGIN"]);
        // Its modules are open to an opaque origin; no other file is.
        (await anna.Http.GetAsync("/js/pdf-viewer.js")).Headers.Contains("Access-Control-Allow-Origin").ShouldBeTrue();
        (await anna.Http.GetAsync("/js/uploads.js")).Headers.Contains("Access-Control-Allow-Origin").ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "A16")]
    public async Task A_token_that_is_revoked_in_the_middle_of_a_download_gets_no_end_of_it()
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        await new TusClient(anna, team).UploadAsync("large", new byte[24 << 20]);
        var path = $"/api/v1/teams/{team}/entries/{await ReferenceAsync(team, "large")}/content";
        using var program = ApiClient.With(host, await ApiClient.TokenAsync(host, anna.Id));
        var tokens = host.Services.GetRequiredService<ApiTokens>();
        foreach (var revoke in new[] { false, true })
        {
            using var answer = await program.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);
            await using var body = await answer.Content.ReadAsStreamAsync();
            await body.ReadExactlyAsync(new byte[1000]);
            if (revoke)
            {
                (await tokens.RevokeAsync((await tokens.ListAsync(anna.Id, default)).Single().Reference, new Origin(anna.Id, null), default)).ShouldBeTrue();
            }
            host.Clock.Move(AccessWatch.Interval);
            var read = () => body.CopyToAsync(Stream.Null);
            await (revoke ? (Task)Should.ThrowAsync<Exception>(read) : Should.NotThrowAsync(read));
        }
    }

    [Theory, Trait("Requirement", "A8")]
    [InlineData("content", "locked", true)]
    [InlineData("content", "ended", false)]
    [InlineData("archive", "locked", true)]
    [InlineData("archive", "ended", false)]
    [InlineData("preview", "ended", false)]
    public async Task A_session_that_is_ended_gets_no_end_of_a_download_and_one_that_locks_does(string what, string happens, bool whole)
    {
        using var anna = await Person.NewAsync(host);
        var team = await anna.TeamAsync();
        await new TusClient(anna, team).UploadAsync("large", [.. s_png, .. new byte[24 << 20]]);
        var entry = await ReferenceAsync(team, "large");
        using var answer = await anna.Http.GetAsync(
            what == "archive" ? $"/api/v1/teams/{team}/archive?entry={entry}" : $"/teams/{team}/files/{entry}/{what}", HttpCompletionOption.ResponseHeadersRead);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        await using var body = await answer.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[1000]);
        (await anna.PostAsync(happens == "locked" ? "/lock" : "/sign-out")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        host.Clock.Move(AccessWatch.Interval);
        var read = () => body.CopyToAsync(Stream.Null);
        await (whole ? Should.NotThrowAsync(read) : (Task)Should.ThrowAsync<Exception>(read));
    }

    private async Task<string> UploadAsync(Person person, string name, byte[] bytes)
    {
        var team = await person.TeamAsync();
        await new TusClient(person, team).UploadAsync(name, bytes);
        return $"/teams/{team}/files/{await ReferenceAsync(team, name)}/preview";
    }

    private async Task<string> ReferenceAsync(string team, string name) => (string)(await host.Cluster.SuperuserAsync(
        host.Settings.DatabaseName,
        $"select e.reference from entries e join teams t on t.id = e.team_id where t.reference = '{team}' and e.name = '{name}'"))!;
}
