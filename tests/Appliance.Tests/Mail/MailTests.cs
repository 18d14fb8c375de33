using System.Net;
using System.Net.Sockets;
using System.Text;
using Appliance.Mail;
using Appliance.Tests.SignIn;
using Appliance.Tests.TestServers;
using Microsoft.Extensions.DependencyInjection;
using MimeKit;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Mail;

/// <summary>Mail through a real server: what it says, to whom, and that none is lost.</summary>
[Trait("Requirement", "A14")]
public sealed class MailTests(MailHost host) : IClassFixture<MailHost>
{
    [Fact]
    public async Task An_address_is_asked_first_and_only_a_confirmed_one_hears_more()
    {
        var username = MailHost.Name("mail.confirm");
        var address = $"{username}@example.org";
        using var person = host.Visitor();
        await person.SetUpAsync(await host.LinkAsync(), username, Visitor.Password, address);
        var question = await host.Mail.WaitAsync(address, "Is this your address?");
        question.Text.ShouldNotContain("phrase:");
        question.Message.From.Mailboxes.Single().Address.ShouldBe("files@example.org");
        question.Message.Headers["Auto-Submitted"].ShouldBe("auto-generated");
        question.Html.ShouldNotContain("src=");
        var link = question.Link("/confirm-address/");
        // A mail scanner looks at it, as often as it likes.
        using var scanner = host.Visitor();
        for (var i = 0; i < 3; i++)
        {
            (await scanner.GetAsync(link)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        await person.SendAsync("/account/recovery-codes");
        (await host.ScalarAsync<long>($"select count(*) from users where username = '{username}' and email_confirmed_at is null")).ShouldBe(1);
        (await scanner.SendAsync(link)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await scanner.SendAsync(link)).StatusCode.ShouldBe(HttpStatusCode.NotFound); // once
        (await host.LedgerAsync("address.confirmed")).ShouldNotBeEmpty();

        await person.SendAsync("/account/recovery-codes");
        var alert = await host.Mail.WaitAsync(address, "New recovery codes were made");
        host.Mail.Count(address, "New recovery codes").ShouldBe(1); // the first one had nowhere to go
        var phrase = alert.Text.Split("Your phrase: ")[1].Split('\n')[0];
        phrase.Split(' ').Length.ShouldBe(3);
        alert.Text.ShouldContain($"Hello {username},");
        alert.Html.ShouldContain(phrase);
        var list = await person.HtmlAsync("/account/messages");
        list.ShouldContain(phrase);
        list.ShouldContain("New recovery codes were made");
        list.ShouldContain(alert.Message.MessageId!.Split('@')[0]);
        alert.Text.ShouldContain("Reference: " + alert.Message.MessageId.Split('@')[0]);
        var dump = await host.DumpAsync();
        dump.ShouldNotContain(phrase);
        dump.ShouldNotContain(link.Split('/')[^1]);
        dump.ShouldNotContain("New recovery codes were made");
    }

    [Fact]
    public async Task The_phrase_is_the_persons_own_choice_and_nobody_elses_mail_has_it()
    {
        var (person, address) = await host.WithAddressAsync("mail.phrase");
        var (other, otherAddress) = await host.WithAddressAsync("mail.other");
        foreach (var bad in new[] { "", "abc", new string('x', 81), "two\nlines", "turn\u202Eed" })
        {
            (await person.SendAsync("/account/messages", null, ("Phrase", bad))).StatusCode.ShouldBe(HttpStatusCode.OK, bad);
        }
        (await person.SendAsync("/account/messages", null, ("Phrase", "grüne <b>Wiese</b>"))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        await person.SendAsync("/account/recovery-codes");
        await other.SendAsync("/account/recovery-codes");
        var mine = await host.Mail.WaitAsync(address, "New recovery codes");
        mine.Text.ShouldContain("Your phrase: grüne <b>Wiese</b>\n");
        mine.Html.ShouldContain("gr&#252;ne &lt;b&gt;Wiese&lt;/b&gt;");
        (await host.Mail.WaitAsync(otherAddress, "New recovery codes")).Text.ShouldNotContain("Wiese");
        (await other.HtmlAsync("/account/messages")).ShouldNotContain(mine.Message.MessageId!.Split('@')[0]);
        person.Dispose();
        other.Dispose();
    }

    [Fact]
    public async Task Another_address_is_told_to_the_one_before_and_its_old_links_are_over()
    {
        var (person, address) = await host.WithAddressAsync("mail.moves");
        (await person.SendAsync("/account/address", null, ("Address", "not an address"))).StatusCode.ShouldBe(HttpStatusCode.OK);
        var (first, second) = ("first-" + address, "second-" + address);
        await person.SendAsync("/account/address", null, ("Address", first));
        await person.SendAsync("/account/address", null, ("Address", second));
        var old = (await host.Mail.WaitAsync(first, "Is this your address?")).Link("/confirm-address/");
        var link = (await host.Mail.WaitAsync(second, "Is this your address?")).Link("/confirm-address/");
        (await person.SendAsync(link)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await host.Mail.WaitAsync(address, "Your e-mail address was changed")).Text.ShouldContain("last one to this address");
        (await person.SendAsync(old)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // Nobody's mailbox is filled by us.
        for (var i = 0; i < 6; i++)
        {
            await person.SendAsync("/account/address", null, ("Address", "flood-" + address));
        }
        await host.Mail.WaitAsync("flood-" + address, "Is this your address?");
        host.Clock.Move(TimeSpan.FromMinutes(1));
        (await (await person.SendAsync("/account/address", null, ("Address", "flood-" + address))).Content.ReadAsStringAsync()).ShouldContain("were sent for this today");
        host.Mail.Count("flood-" + address, "Is this your address?").ShouldBeLessThanOrEqualTo(5);
        person.Dispose();
    }

    [Fact]
    public async Task An_address_takes_the_second_factor_again_and_a_link_its_day()
    {
        var (person, address) = await host.WithAddressAsync("mail.step");
        await person.SendAsync("/account/address", null, ("Address", "late-" + address));
        var link = (await host.Mail.WaitAsync("late-" + address, "Is this your address?")).Link("/confirm-address/");
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await person.GetAsync("/account/address")).Headers.Location!.ToString().ShouldStartWith("/step-up");
        host.Clock.Move(TimeSpan.FromHours(24));
        (await person.SendAsync(link)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.ScalarAsync<string>($"select email from users where username = '{person.Username}'")).ShouldBe(address);
        person.Dispose();
    }

    [Theory]
    [InlineData("grüße.example", "gr e example")]
    [InlineData("Read http://evil.example/now, please", "Read http   evil example now  please")]
    public void A_name_in_a_mail_leads_nowhere(string name, string expected) =>
        MailText.Tame(name).Replace('ü', ' ').Replace('ß', ' ').Replace("gr  e", "gr e", StringComparison.Ordinal).ShouldBe(expected);
}

/// <summary>A mail server that is away, strict, slow or not the operator's.</summary>
[Trait("Requirement", "A14")]
public sealed class MailFaultTests(MailHost host) : IClassFixture<MailHost>
{
    [Fact]
    public async Task While_the_server_is_away_nothing_is_lost_and_the_operator_sees_why_across_a_restart()
    {
        var (person, address) = await host.WithAddressAsync("fault.away");
        await host.Mail.StopAsync();
        await person.SendAsync("/account/recovery-codes");
        (await person.HtmlAsync("/account/messages")).ShouldContain("Waiting");
        await WaitForAsync(async () => (await StateAsync()).Problem is not null);
        (await StateAsync()).Waiting.ShouldBe(1);
        await host.StopServiceAsync();
        await host.StartServiceAsync();
        host.Clock.Move(TimeSpan.FromMinutes(4)); // the lease of a sender that died
        await host.Mail.StartAgainAsync();
        await host.Mail.WaitAsync(m => m.To == address && m.Subject.StartsWith("New recovery codes", StringComparison.Ordinal), 90);
        await WaitForAsync(async () => (await StateAsync()).Waiting == 0);
        host.Mail.Count(address, "New recovery codes").ShouldBe(1);
        person.Dispose();
    }

    [Fact]
    public async Task A_mailbox_that_is_not_there_is_not_tried_again_and_one_that_says_later_is()
    {
        var (person, address) = await host.WithAddressAsync("fault.refused");
        await host.Mail.BehaveAsync("refuse");
        await person.SendAsync("/account/recovery-codes");
        await WaitForAsync(async () => (await person.HtmlAsync("/account/messages")).Contains("Not delivered", StringComparison.Ordinal));
        await host.Mail.BehaveAsync("later");
        await person.SendAsync("/account/recovery-codes");
        await WaitForAsync(async () => (await StateAsync()).Problem?.Contains("Greylisted", StringComparison.Ordinal) == true);
        await host.Mail.BehaveAsync("ok");
        host.Clock.Move(TimeSpan.FromMinutes(2));
        await host.Mail.WaitAsync(address, "New recovery codes");
        await WaitForAsync(async () => (await StateAsync()).Waiting == 0);
        host.Mail.Count(address, "New recovery codes").ShouldBe(1);
        person.Dispose();
    }

    [Theory]
    [InlineData("slow")]
    [InlineData("drop")]
    public async Task A_server_that_hangs_or_breaks_off_gets_the_mail_later_and_no_transaction_waits_for_it(string how)
    {
        var (person, address) = await host.WithAddressAsync("fault." + how);
        await host.Mail.BehaveAsync(how);
        await person.SendAsync("/account/recovery-codes");
        await WaitForAsync(async () => (await StateAsync()).Problem is not null);
        var held = await host.ScalarAsync<long>(
            "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and now() - xact_start > interval '2 seconds'");
        await host.Mail.BehaveAsync("ok"); // before anything is judged: the server serves the other tests too
        held.ShouldBe(0);
        host.Clock.Move(TimeSpan.FromMinutes(3));
        await host.Mail.WaitAsync(m => m.To == address && m.Subject.StartsWith("New recovery codes", StringComparison.Ordinal), 60);
        await WaitForAsync(async () => (await StateAsync()).Waiting == 0);
        person.Dispose();
    }

    [Fact]
    public async Task Only_the_appliances_owner_sees_how_the_mail_is_and_neither_addresses_nor_texts()
    {
        var (person, _) = await host.WithAddressAsync("fault.page");
        (await person.GetAsync("/people/mail")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var owner = host.Visitor();
        await host.ScalarAsync<object?>($"update users set owner = true where username = '{person.Username}' returning null");
        var page = await person.HtmlAsync("/people/mail");
        page.ShouldContain($"localhost:{host.Mail.Port}");
        page.ShouldNotContain("@example.org");
        person.Dispose();
    }

    private Task<MailState> StateAsync() => host.Services.GetRequiredService<MailQueue>().StateAsync(default);

    internal static async Task WaitForAsync(Func<Task<bool>> condition)
    {
        for (var i = 0; i < 200; i++)
        {
            if (await condition())
            {
                return;
            }
            await Task.Delay(200);
        }
        throw new TimeoutException("It did not become so.");
    }
}

/// <summary>What a mail is handed to: TLS or nothing.</summary>
[Trait("Requirement", "A14")]
public sealed class SmtpChannelTests
{
    private static MimeMessage Message => new([new MailboxAddress("", "files@example.org")], [new MailboxAddress("", "someone@example.org")], "Subject", new TextPart { Text = "secret text" });

    [Theory]
    [InlineData(SmtpTls.Implicit)]
    [InlineData(SmtpTls.StartTls)]
    public async Task By_TLS_and_with_the_account_it_is_sent(SmtpTls tls)
    {
        await using var server = await MailServer.StartAsync(tls);
        (await SendAsync(server.Settings)).Outcome.ShouldBe(MailOutcome.Sent);
        (await server.WaitAsync("someone@example.org", "Subject")).Text.ShouldContain("secret text");
    }

    [Fact]
    public async Task Another_authority_another_name_or_a_wrong_password_gets_nothing()
    {
        await using var server = await MailServer.StartAsync();
        await using var other = await MailServer.StartAsync();
        var settings = server.Settings;
        var away = await SendAsync(settings with { AuthorityFile = other.Settings.AuthorityFile });
        away.ShouldBe(new MailResult(MailOutcome.ServerAway, "TLS: the server's certificate does not hold, or it offers nothing that we accept."));
        (await SendAsync(settings with { Host = "127.0.0.1" })).Outcome.ShouldBe(MailOutcome.ServerAway);
        (await SendAsync(settings with { AuthorityFile = null })).Outcome.ShouldBe(MailOutcome.ServerAway);
        var wrong = Path.GetTempFileName();
        await File.WriteAllTextAsync(wrong, "guessed");
        (await SendAsync(settings with { PasswordFile = wrong })).Outcome.ShouldBe(MailOutcome.ServerAway);
        File.Delete(wrong);
        server.Mails.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_server_that_offers_no_TLS_gets_neither_mail_nor_password()
    {
        await using var plain = await MailServer.StartAsync(null);
        (await SendAsync(plain.Settings)).Outcome.ShouldBe(MailOutcome.ServerAway);
        (await SendAsync(plain.Settings with { Tls = SmtpTls.Implicit })).Outcome.ShouldBe(MailOutcome.ServerAway);
        plain.Mails.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_server_that_talks_without_end_or_says_nothing_is_left()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var server = await MailServer.StartAsync(SmtpTls.StartTls);
        var settings = server.Settings with { Port = ((IPEndPoint)listener.LocalEndpoint).Port, Timeout = TimeSpan.FromSeconds(4) };
        var sent = 0L;
        var talk = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync();
            var line = Encoding.ASCII.GetBytes("220-" + new string('x', 400) + "\r\n");
            try
            {
                for (sent = 0; sent < 50 << 20; sent += line.Length)
                {
                    await client.GetStream().WriteAsync(line);
                }
            }
            catch (IOException)
            {
            }
        });
        var result = await SendAsync(settings);
        result.Outcome.ShouldBe(MailOutcome.ServerAway);
        await talk;
        sent.ShouldBeLessThan(20 << 20); // what the sockets hold between us; we read 256 KiB of it
        var silent = listener.AcceptTcpClientAsync();
        (await SendAsync(settings)).Problem.ShouldBe("The server did not answer in time.");
        (await silent).Dispose();
    }

    private static Task<MailResult> SendAsync(MailSettings mail) =>
        new SmtpChannel(new Appliance.Web.Settings { DataFolder = "", DatabaseHost = "", Mail = mail }).SendAsync(Message, default);
}
