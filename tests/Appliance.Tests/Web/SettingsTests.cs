using System.Collections;
using System.Net;
using Appliance.Objects;
using Appliance.SignIn;
using Appliance.Web;

namespace Appliance.Tests.Web;

public sealed class SettingsTests
{
    [Fact, Trait("Requirement", "O2")]
    public void Nothing_set_is_a_safe_appliance_on_this_machine_alone()
    {
        var settings = SettingsReader.Read(new Hashtable());
        settings.Listen.Address.ShouldBe(IPAddress.Loopback);
        settings.MetricsListen.Address.ShouldBe(IPAddress.Loopback);
        settings.Origin.ShouldBe(new Uri("https://localhost:8443"));
        settings.Objects.Kind.ShouldBe(ObjectStoreKind.Disk);
    }

    [Theory]
    [InlineData("APPLIANCE_ORIGIN", "http://files.example.org")]
    [InlineData("APPLIANCE_ORIGIN", "https://files.example.org/sub")]
    [InlineData("APPLIANCE_LISTEN", "8443")]
    [InlineData("APPLIANCE_LISTEN", "0.0.0.0")]
    [InlineData("APPLIANCE_LISTEN", "127.0.0.1:9464")]
    [InlineData("APPLIANCE_METRICS_LISTEN", "somewhere:1")]
    [InlineData("APPLIANCE_TLS_CERTIFICATE", "/nonexistent")]
    [InlineData("APPLIANCE_TLS_KEY", "/nonexistent")]
    [InlineData("APPLIANCE_DATABASE_PORT", "x")]
    [InlineData("APPLIANCE_DATABASE_HOST", "postgres.example.org")]
    [InlineData("APPLIANCE_DATABASE_HOST", "10.0.0.5")]
    [InlineData("APPLIANCE_DATABASE_HOST", "one.example,two.example")]
    [InlineData("APPLIANCE_DATABASE_NAME", "appliance;SSL Mode=Disable")]
    [InlineData("APPLIANCE_DATABASE_CA_FILE", "/etc/ssl/certs/ca-certificates.crt")]
    [InlineData("APPLIANCE_PROXY_PROTOCOL_FROM", "everybody")]
    [InlineData("APPLIANCE_PROXY_PROTOCOL_FROM", "10.0.0.1/24")]
    [InlineData("APPLIANCE_PROXY_PROTOCOL_FROM", "10.0.0.0/8,")]
    [InlineData("APPLIANCE_PROXY_PROTOCOL_FROM", "0.0.0.0/0")]
    [InlineData("APPLIANCE_PROXY_PROTOCOL_FROM", "::/0")]
    [InlineData("APPLIANCE_DRAIN_SECONDS", "301")]
    [InlineData("APPLIANCE_OBJECTS", "floppy")]
    [InlineData("APPLIANCE_OBJECTS", "s3")]
    [InlineData("APPLIANCE_MAX_CONNECTIONS", "0")]
    [InlineData("APPLIANCE_RATE_PER_ACCOUNT", "0")]
    [InlineData("APPLIANCE_MAX_FILE_GIB", "0")]
    [InlineData("APPLIANCE_OLD_KEY_DAYS", "1")]
    [InlineData("APPLIANCE_MAX_FILE_GIB", "1.5")]
    [InlineData("APPLIANCE_ATTESTATION", "none")]
    [InlineData("APPLIANCE_IDLE_LOCK_MINUTES", "0")]
    [InlineData("APPLIANCE_SESSION_HOURS", "169")]
    [InlineData("APPLIANCE_PASSWORD_LENGTH", "6")]
    [InlineData("APPLIANCE_PASSWORD_DAYS", "never")]
    [InlineData("APPLIANCE_REMEMBER_DEVICE_DAYS", "0")]
    [InlineData("APPLIANCE_REMEMBER_DEVICE_DAYS", "91")]
    [InlineData("APPLIANCE_SMS_URL", "https://sms.example.org/send")]
    [InlineData("APPLIANCE_SMS_KEY_FILE", "/nonexistent")]
    [InlineData("APPLIANCE_SMS_CA_FILE", "/nonexistent")]
    [InlineData("APPLIANCE_LISTN", "0.0.0.0:8443")]
    public void A_setting_that_cannot_be_used_is_named(string name, string value) =>
        Should.Throw<SettingsException>(() => SettingsReader.Read(new Hashtable { [name] = value })).Message.ShouldContain(name);

