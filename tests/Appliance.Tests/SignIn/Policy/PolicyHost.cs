using System.Net;
using System.Text.RegularExpressions;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn.Policy;
using Appliance.Tests.SignIn.Tokens;
using Appliance.Tests.TestServers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;

namespace Appliance.Tests.SignIn.Policy;

/// <summary>The whole service, and what people do about its policies.</summary>
public sealed class PolicyHost : SignInHost
{
    private int _people;

    public string Name(string stem) => $"{stem}.{Interlocked.Increment(ref _people)}";

    /// <summary>The appliance's policy as it was delivered.</summary>
    public Task ResetAsync() => SetAsync(
        """
        update appliance_policy set second_factor = 'required', device_bound = false, user_verification = false, idle_lock_minutes = null, session_hours = null,
            password_days = null, passkey_alone = false
        """);

    public Task<object?> SqlAsync(string sql) => Cluster.SuperuserAsync(Settings.DatabaseName, sql);

    /// <summary>Changes the appliance's policy behind everybody's back.</summary>
    public async Task SetAsync(string sql)
    {
        await SqlAsync(sql);
        Services.GetRequiredService<Policies>().Forget();
    }

    public async Task<long> CountAsync(string from) => (long)(await SqlAsync("select count(*) from " + from))!;

    /// <summary>A person with a key of this kind.</summary>
    public async Task<Visitor> PersonAsync(string stem, byte flags)
    {
        var person = Visitor();
        person.Key = person.Key with { Flags = flags };
        await person.SetUpAsync(await LinkAsync(), Name(stem), SignIn.Visitor.Password);
        return person;
    }

    /// <summary>One of the appliance's owners, whose key verifies its user.</summary>
    public async Task<Visitor> OwnerAsync(byte flags = SoftwareAuthenticator.UserPresent | SoftwareAuthenticator.UserVerified)
    {
        var owner = await PersonAsync("owner", flags);
        await SqlAsync($"update users set owner = true where id = '{await IdAsync(owner.Username)}'");
        return owner;
    }

    public async Task<UserId> IdAsync(string username)
    {
        var key = username.ToUpperInvariant();
        await using var session = await Database.ForApplianceAsync(default);
        return await session.Query<User>().Where(u => u.UsernameKey == key).Select(u => u.Id).SingleAsync();
    }

    /// <summary>A program with a token that the person makes on the page, in the session that they are in.</summary>
    public async Task<HttpClient> ProgramAsync(Visitor person)
    {
        var made = await person.SendAsync("/account/tokens/new", null, ("Name", "Program"), ("Kind", "token"), ("May", "write"), ("Days", "30"));
        return ApiClient.With(this, PolicyJourneys.Token().Match(await made.Content.ReadAsStringAsync()).Value);
    }
}

internal static partial class PolicyJourneys
{
    public const byte Verifying = SoftwareAuthenticator.UserPresent | SoftwareAuthenticator.UserVerified;

    public static Task<HttpResponseMessage> ChooseAsync(this Visitor owner, string page, params (string Name, string Value)[] choices) =>
        owner.SendAsync(page, null, [.. choices.Select(c => ("Choice." + c.Name, c.Value))]);

    /// <summary>As it is chosen on the page, and accepted.</summary>
    public static async Task SetPolicyAsync(this Visitor owner, string page, params (string Name, string Value)[] choices)
    {
        using var answer = await owner.ChooseAsync(page, choices);
        answer.Headers.Location?.ToString().ShouldBe(page, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>As it is chosen on the page, and refused with this sentence.</summary>
    public static async Task ShouldRefuseAsync(this Visitor owner, string page, string sentence, params (string Name, string Value)[] choices)
    {
        using var answer = await owner.ChooseAsync(page, choices);
        answer.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
        WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync()).ShouldContain(sentence);
    }

    public static async Task<string> TeamAsync(this Visitor owner, string name = "Team") =>
        (await owner.SendAsync("/teams", null, ("Name", name))).Headers.Location!.ToString().Split('/')[2];

    public static async Task JoinAsync(this Visitor owner, string team, Visitor member)
    {
        (await owner.SendAsync($"/teams/{team}/members", null, ("Username", member.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        (await member.SendAsync("/teams", "/teams?handler=Accept")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
    }

    /// <summary>A further key, which is the one in hand from then on.</summary>
    public static async Task<HttpResponseMessage> AddKeyAsync(this Visitor person, byte flags = SoftwareAuthenticator.UserPresent)
    {
        var key = new SoftwareAuthenticator { Origin = person.Key.Origin, Flags = flags };
        var html = await person.HtmlAsync("/account/security/keys/add");
        var answer = await person.PostAsync(html, "/account/security/keys/add", ("Credential", key.Register(Visitor.Options(html))), ("Name", "Another"));
        if (answer.StatusCode == HttpStatusCode.Redirect)
        {
            person.Key = key;
        }
        return answer;
    }

    public static async Task<string?> LedToAsync(this Visitor person, string page) => (await person.GetAsync(page)).Headers.Location?.ToString();

    [GeneratedRegex("apt_[A-Za-z0-9_-]{43}", RegexOptions.None, 5000)]
    internal static partial Regex Token();

    public static async Task ShouldOnlyEnrolAsync(this Visitor person)
    {
        (await person.LedToAsync("/teams")).ShouldBe("/account/enrol?return=%2Fteams");
        (await person.GetAsync("/account/enrol")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await person.Client.GetAsync("/api/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }
}
