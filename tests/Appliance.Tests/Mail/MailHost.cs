using System.Net;
using Appliance.Tests.SignIn;
using Appliance.Tests.TestServers;
using Shouldly;

namespace Appliance.Tests.Mail;

/// <summary>The whole service with a mail server beside it.</summary>
public class MailHost : SignInHost, Xunit.IAsyncLifetime
{
    private static int s_people;

    public MailServer Mail { get; private set; } = null!;

    protected virtual Task<MailServer> StartMailAsync() => MailServer.StartAsync();

    protected virtual async Task StopMailAsync() => await Mail.DisposeAsync();

    public static string Name(string stem) => $"{stem}.{Interlocked.Increment(ref s_people)}";

    /// <summary>A person with an address that they have confirmed, as people do.</summary>
    public async Task<(Visitor Person, string Address)> WithAddressAsync(string stem)
    {
        var username = Name(stem);
        var address = $"{username}@example.org";
        var person = Visitor();
        await person.SetUpAsync(await LinkAsync(), username, SignIn.Visitor.Password, address);
        var link = (await Mail.WaitAsync(address, "Is this your address?")).Link("/confirm-address/");
        (await person.SendAsync(link)).StatusCode.ShouldBe(HttpStatusCode.OK);
        return (person, address);
    }

    /// <summary>The same, and an owner of the appliance.</summary>
    public async Task<(Visitor Person, string Address)> OwnerAsync(string stem)
    {
        var (person, address) = await WithAddressAsync(stem);
        await ScalarAsync<object?>($"update users set owner = true where username = '{person.Username}' returning null");
        return (person, address);
    }

    public async Task<T> ScalarAsync<T>(string sql) => (T)(await Cluster.SuperuserAsync(Settings.DatabaseName, sql))!;

    async Task Xunit.IAsyncLifetime.InitializeAsync()
    {
        Mail = await StartMailAsync();
        await InitializeAsync();
    }

    async Task Xunit.IAsyncLifetime.DisposeAsync()
    {
        await DisposeAsync();
        await StopMailAsync();
    }

    protected override Appliance.Web.Settings Change(Appliance.Web.Settings settings) => base.Change(settings) with { Mail = Mail.Settings };
}
