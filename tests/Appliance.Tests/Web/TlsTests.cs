using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Tests.TestServers;
using Appliance.Web.Tls;

namespace Appliance.Tests.Web;

public sealed class TlsTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    [Theory, Trait("Requirement", "O3")]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public async Task Tls_1_2_and_1_3_are_spoken(SslProtocols version)
    {
        using var tls = await HandshakeAsync(version, null);
        tls.SslProtocol.ShouldBe(version);
    }

    [Theory, Trait("Requirement", "O3")]
    [InlineData(0)] // SSL 3
    [InlineData(1)] // TLS 1.0
    [InlineData(2)] // TLS 1.1
    public async Task Older_versions_are_refused_with_an_alert(byte minor)
    {
        // Written by hand: this machine's own TLS library would not even offer them.
        using var client = new TcpClient();
        await client.ConnectAsync(host.Settings.Listen);
        await client.GetStream().WriteAsync(ClientHello(minor));
        var answer = await Probes.ReadToEndAsync(client.GetStream());
        answer.ShouldNotBeEmpty();
        ((int)answer[0]).ShouldBe(21); // an alert record …
        ((int)answer[6]).ShouldBeOneOf(70, 40); // … protocol_version or handshake_failure (RFC 5246 section 7.2)
    }

    [Theory, Trait("Requirement", "O3")]
    [InlineData(TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true)]
    [InlineData(TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true)]
    [InlineData(TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, true)]
    [InlineData(TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, false)]
    [InlineData(TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, false)]
    [InlineData(TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, false)]
    public async Task Of_tls_1_2_only_suites_with_ephemeral_keys_and_aead_are_spoken(TlsCipherSuite suite, bool spoken)
    {
        if (!spoken)
        {
            await Should.ThrowAsync<Exception>(() => HandshakeAsync(SslProtocols.Tls12, suite));
            return;
        }
        using var tls = await HandshakeAsync(SslProtocols.Tls12, suite);
        tls.NegotiatedCipherSuite.ShouldBe(suite);
    }

    [Fact, Trait("Requirement", "O3")]
    public async Task Plain_http_gets_no_http_answer_on_either_port()
    {
        foreach (var endPoint in new[] { host.Settings.Listen, host.Settings.MetricsListen })
        {
            using var client = new TcpClient();
            await client.ConnectAsync(endPoint);
            var answer = await Probes.SendAsync(client.GetStream(), "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
            answer.ShouldNotContain("HTTP/");
        }
    }

    [Fact, Trait("Requirement", "O2")]
    public async Task The_own_certificate_is_signed_by_the_own_authority_for_the_origin()
    {
        using var tls = await HandshakeAsync(SslProtocols.None, null); // validates chain and name
        var shown = tls.RemoteCertificate.ShouldBeOfType<X509Certificate2>();
        foreach (var name in new[] { "localhost", "127.0.0.1", "::1" })
        {
            shown.MatchesHostname(name).ShouldBeTrue(name);
        }
        (shown.NotAfter - shown.NotBefore).TotalDays.ShouldBeLessThan(398);
        shown.GetECDsaPublicKey()!.KeySize.ShouldBe(256);
        File.GetUnixFileMode(Path.Combine(host.Settings.CertificateFolder, "server.key")).ShouldBe(UnixFileMode.UserRead);
        File.GetUnixFileMode(Path.Combine(host.Settings.CertificateFolder, "authority.key")).ShouldBe(UnixFileMode.UserRead);
    }

    [Fact, Trait("Requirement", "O3")]
    public void A_certificate_that_ends_within_a_month_is_renewed_and_its_authority_stays()
    {
        var folder = Directory.CreateTempSubdirectory("appliance-tls-").FullName;
        var clock = new SetClock { Now = DateTimeOffset.UtcNow };
        var own = new OwnAuthority(folder, ["appliance.test"], clock);
        own.Ensure();
        var (authority, first) = (File.ReadAllText(own.AuthorityFile), File.ReadAllText(own.ServerFile));
        clock.Now = clock.Now.AddDays(300);
        own.Ensure();
        File.ReadAllText(own.ServerFile).ShouldBe(first);
        clock.Now = clock.Now.AddDays(70);
        own.Ensure();
        File.ReadAllText(own.ServerFile).ShouldNotBe(first);
        File.ReadAllText(own.AuthorityFile).ShouldBe(authority);

        // A start that was cut off between the two files leaves a pair that does not match: the next makes a new one.
        File.Delete(own.ServerKeyFile);
        File.WriteAllText(own.ServerKeyFile, ECDsa.Create(ECCurve.NamedCurves.nistP256).ExportPkcs8PrivateKeyPem());
        own.Ensure();
        X509Certificate2.CreateFromPemFile(own.ServerFile, own.ServerKeyFile).HasPrivateKey.ShouldBeTrue();
        Directory.Delete(folder, recursive: true);
    }

    [Fact, Trait("Requirement", "O9")]
    public async Task Replicas_on_one_volume_agree_on_one_authority_and_one_certificate()
    {
        var folder = Directory.CreateTempSubdirectory("appliance-tls-").FullName;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => new OwnAuthority(folder, ["appliance.test"], TimeProvider.System).Ensure())));
        using var server = X509Certificate2.CreateFromPemFile(Path.Combine(folder, "server.pem"), Path.Combine(folder, "server.key"));
        using var authority = X509Certificate2.CreateFromPemFile(Path.Combine(folder, "authority.pem"), Path.Combine(folder, "authority.key"));
        server.Issuer.ShouldBe(authority.Subject);
        Directory.Delete(folder, recursive: true);
    }

    [Theory, Trait("Requirement", "O3")]
    [InlineData(-20_000)] // the machine's battery was empty: its clock begins in 1971
    [InlineData(800)]
    public void What_was_made_while_the_clock_was_wrong_is_good_once_it_is_right(int days)
    {
        var folder = Directory.CreateTempSubdirectory("appliance-tls-").FullName;
        var clock = new SetClock { Now = DateTimeOffset.UtcNow.AddDays(days) };
        var own = new OwnAuthority(folder, ["appliance.test"], clock);
        own.Ensure();
        clock.Now = DateTimeOffset.UtcNow;
        own.Ensure();
        foreach (var file in new[] { own.AuthorityFile, own.ServerFile })
        {
            using var certificate = X509CertificateLoader.LoadCertificateFromFile(file);
            certificate.NotBefore.ToUniversalTime().ShouldBeLessThan(DateTime.UtcNow);
            certificate.NotAfter.ToUniversalTime().ShouldBeGreaterThan(DateTime.UtcNow);
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact, Trait("Requirement", "O3")]
    public async Task An_operators_certificate_is_taken_up_without_a_restart_and_a_bad_one_is_not()
    {
        var folder = Directory.CreateTempSubdirectory("appliance-tls-").FullName;
        var (certificate, key) = (Path.Combine(folder, "tls.crt"), Path.Combine(folder, "tls.key"));
        var first = WritePair(certificate, key);
        await using var own = await ApplianceHost.StartAsync(settings => settings with
        {
            CertificateFile = certificate,
            CertificateKeyFile = key,
            CertificateCheckInterval = TimeSpan.FromMilliseconds(100),
        });
        (await ShownAsync(own)).ShouldBe(first);

        var second = WritePair(certificate, key);
        await UntilAsync(async () => await ShownAsync(own) == second);

        await File.WriteAllTextAsync(certificate, "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
        await Task.Delay(500);
        (await ShownAsync(own)).ShouldBe(second);
        Directory.Delete(folder, recursive: true);
    }

    [Fact, Trait("Requirement", "O3")]
    public async Task A_certificate_file_that_cannot_be_used_stops_the_start_and_is_named()
    {
        var error = await Should.ThrowAsync<CertificateFileException>(() => ApplianceHost.StartAsync(
            settings => settings with { CertificateFile = "/nonexistent/tls.crt", CertificateKeyFile = "/nonexistent/tls.key" }));
        error.Message.ShouldContain("/nonexistent/tls.crt");
        error.Message.ShouldContain("APPLIANCE_TLS_CERTIFICATE");
    }

    internal static async Task UntilAsync(Func<Task<bool>> condition)
    {
        for (var i = 0; !await condition(); i++)
        {
            i.ShouldBeLessThan(600, "it did not come true within a minute");
            await Task.Delay(100);
        }
    }

    private async Task<SslStream> HandshakeAsync(SslProtocols version, TlsCipherSuite? suite)
    {
        var client = new TcpClient();
        await client.ConnectAsync(host.Settings.Listen);
        var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            EnabledSslProtocols = version,
            CipherSuitesPolicy = suite is { } only ? new CipherSuitesPolicy([only]) : null,
            CertificateChainPolicy = host.Handler().SslOptions.CertificateChainPolicy,
        });
        return tls;
    }

    private static async Task<string> ShownAsync(ApplianceHost own)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(own.Settings.Listen);
        using var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null, // which one is shown is the question here
        });
        return tls.RemoteCertificate!.GetCertHashString();
    }

    private static string WritePair(string certificate, string key)
    {
        using var secret = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", secret, HashAlgorithmName.SHA256);
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(key, secret.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(certificate, made.ExportCertificatePem());
        return made.GetCertHashString();
    }

    /// <summary>RFC 2246 section 7.4.1.2, with suites that only these versions could still agree on.</summary>
    private static byte[] ClientHello(byte minor)
    {
        byte[] suites = [0xc0, 0x09, 0xc0, 0x0a, 0xc0, 0x13, 0x00, 0x2f, 0x00, 0x35];
        byte[] extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0]; // P-256, uncompressed
        byte[] body =
        [
            3, minor, .. RandomNumberGenerator.GetBytes(32), 0, 0, (byte)suites.Length, .. suites, 1, 0,
            0, (byte)extensions.Length, .. extensions,
        ];
        byte[] handshake = [1, 0, 0, (byte)body.Length, .. body];
        return [22, 3, Math.Min(minor, (byte)1), 0, (byte)handshake.Length, .. handshake];
    }

    private sealed class SetClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
