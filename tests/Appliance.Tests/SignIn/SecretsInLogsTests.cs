using Appliance.Tests.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn;

/// <summary>The whole service with everything that is logged kept, down to the finest level.</summary>
public sealed class ListeningHost : Mail.MailHost
{
    internal LogTests.Lines Lines { get; } = new();

    protected override void Adapt(WebApplicationBuilder builder)
    {
        base.Adapt(builder);
        builder.Logging.AddProvider(Lines);
    }
}

public sealed class SecretsInLogsTests(ListeningHost host) : IClassFixture<ListeningHost>
{
    [Fact, Trait("Requirement", "O10"), Trait("Requirement", "A1")]
    public async Task No_log_line_holds_a_set_up_token_a_password_a_code_or_a_cookie()
    {
        const string Wrong = "a wrong secret of nobody";
        var token = await host.LinkAsync();
        using var person = host.Visitor();
        await person.SetUpAsync(token, "logged.name", Visitor.Password);
        List<string> secrets = [token, Visitor.Password, Wrong, .. person.Codes, person.Cookie("__Host-appliance-session")!];
        await person.SignOutAsync();
        await person.PasswordAsync("logged.name", Wrong);
        await person.PasswordAsync(Wrong, Wrong); // a password in the wrong field
        await person.PasswordAsync();
        secrets.Add(person.Cookie("__Host-appliance-sign-in")!);
        await person.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[0]));
        await person.SendAsync("/account/password", null, ("Current", Wrong), ("Password", "velvet quarry lantern mosaic"));
        await person.GetAsync("/set-up/" + token);
        secrets.Add("velvet quarry lantern mosaic");
        secrets.Add(person.Cookie("__Host-appliance-session")!);

        var (mailed, address) = await host.WithAddressAsync("logged");
        using var reader = host.Visitor();
        await reader.SendAsync("/new-password", null, ("Name", address));
        var mail = await host.Mail.WaitAsync(address, "Choose a new password");
        await reader.SendAsync(mail.Link("/new-password/"));
        await host.Mail.BehaveAsync("refuse"); // a failure is logged
        await mailed.SendAsync("/account/recovery-codes");
        await Mail.MailFaultTests.WaitForAsync(() => Task.FromResult(host.Lines.All.Any(line => line.Contains("refused for good", StringComparison.Ordinal))));
        secrets.AddRange([mail.Link("/new-password/").Split('/')[^1], mail.Text.Split("Your phrase: ")[1].Split('\n')[0], TestServers.MailServer.Password, address]);
        mailed.Dispose();

        host.Lines.All.ShouldContain(line => line.Contains("sign-in/recovery", StringComparison.Ordinal)); // the logs are there
        foreach (var line in host.Lines.All)
        {
            foreach (var secret in secrets)
            {
                line.ShouldNotContain(secret, Case.Insensitive);
            }
        }
        // The set-up link of the first start is told on the output, and only there.
        host.Output.ShouldContain("/set-up/");
    }
}
