using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Appliance.Tests.Teams;
using Shouldly;

namespace Appliance.Tests.Tus;

/// <summary>tus 1.0 by hand, so that a test can also say what no client would.</summary>
public sealed class TusClient(Person person, string team)
{
    public string Endpoint { get; } = $"/api/v1/teams/{team}/uploads";

    public static string Metadata(string filename, string? folder = null) =>
        $"filename {Base64(filename)}" + (folder is null ? "" : $",folder {Base64(folder)}");

    public static HttpRequestMessage Request(HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path) { Version = HttpVersion.Version20 };
        request.Headers.Add("Tus-Resumable", "1.0.0");
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return request;
    }

    public Task<HttpResponseMessage> CreateAnswerAsync(string filename, long length, string? folder = null, params (string Name, string Value)[] headers) =>
        person.Http.SendAsync(Request(HttpMethod.Post, Endpoint, [("Upload-Length", Text(length)), ("Upload-Metadata", Metadata(filename, folder)), .. headers]));

    /// <summary>Answers the upload's address.</summary>
    public async Task<string> CreateAsync(string filename, long length, string? folder = null)
    {
        using var answer = await CreateAnswerAsync(filename, length, folder);
        answer.StatusCode.ShouldBe(HttpStatusCode.Created, await answer.Content.ReadAsStringAsync());
        return answer.Headers.Location!.ToString();
    }

    public Task<HttpResponseMessage> PatchAsync(string upload, long offset, HttpContent body, params (string Name, string Value)[] headers)
    {
        body.Headers.ContentType = new MediaTypeHeaderValue("application/offset+octet-stream");
        var request = Request(HttpMethod.Patch, upload, [("Upload-Offset", Text(offset)), .. headers]);
        request.Content = body;
        return person.Http.SendAsync(request);
    }

    public Task<HttpResponseMessage> PatchAsync(string upload, long offset, byte[] bytes, params (string Name, string Value)[] headers) =>
        PatchAsync(upload, offset, new ByteArrayContent(bytes), headers);

    public Task<HttpResponseMessage> HeadAsync(string upload) => person.Http.SendAsync(Request(HttpMethod.Head, upload));

    public async Task<long> OffsetAsync(string upload)
    {
        using var answer = await HeadAsync(upload);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return Offset(answer);
    }

    /// <summary>A whole file in one go; answers the upload's address.</summary>
    public async Task<string> UploadAsync(string filename, byte[] bytes, string? folder = null)
    {
        var upload = await CreateAsync(filename, bytes.Length, folder);
        if (bytes.Length > 0)
        {
            using var answer = await PatchAsync(upload, 0, bytes);
            answer.StatusCode.ShouldBe(HttpStatusCode.NoContent, await answer.Content.ReadAsStringAsync());
        }
        return upload;
    }

    public static long Offset(HttpResponseMessage answer) =>
        long.Parse(answer.Headers.GetValues("Upload-Offset").Single(), NumberStyles.None, CultureInfo.InvariantCulture);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
