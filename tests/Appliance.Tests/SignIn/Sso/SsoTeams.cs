using System.Net;

namespace Appliance.Tests.SignIn.Sso;

/// <summary>Teams with an identity provider that says whatever a test wants it to.</summary>
public abstract class SsoTeams(SignInHost host) : IClassFixture<SignInHost>
{
    protected SignInHost Host => host;

    private static int s_people;

    protected static string Name(string stem) => $"{stem}.{Interlocked.Increment(ref s_people)}";

    protected static readonly IReadOnlyList<(string Name, string Value)> Usual = [("Choice.State", "on"), ("Choice.SecondFactor", "identity-provider"), ("Choice.JustInTime", "true"), ("Choice.EmailAttribute", "mail"), ("Choice.GroupsAttribute", "groups"), ("Choice.Others", "member")];

    protected async Task<(Visitor Owner, Provider Idp)> TeamAsync(string entityId = "https://idp.example/metadata")
    {
        var owner = await host.PersonAsync(Name("owner"));
        var team = (await owner.SendAsync("/teams", null, ("Name", "Team"))).Headers.Location!.ToString().Split('/')[2];
        return (owner, new Provider(host, team, entityId));
    }

    protected static async Task TakeAsync(Visitor owner, Provider idp, string metadata, HttpStatusCode expected = HttpStatusCode.Redirect)
    {
        var answer = await owner.SendAsync($"/teams/{idp.Team}/sso", $"/teams/{idp.Team}/sso/metadata", ("Metadata", metadata));
        answer.StatusCode.ShouldBe(expected, await answer.Content.ReadAsStringAsync());
    }

    protected static async Task<string> TestAsync(Visitor owner, Provider idp, Func<string, string> response)
    {
        var id = Provider.RequestId(await owner.GetAsync($"/teams/{idp.Team}/sso/test"));
        return await Provider.LedToAsync(await idp.ReturnAsync(owner, response(id)));
    }

    protected static Task<HttpResponseMessage> ChooseAsync(Visitor owner, Provider idp, params IReadOnlyList<(string, string)> choices) =>
        owner.SendAsync($"/teams/{idp.Team}/sso", null, [.. choices]);

    /// <summary>Metadata taken, tested, and on.</summary>
    protected async Task<(Visitor Owner, Provider Idp)> BoundAsync(string entityId = "https://idp.example/metadata", params (string Name, string Value)[] changes)
    {
        var (owner, idp) = await TeamAsync(entityId);
        await TakeAsync(owner, idp, idp.Metadata());
        await ConfirmedTestAsync(owner, idp);
        var all = Usual.Select(u => changes.FirstOrDefault(c => c.Name == u.Name) is { Name: not null } changed ? changed : u).Concat(changes.Where(c => Usual.All(u => u.Name != c.Name)));
        var chosen = await ChooseAsync(owner, idp, [.. all]);
        chosen.StatusCode.ShouldBe(HttpStatusCode.Redirect, await chosen.Content.ReadAsStringAsync());
        return (owner, idp);
    }

    protected static async Task ConfirmedTestAsync(Visitor owner, Provider idp)
    {
        var result = await TestAsync(owner, idp, id => idp.Signed(idp.Spec(id, "owner@idp.example")));
        result.ShouldStartWith($"/teams/{idp.Team}/sso/result?request=");
        (await owner.SendAsync(result, $"/teams/{idp.Team}/sso/result?handler=Confirm")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
    }

    protected async Task<long> CountAsync(string sql) => (long)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "select count(*) from " + sql))!;
}
