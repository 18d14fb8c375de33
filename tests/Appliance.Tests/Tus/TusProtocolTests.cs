using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Tus;

/// <summary>tus 1.0 over HTTP on the real service: what the protocol promises, and what it refuses.</summary>
[Trait("Requirement", "F2")]
public sealed class TusProtocolTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private static byte[] Bytes(int count) => RandomNumberGenerator.GetBytes(count);

    private async Task<(Person Person, string Team, TusClient Tus)> BeginAsync()
    {
        var person = await Person.NewAsync(host);
        var team = await person.TeamAsync();
        return (person, team, new TusClient(person, team));
    }

    [Fact]
    public async Task Options_tell_version_extensions_and_limits()
    {
        var (person, _, tus) = await BeginAsync();
        using var answer = await person.Http.SendAsync(new HttpRequestMessage(HttpMethod.Options, tus.Endpoint));
        answer.StatusCode.ShouldBe(HttpStatusCode.NoContent);
        answer.Headers.GetValues("Tus-Resumable").ShouldBe(["1.0.0"]);
        answer.Headers.GetValues("Tus-Version").ShouldBe(["1.0.0"]);
        answer.Headers.GetValues("Tus-Extension").ShouldBe(["creation,creation-with-upload,checksum,termination,expiration"]);
        answer.Headers.GetValues("Tus-Max-Size").ShouldBe(["53687091200"]);
        answer.Headers.GetValues("Tus-Checksum-Algorithm").ShouldBe(["sha256,sha1"]);
    }

    [Fact]
    public async Task A_file_that_is_sent_in_pieces_comes_back_whole()
    {
        var (person, team, tus) = await BeginAsync();
        var bytes = Bytes(300_000);
        var upload = await tus.CreateAsync("Bericht 東京.bin", bytes.Length);
        (await tus.OffsetAsync(upload)).ShouldBe(0);
        (await person.ListAsync(team)).ShouldBeEmpty();
        var offset = 0;
        foreach (var size in new[] { 1, 65_535, 65_536, 100_000, 68_928 })
        {
            using var answer = await tus.PatchAsync(upload, offset, bytes[offset..(offset + size)]);
            answer.StatusCode.ShouldBe(HttpStatusCode.NoContent);
            offset += size;
            TusClient.Offset(answer).ShouldBe(offset);
            DateTimeOffset.Parse(answer.Headers.GetValues("Upload-Expires").Single()).ShouldBeGreaterThan(DateTimeOffset.UtcNow.AddHours(23));
            (await tus.OffsetAsync(upload)).ShouldBe(offset);
            (await person.ListAsync(team)).Count.ShouldBe(offset == bytes.Length ? 1 : 0);
        }
        var (name, reference) = (await person.ListAsync(team)).Single();
        name.ShouldBe("Bericht 東京.bin");
        (await person.DownloadAsync(team, reference)).ShouldBe(bytes);
    }

    [Fact]
    public async Task An_empty_file_is_there_once_it_is_announced()
    {
        var (person, team, tus) = await BeginAsync();
        var upload = await tus.CreateAsync("empty", 0);
        (await tus.OffsetAsync(upload)).ShouldBe(0);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Creation_can_bring_the_first_bytes_along()
    {
        var (person, team, tus) = await BeginAsync();
        var bytes = Bytes(1000);
        var request = TusClient.Request(HttpMethod.Post, tus.Endpoint, ("Upload-Length", "1000"), ("Upload-Metadata", TusClient.Metadata("a")));
        request.Content = new ByteArrayContent(bytes[..600]) { Headers = { ContentType = new MediaTypeHeaderValue("application/offset+octet-stream") } };
        using var made = await person.Http.SendAsync(request);
        made.StatusCode.ShouldBe(HttpStatusCode.Created);
        TusClient.Offset(made).ShouldBe(600);
        var upload = made.Headers.Location!.ToString();
        (await tus.PatchAsync(upload, 600, bytes[600..])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).ShouldBe(bytes);
    }

    [Fact]
    public async Task The_same_name_becomes_a_new_version()
    {
        var (person, team, tus) = await BeginAsync();
        var (first, second) = (Bytes(1000), Bytes(2000));
        await tus.UploadAsync("Cafe\u0301.txt", first);
        var one = (await person.ListAsync(team)).Single();
        await tus.UploadAsync("CAF\u00C9.TXT", second);
        var two = (await person.ListAsync(team)).Single();
        two.ShouldBe(one);
        one.Name.ShouldBe("Caf\u00E9.txt");
        (await person.DownloadAsync(team, two.Reference)).ShouldBe(second);
        (await CountAsync($"select count(*) from versions v join entries e on e.id = v.entry_id where e.reference = '{one.Reference}'")).ShouldBe(2);
        (await CountAsync($"select count(*) from ledger_entries l join teams t on t.id = l.tree where t.reference = '{team}' and action = 'file.uploaded'")).ShouldBe(2);
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task Uploads_of_one_name_that_finish_together_all_become_versions()
    {
        var (person, team, tus) = await BeginAsync();
        const int Writers = 8;
        var uploads = new List<string>();
        for (var i = 0; i < Writers; i++)
        {
            uploads.Add(await tus.CreateAsync("report.pdf", 100));
        }
        var answers = await Task.WhenAll(uploads.Select(u => tus.PatchAsync(u, 0, Bytes(100))));
        answers.ShouldAllBe(a => a.StatusCode == HttpStatusCode.NoContent);
        var entry = (await person.ListAsync(team)).Single();
        (await CountAsync($"select count(distinct v.number) from versions v join entries e on e.id = v.entry_id where e.reference = '{entry.Reference}' and v.number between 1 and {Writers}")).ShouldBe(Writers);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("0.2.2")]
    [InlineData("1.0.1")]
    public async Task Another_version_of_the_protocol_is_refused_before_anything_is_done(string? version)
    {
        var (person, _, tus) = await BeginAsync();
        var upload = await tus.CreateAsync("a", 10);
        foreach (var (method, path) in new[] { (HttpMethod.Post, tus.Endpoint), (HttpMethod.Head, upload), (HttpMethod.Patch, upload), (HttpMethod.Delete, upload) })
        {
            var request = TusClient.Request(method, path);
            request.Headers.Remove("Tus-Resumable");
            if (version is not null)
            {
                request.Headers.Add("Tus-Resumable", version);
            }
            using var answer = await person.Http.SendAsync(request);
            answer.StatusCode.ShouldBe(HttpStatusCode.PreconditionFailed);
            answer.Headers.GetValues("Tus-Version").ShouldBe(["1.0.0"]);
        }
        (await tus.OffsetAsync(upload)).ShouldBe(0);
    }

    [Theory]
    [InlineData("Upload-Length", "-1")]
    [InlineData("Upload-Length", "ten")]
    [InlineData("Upload-Length", "")]
    [InlineData("Upload-Defer-Length", "1")]
    [InlineData("Upload-Metadata", "filename ***")]
    [InlineData("Upload-Metadata", "filename")]
    [InlineData("Upload-Metadata", "other YQ==")]
    [InlineData("Upload-Metadata", "filename YS9i")]
    [InlineData("X-HTTP-Method-Override", "PATCH")]
    public async Task A_malformed_creation_is_refused(string header, string value)
    {
        var (person, team, tus) = await BeginAsync();
        var headers = new Dictionary<string, string> { ["Upload-Length"] = "10", ["Upload-Metadata"] = TusClient.Metadata("a"), [header] = value };
        using var answer = await person.Http.SendAsync(TusClient.Request(HttpMethod.Post, tus.Endpoint, [.. headers.Select(h => (h.Key, h.Value))]));
        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await CountAsync($"select count(*) from uploads u join teams t on t.id = u.team_id where t.reference = '{team}'")).ShouldBe(0);
    }

    [Fact]
    public async Task A_file_that_is_too_long_is_refused_when_it_is_announced()
    {
        var (_, _, tus) = await BeginAsync();
        using var answer = await tus.CreateAnswerAsync("a", (50L << 30) + 1);
        answer.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("50.0 GiB");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(11)]
    public async Task Bytes_that_do_not_go_on_where_the_upload_stands_are_refused(long offset)
    {
        var (_, _, tus) = await BeginAsync();
        var upload = await tus.CreateAsync("a", 10);
        (await tus.PatchAsync(upload, 0, Bytes(4))).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await tus.PatchAsync(upload, offset, Bytes(1))).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await tus.OffsetAsync(upload)).ShouldBe(4);
    }

    [Fact]
    public async Task More_bytes_than_announced_are_refused_and_none_is_kept()
    {
        var (person, team, tus) = await BeginAsync();
        var upload = await tus.CreateAsync("a", 10);
        (await tus.PatchAsync(upload, 0, Bytes(11))).StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        // Without a length beforehand it shows only as it comes.
        (await tus.PatchAsync(upload, 0, new Unannounced(Bytes(11)))).StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        (await tus.OffsetAsync(upload)).ShouldBe(0);
        (await person.ListAsync(team)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Another_content_type_is_refused()
    {
        var (person, _, tus) = await BeginAsync();
        var upload = await tus.CreateAsync("a", 10);
        var request = TusClient.Request(HttpMethod.Patch, upload, ("Upload-Offset", "0"));
        request.Content = new ByteArrayContent(Bytes(10));
        (await person.Http.SendAsync(request)).StatusCode.ShouldBe(HttpStatusCode.UnsupportedMediaType);
        (await tus.OffsetAsync(upload)).ShouldBe(0);
    }

    [Fact]
    public async Task A_checksum_that_does_not_match_discards_the_bytes()
    {
        var (person, team, tus) = await BeginAsync();
        var bytes = Bytes(100_000);
        var upload = await tus.CreateAsync("a", bytes.Length);
        var (right, wrong) = (Convert.ToBase64String(SHA256.HashData(bytes[..60_000])), Convert.ToBase64String(SHA256.HashData(bytes)));
        var refused = await tus.PatchAsync(upload, 0, bytes[..60_000], ("Upload-Checksum", "sha256 " + wrong));
        ((int)refused.StatusCode).ShouldBe(460);
        (await tus.OffsetAsync(upload)).ShouldBe(0);
        (await tus.PatchAsync(upload, 0, bytes[..60_000], ("Upload-Checksum", "md5 " + right))).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await tus.PatchAsync(upload, 0, bytes[..60_000], ("Upload-Checksum", "sha256 " + right))).StatusCode.ShouldBe(HttpStatusCode.NoContent);
#pragma warning disable CA5350 // the one algorithm that tus requires
        var last = Convert.ToBase64String(SHA1.HashData(bytes[60_000..]));
#pragma warning restore CA5350
        (await tus.PatchAsync(upload, 60_000, bytes[60_000..], ("Upload-Checksum", "sha1 " + last))).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).ShouldBe(bytes);
        // What was refused is not left in the store either.
        Directory.EnumerateFiles(host.Settings.ObjectFolder, "*", SearchOption.AllDirectories).Count(f => new FileInfo(f).Length is > 59_000 and < 61_000).ShouldBe(1);
    }

    [Fact]
    public async Task A_broken_connection_keeps_what_arrived_and_with_a_checksum_keeps_nothing()
    {
        var (person, team, tus) = await BeginAsync();
        var bytes = Bytes(2_000_000);
        var upload = await tus.CreateAsync("a", bytes.Length);
        await Should.ThrowAsync<HttpRequestException>(() => tus.PatchAsync(upload, 0, new BreaksOff(bytes, 1_500_000)));
        var stands = await tus.OffsetAsync(upload);
        stands.ShouldBeInRange(1, 1_500_000);
        await Should.ThrowAsync<HttpRequestException>(() =>
            tus.PatchAsync(upload, stands, new BreaksOff(bytes[(int)stands..], 100_000), ("Upload-Checksum", "sha256 " + Convert.ToBase64String(SHA256.HashData(bytes)))));
        (await tus.OffsetAsync(upload)).ShouldBe(stands);
        (await tus.PatchAsync(upload, stands, bytes[(int)stands..])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).ShouldBe(bytes);
    }

    [Fact]
    public async Task A_second_writer_of_one_upload_is_refused_and_asking_for_the_offset_ends_the_first()
    {
        var (person, team, tus) = await BeginAsync();
        var bytes = Bytes(200_000);
        var upload = await tus.CreateAsync("a", bytes.Length);
        var slow = new Stalls(bytes, 120_000);
        var first = tus.PatchAsync(upload, 0, slow);
        await slow.Stalled;
        HttpStatusCode status;
        do
        {
            // Until the first request's handler has begun, the second would be the first.
            using var second = await tus.PatchAsync(upload, 0, new Stalls([], 0) { Empty = true });
            status = second.StatusCode;
        }
        while (status == HttpStatusCode.NoContent);
        status.ShouldBe(HttpStatusCode.Locked);
        // A client that comes back after it lost its connection does not wait until the server has noticed.
        var stands = await tus.OffsetAsync(upload);
        stands.ShouldBeInRange(1, 120_000);
        slow.GoOn();
        await Task.WhenAny(first);
        (await tus.PatchAsync(upload, stands, bytes[(int)stands..])).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).ShouldBe(bytes);
    }

    [Fact]
    public async Task A_terminated_upload_is_gone_and_its_bytes_with_it()
    {
        var (person, team, tus) = await BeginAsync();
        var upload = await tus.CreateAsync("a", 100_000);
        await tus.PatchAsync(upload, 0, Bytes(77_777));
        Directory.EnumerateFiles(host.Settings.ObjectFolder, "*", SearchOption.AllDirectories).ShouldContain(f => new FileInfo(f).Length > 77_777 && new FileInfo(f).Length < 78_200);
        (await person.Http.SendAsync(TusClient.Request(HttpMethod.Delete, upload))).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await tus.HeadAsync(upload)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await tus.PatchAsync(upload, 77_777, Bytes(1))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        Directory.EnumerateFiles(host.Settings.ObjectFolder, "*", SearchOption.AllDirectories).ShouldNotContain(f => new FileInfo(f).Length > 77_777 && new FileInfo(f).Length < 78_200);
        (await person.ListAsync(team)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_finished_upload_still_says_so_to_a_client_that_missed_the_answer()
    {
        var (person, team, tus) = await BeginAsync();
        var upload = await tus.UploadAsync("a", Bytes(10));
        (await tus.OffsetAsync(upload)).ShouldBe(10);
        // And forgetting the upload does not touch the file.
        (await person.Http.SendAsync(TusClient.Request(HttpMethod.Delete, upload))).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await person.DownloadAsync(team, (await person.ListAsync(team)).Single().Reference)).Length.ShouldBe(10);
    }

    [Fact]
    public async Task A_folder_that_is_removed_meanwhile_stops_the_finish_and_keeps_the_bytes()
    {
        var (person, team, tus) = await BeginAsync();
        var outer = await person.FolderAsync(team, "Outer");
        var inner = await person.FolderAsync(team, "Inner", outer);
        var bytes = Bytes(100);
        var upload = await tus.CreateAsync("a", bytes.Length, inner);
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update entries set deleted_at = now() where reference = '{outer}'");
        using var refused = await tus.PatchAsync(upload, 0, bytes);
        refused.StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await refused.Content.ReadAsStringAsync()).ShouldContain("folder was removed");
        (await tus.HeadAsync(upload)).StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await tus.CreateAnswerAsync("b", 1, inner)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // Brought back, asking where it stands is enough.
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"update entries set deleted_at = null where reference = '{outer}'");
        (await tus.OffsetAsync(upload)).ShouldBe(100);
        (await person.DownloadAsync(team, (await person.ListAsync(team, inner)).Single().Reference)).ShouldBe(bytes);
    }

    [Fact]
    public async Task A_file_cannot_take_a_folders_name()
    {
        var (person, team, tus) = await BeginAsync();
        await person.FolderAsync(team, "Notes");
        using var answer = await tus.CreateAnswerAsync("NOTES", 1);
        answer.StatusCode.ShouldBe(HttpStatusCode.Conflict);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("folder called");
    }

    [Fact]
    public async Task Without_the_antiforgery_token_nothing_is_taken()
    {
        var (person, _, tus) = await BeginAsync();
        person.Http.DefaultRequestHeaders.Remove("RequestVerificationToken");
        (await tus.CreateAnswerAsync("a", 1)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    private async Task<long> CountAsync(string sql) => (long)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, sql))!;
}
