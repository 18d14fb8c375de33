using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Appliance.Tests.Teams;
using Shouldly;

namespace Appliance.Tests.Files;

/// <summary>The JSON API about files, as a page's script calls it.</summary>
public sealed class FilesClient(Person person, string team)
{
    public string Base { get; } = $"/api/v1/teams/{team}";

    /// <summary>The answer's JSON, after looking at its status.</summary>
    public async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body = null, HttpStatusCode status = HttpStatusCode.OK, string? ifMatch = null)
    {
        using var answer = await AnswerAsync(method, path, body, ifMatch);
        var text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(status, $"{method} {path}: {text}");
        return text.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(text);
    }

    public Task<HttpResponseMessage> AnswerAsync(HttpMethod method, string path, object? body = null, string? ifMatch = null)
    {
        var request = new HttpRequestMessage(method, Base + path) { Version = HttpVersion.Version20 };
        request.Content = body switch
        {
            null => null,
            byte[] bytes => new ByteArrayContent(bytes),
            HttpContent content => content,
            string json => new StringContent(json, Encoding.UTF8, "application/json"),
            _ => JsonContent.Create(body),
        };
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }
        return person.Http.SendAsync(request);
    }

    public Task<JsonElement> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    public Task<JsonElement> PostAsync(string path, object body, HttpStatusCode status = HttpStatusCode.OK) => SendAsync(HttpMethod.Post, path, body, status);

    /// <summary>Refused, with this status and code.</summary>
    public async Task RefusedAsync(HttpMethod method, string path, object? body, HttpStatusCode status, string code, string? ifMatch = null)
    {
        using var answer = await AnswerAsync(method, path, body, ifMatch);
        var text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(status, $"{method} {path}: {text}");
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        var problem = JsonSerializer.Deserialize<JsonElement>(text);
        problem.GetProperty("type").GetString().ShouldBe("urn:appliance:problem:" + code, text);
    }

    /// <summary>Makes a folder; answers its reference.</summary>
    public async Task<string> FolderAsync(string name, string? folder = null) =>
        Ref(await PostAsync("/folders", new { name, folder }, HttpStatusCode.Created));

    /// <summary>A file in one request; answers its reference.</summary>
    public async Task<string> FileAsync(string name, byte[]? bytes = null, string? folder = null, string? conflict = null) =>
        Ref(await PostAsync(FilePath(name, folder, conflict), bytes ?? [1, 2, 3], HttpStatusCode.Created));

    public static string FilePath(string name, string? folder = null, string? conflict = null) =>
        $"/files?name={Uri.EscapeDataString(name)}{(folder is null ? "" : "&folder=" + folder)}{(conflict is null ? "" : "&conflict=" + conflict)}";

    /// <summary>The names in a folder, in their order.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync(string? folder = null, string more = "") =>
        Names(await GetAsync($"/entries?{(folder is null ? "" : "folder=" + folder)}{more}"));

    public async Task<byte[]> BytesAsync(string entry, int? version = null)
    {
        using var answer = await person.Http.GetAsync($"{Base}/entries/{entry}/content{(version is null ? "" : $"?version={version}")}");
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await answer.Content.ReadAsByteArrayAsync();
    }

    public async Task TrashAsync(params string[] entries) => await PostAsync("/entries/trash", new { entries });

    public static IReadOnlyList<string> Names(JsonElement answer) => [.. answer.GetProperty("entries").EnumerateArray().Select(e => e.GetProperty("name").GetString()!)];

    public static string Ref(JsonElement entry) => entry.GetProperty("reference").GetString()!;
}
