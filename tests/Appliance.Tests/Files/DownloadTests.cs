using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Appliance.Tests.Teams;
using Appliance.Tests.Tus;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

[Trait("Requirement", "F3")]
public sealed class DownloadTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private readonly byte[] _bytes = RandomNumberGenerator.GetBytes(300_000);

    private async Task<(Person Person, string Path)> BeginAsync(string name = "a.html")
    {
        var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        var tus = new TusClient(person, team);
        // Several segments, so that ranges cross their borders.
        var upload = await tus.CreateAsync(name, _bytes.Length);
        for (var at = 0; at < _bytes.Length; at += 100_000)
        {
            (await tus.PatchAsync(upload, at, _bytes[at..(at + 100_000)])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        }
        return (person, $"/teams/{team}/files/{(await person.ListAsync(team)).Single().Reference}/content");
    }

    private static Task<HttpResponseMessage> GetAsync(Person person, string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return person.Http.SendAsync(request);
    }

    [Fact]
    public async Task A_download_is_saved_and_never_run_on_this_origin()
    {
        var (person, path) = await BeginAsync("Resümee \"x\" 東京.html".Replace("\"", "", StringComparison.Ordinal));
        using var answer = await GetAsync(person, path);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentType!.ToString().ShouldBe("application/octet-stream");
        answer.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
        answer.Content.Headers.ContentDisposition.FileNameStar.ShouldBe("Resümee x 東京.html");
        answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        answer.Headers.GetValues("Content-Security-Policy").Single().ShouldContain("sandbox");
        answer.Headers.AcceptRanges.ShouldBe(["bytes"]);
        answer.Headers.ETag!.IsWeak.ShouldBeFalse();
        answer.Headers.CacheControl!.ToString().ShouldBe("no-cache, private");
        answer.Content.Headers.LastModified.ShouldNotBeNull();
        (await answer.Content.ReadAsByteArrayAsync()).ShouldBe(_bytes);
    }

    [Theory]
    [InlineData("bytes=0-0", 0, 1)]
    [InlineData("bytes=99990-100009", 99_990, 20)]
    [InlineData("bytes=65530-200010", 65_530, 134_481)]
    [InlineData("bytes=-7", 299_993, 7)]
    [InlineData("bytes=299999-999999", 299_999, 1)]
    [InlineData("bytes=100000-199999", 100_000, 100_000)]
    public async Task A_range_is_answered_with_exactly_these_bytes(string range, int start, int count)
    {
        var (person, path) = await BeginAsync();
        using var answer = await GetAsync(person, path, ("Range", range));
        answer.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
        answer.Content.Headers.ContentRange!.ToString().ShouldBe($"bytes {start}-{start + count - 1}/300000");
        answer.Content.Headers.ContentLength.ShouldBe(count);
        (await answer.Content.ReadAsByteArrayAsync()).ShouldBe(_bytes[start..(start + count)]);
    }

    [Theory]
    [InlineData("bytes=300000-", HttpStatusCode.RequestedRangeNotSatisfiable)]
    [InlineData("bytes=-0", HttpStatusCode.RequestedRangeNotSatisfiable)]
    [InlineData("bytes=9-1", HttpStatusCode.OK)]
    [InlineData("bytes=0-1,5-6", HttpStatusCode.OK)]
    [InlineData("rows=0-1", HttpStatusCode.OK)]
    public async Task An_absurd_range_is_refused_or_ignored(string range, HttpStatusCode status)
    {
        var (person, path) = await BeginAsync();
        using var answer = await GetAsync(person, path, ("Range", range));
        answer.StatusCode.ShouldBe(status);
        if (status == HttpStatusCode.OK)
        {
            (await answer.Content.ReadAsByteArrayAsync()).ShouldBe(_bytes);
        }
        else
        {
            answer.Content.Headers.GetValues("Content-Range").ShouldBe(["bytes */300000"]);
        }
    }

    [Fact]
    public async Task Preconditions_hold_as_the_standard_says()
    {
        var (person, path) = await BeginAsync();
        string tag, modified;
        using (var first = await GetAsync(person, path))
        {
            (tag, modified) = (first.Headers.ETag!.ToString(), first.Content.Headers.LastModified!.Value.ToString("R"));
        }
        await ExpectAsync(HttpStatusCode.NotModified, ("If-None-Match", tag));
        await ExpectAsync(HttpStatusCode.NotModified, ("If-None-Match", "\"other\", W/" + tag));
        await ExpectAsync(HttpStatusCode.NotModified, ("If-None-Match", "*"));
        await ExpectAsync(HttpStatusCode.OK, ("If-None-Match", "\"other\""));
        await ExpectAsync(HttpStatusCode.NotModified, ("If-Modified-Since", modified));
        await ExpectAsync(HttpStatusCode.OK, ("If-None-Match", "\"other\""), ("If-Modified-Since", modified));
        await ExpectAsync(HttpStatusCode.OK, ("If-Match", tag));
        await ExpectAsync(HttpStatusCode.OK, ("If-Match", "*"));
        await ExpectAsync(HttpStatusCode.PreconditionFailed, ("If-Match", "\"other\""));
        await ExpectAsync(HttpStatusCode.PreconditionFailed, ("If-Match", "W/" + tag));
        await ExpectAsync(HttpStatusCode.PreconditionFailed, ("If-Unmodified-Since", "Thu, 01 Jan 2015 00:00:00 GMT"));
        await ExpectAsync(HttpStatusCode.PartialContent, ("Range", "bytes=0-1"), ("If-Range", tag));
        await ExpectAsync(HttpStatusCode.OK, ("Range", "bytes=0-1"), ("If-Range", "\"other\""));
        await ExpectAsync(HttpStatusCode.OK, ("Range", "bytes=0-1"), ("If-Range", "W/" + tag));
        await ExpectAsync(HttpStatusCode.OK, ("Range", "bytes=0-1"), ("If-Range", modified));
        await ExpectAsync(HttpStatusCode.OK, ("Range", "bytes=999999-"), ("If-Range", "\"other\""));

        async Task ExpectAsync(HttpStatusCode status, params (string Name, string Value)[] headers)
        {
            using var answer = await GetAsync(person, path, headers);
            answer.StatusCode.ShouldBe(status, string.Join("; ", headers));
            if (status == HttpStatusCode.NotModified)
            {
                answer.Headers.ETag!.ToString().ShouldBe(tag);
            }
        }
    }

    [Fact]
    public async Task Head_says_what_get_would_and_sends_nothing()
    {
        var (person, path) = await BeginAsync();
        using var answer = await person.Http.SendAsync(new HttpRequestMessage(HttpMethod.Head, path) { Headers = { Range = new RangeHeaderValue(0, 1) } });
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentLength.ShouldBe(300_000);
        (await answer.Content.ReadAsByteArrayAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_range_reads_only_the_objects_that_hold_it()
    {
        var (person, path) = await BeginAsync();
        // The third segment is gone: what lies before it is served all the same.
        await LoseSegmentAsync(path, 200_000);
        using (var first = await GetAsync(person, path, ("Range", "bytes=0-199999")))
        {
            (await first.Content.ReadAsByteArrayAsync()).ShouldBe(_bytes[..200_000]);
        }
        using var lost = await GetAsync(person, path, ("Range", "bytes=200000-"));
        lost.StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
    }

    [Fact]
    public async Task What_is_spoiled_is_an_error_before_the_first_byte_and_a_cut_connection_after_it()
    {
        var (person, path) = await BeginAsync();
        await SpoilSegmentAsync(path, 200_000, 50_000);
        // The answer has begun when the third segment is opened: never a clean end.
        await Should.ThrowAsync<HttpRequestException>(() => GetAsync(person, path));
        using var refused = await GetAsync(person, path, ("Range", "bytes=200000-200009"));
        refused.StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
        (await refused.Content.ReadAsByteArrayAsync()).AsSpan().IndexOf(_bytes.AsSpan(200_000, 10)).ShouldBe(-1);
    }

    private async Task LoseSegmentAsync(string path, long start) => File.Delete(await FileOfAsync(path, start));

    private async Task SpoilSegmentAsync(string path, long start, long at)
    {
        var file = await FileOfAsync(path, start);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = at;
        var one = stream.ReadByte();
        stream.Position = at;
        stream.WriteByte((byte)(one ^ 1));
    }

    private async Task<string> FileOfAsync(string path, long start)
    {
        var id = (Guid)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
            $"select s.object_id from segments s join entries e on e.current_version_id = s.content_id where e.reference = '{path.Split('/')[4]}' and s.start = {start}"))!;
        return Directory.EnumerateFiles(host.Settings.ObjectFolder, "*", SearchOption.AllDirectories).Single(f => f.Contains(id.ToString("N"), StringComparison.Ordinal));
    }
}
