using System.Net;
using System.Text.RegularExpressions;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Tests.TestServers;
using Microsoft.EntityFrameworkCore;
using Shouldly;

namespace Appliance.Tests.Teams;

/// <summary>Somebody with an account, signed in, with a browser's cookies and antiforgery token.</summary>
public sealed partial class Person : IDisposable
{
    private Person(SignedIn signedIn) => (Http, Id, Username) = (signedIn.Client, signedIn.Id, signedIn.Username);

    public HttpClient Http { get; private set; }

    public UserId Id { get; }

    public string Username { get; }

    /// <summary>For a form's field; every request carries it in its header.</summary>
    public string Csrf => Http.DefaultRequestHeaders.TryGetValues("RequestVerificationToken", out var token) ? token.Single() : _csrf;

    private string _csrf = "";

    public static async Task<Person> NewAsync(ApplianceHost host, string username = "anna")
    {
        var person = new Person(await SignedIn.AsAsync(host, $"{username}-{Guid.NewGuid().ToString("N")[..8]}"));
        person._csrf = person.Csrf;
        return person;
    }

    /// <summary>A new session, after a clock was set forward.</summary>
    public async Task SignInAgainAsync(ApplianceHost host)
    {
        User user;
        await using (var session = await host.Database.ForApplianceAsync(default))
        {
            user = await session.Query<User>().SingleAsync(u => u.Id == Id);
        }
        Http.Dispose();
        Http = await SignedIn.ClientAsync(host, await SignedIn.SessionAsync(host.Services, user));
    }

    /// <summary>Makes a team; answers its reference.</summary>
    public async Task<string> TeamAsync(string name = "Team")
    {
        var made = await PostAsync("/teams", ("Name", name));
        made.StatusCode.ShouldBe(HttpStatusCode.Redirect, await made.Content.ReadAsStringAsync());
        return made.Headers.Location!.ToString().Split('/')[2];
    }

    /// <summary>Makes a folder; answers its reference.</summary>
    public async Task<string> FolderAsync(string team, string name, string? parent = null)
    {
        var made = await PostAsync($"/teams/{team}/new-folder{(parent is null ? "" : "/" + parent)}", ("Name", name));
        made.StatusCode.ShouldBe(HttpStatusCode.Redirect, await made.Content.ReadAsStringAsync());
        return (await ListAsync(team, parent)).Single(e => e.Name == name).Reference;
    }

    public Task<HttpResponseMessage> PostAsync(string path, params (string Name, string Value)[] fields) =>
        Http.PostAsync(path, new FormUrlEncodedContent(fields.Select(f => KeyValuePair.Create(f.Name, f.Value))));

    /// <summary>What the page of a folder lists: the name and the reference in its link.</summary>
    public async Task<IReadOnlyList<(string Name, string Reference)>> ListAsync(string team, string? folder = null) =>
        Rows(await Http.GetStringAsync($"/teams/{team}/files{(folder is null ? "" : "/" + folder)}"));

    /// <summary>The same for all pages of the listing.</summary>
    public async Task<IReadOnlyList<(string Name, string Reference)>> ListAllAsync(string team)
    {
        var all = new List<(string Name, string Reference)>();
        for (var page = $"/teams/{team}/files"; page.Length > 0;)
        {
            var html = await Http.GetStringAsync(page);
            all.AddRange(Rows(html));
            page = WebUtility.HtmlDecode(Next().Match(html).Groups["next"].Value);
        }
        return all;
    }

    public static IReadOnlyList<(string Name, string Reference)> Rows(string html) =>
        [.. Row().Matches(html).Select(m => (WebUtility.HtmlDecode(m.Groups["name"].Value), m.Groups["reference"].Value))];

    public async Task<byte[]> DownloadAsync(string team, string entry)
    {
        using var answer = await Http.GetAsync($"/teams/{team}/files/{entry}/content");
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await answer.Content.ReadAsByteArrayAsync();
    }

    /// <summary>Offers a place and takes it.</summary>
    public async Task InviteAsync(string team, Person other)
    {
        (await PostAsync($"/teams/{team}/members", ("Username", other.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await other.PostAsync("/teams?handler=Accept", ("offer", await other.OfferAsync()))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
    }

    /// <summary>The reference of the one offer on the person's own page.</summary>
    public async Task<string> OfferAsync() =>
        Offer().Match(await Http.GetStringAsync("/teams")).Groups["offer"].Value;

    public void Dispose() => Http.Dispose();

    [GeneratedRegex("""<tr [^>]*data-entry="(?<reference>[a-z2-7]{26})" data-kind="(folder|file)" data-name="(?<name>[^"]*)" """, RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Row();

    [GeneratedRegex("""href="(?<next>[^"]*)" rel="next""", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Next();

    [GeneratedRegex("""name="offer" value="(?<offer>[a-z2-7]{26})""", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Offer();
}