    [Theory, Trait("Requirement", "A5")]
    [InlineData("http://sms.example.org/send")]
    [InlineData("http://localhost/send")] // a name, which a resolver can lead elsewhere
    [InlineData("http://10.0.0.5/send")]
    [InlineData("https://user:password@sms.example.org/send")]
    [InlineData("ftp://sms.example.org/send")]
    [InlineData("/send")]
    public void Text_messages_leave_by_TLS_or_not_at_all(string url) =>
        Should.Throw<SettingsException>(() => SettingsReader.Read(new Hashtable { ["APPLIANCE_SMS_URL"] = url, ["APPLIANCE_SMS_KEY_FILE"] = "/nonexistent" }))
            .Message.ShouldContain("APPLIANCE_SMS_URL");

    [Theory, Trait("Requirement", "A5")]
    [InlineData("https://sms.example.org/send?x=1", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true)]
    [InlineData("http://127.0.0.1:9000/", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", true)]
    [InlineData("http://[::1]:9000/", "whsec_c2hvcnQ=", false)]
    [InlineData("https://sms.example.org/", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false)]
    [InlineData("https://sms.example.org/", "", false)]
    public void The_key_that_messages_are_signed_with_is_looked_at_when_it_starts(string url, string key, bool good)
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, key);
        var read = () => SettingsReader.Read(new Hashtable { ["APPLIANCE_SMS_URL"] = url, ["APPLIANCE_SMS_KEY_FILE"] = file });
        if (good)
        {
            read().Sms!.Url.ShouldBe(new Uri(url));
        }
        else
        {
            Should.Throw<SettingsException>(read).Message.ShouldContain("APPLIANCE_SMS_KEY_FILE");
        }
        File.Delete(file);
    }

    [Fact, Trait("Requirement", "A9")]
    public void How_long_sessions_last_and_what_a_password_needs_is_the_operators_word()
    {
        SettingsReader.Read(new Hashtable()).SignIn.ShouldBe(new SignInSettings());
        SettingsReader.Read(new Hashtable
        {
            ["APPLIANCE_IDLE_LOCK_MINUTES"] = "5", ["APPLIANCE_SESSION_HOURS"] = "8", ["APPLIANCE_PASSWORD_LENGTH"] = "16", ["APPLIANCE_PASSWORD_DAYS"] = "90",
            ["APPLIANCE_REMEMBER_DEVICE_DAYS"] = "30",
        }).SignIn.ShouldBe(new SignInSettings
        {
            IdleLock = TimeSpan.FromMinutes(5), Lifetime = TimeSpan.FromHours(8), PasswordLength = 16, PasswordAge = TimeSpan.FromDays(90),
            RememberDevice = TimeSpan.FromDays(30),
        });
    }

    [Fact, Trait("Requirement", "W5")]
    public void A_rate_is_per_second_and_its_burst_stays_in_proportion()
    {
        var rate = SettingsReader.Read(new Hashtable { ["APPLIANCE_RATE_PER_ACCOUNT"] = "500" }).Limits.PerAccount;
        rate.PerSecond.ShouldBe(500);
        rate.Burst.ShouldBe(10 * new LimitSettings().PerAccount.Burst);
    }

    [Fact]
    public void Proxies_are_networks_or_single_addresses()
    {
        SettingsReader.Read(new Hashtable()).ProxyProtocolFrom.ShouldBeEmpty();
        SettingsReader.Read(new Hashtable { ["APPLIANCE_PROXY_PROTOCOL_FROM"] = "172.31.84.2, 2001:db8::/64" }).ProxyProtocolFrom
            .ShouldBe([IPNetwork.Parse("172.31.84.2/32"), IPNetwork.Parse("2001:db8::/64")]);
    }

    [Fact]
    public void Everything_wrong_is_said_at_once()
    {
        var message = Should.Throw<SettingsException>(() => SettingsReader.Read(new Hashtable
        {
            ["APPLIANCE_ORIGIN"] = "nonsense",
            ["APPLIANCE_LISTEN"] = "nonsense",
        })).Message;
        message.ShouldContain("APPLIANCE_ORIGIN");
        message.ShouldContain("APPLIANCE_LISTEN");
    }
}
