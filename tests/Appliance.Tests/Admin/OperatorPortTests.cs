using System.Formats.Asn1;
using System.Net;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Appliance.Admin;
using Appliance.Tests.TestServers;
using Appliance.Tests.Web;
using Appliance.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Admin;

/// <summary>Who reaches the operators' port, over real TLS, and what is on which port.</summary>
[Trait("Requirement", "O5")]
public sealed class OperatorPortTests(OperatorHost host) : IClassFixture<OperatorHost>
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_key_of_the_list_is_let_in_whatever_its_certificate_says(int http)
    {
        using var client = host.Operator(host.Ada, new Version(http, http == 1 ? 1 : 0));
        var status = await client.GetFromJsonAsync<JsonElement>("/admin/v1/status");
        status.GetProperty("ready").GetBoolean().ShouldBeTrue();
        // Another name, another certificate, long over: the key is what counts.
        using var key = ECDsa.Create(host.Ada.Key.ExportParameters(true));
        using var over = new CertificateRequest("CN=somebody else", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddYears(-2), DateTimeOffset.UtcNow.AddYears(-1));
        using var other = host.Operator(over);
        (await other.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task No_certificate_an_unknown_key_the_right_name_with_another_key_and_rsa_are_answered_nothing()
    {
        await NothingAsync(null);
        await NothingAsync(new TestOperator("mallory").Certificate);
        await NothingAsync(new TestOperator("ada").Certificate);
        using var rsa = RSA.Create(2048);
        await NothingAsync(new CertificateRequest("CN=ada", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1)));
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        await NothingAsync(new TestOperator("ada", p384).Certificate);
    }

    [Fact]
    public async Task The_right_certificate_without_its_private_key_is_answered_nothing()
    {
        // The public key is no secret: a certificate can be made around it by anybody, signed with another key.
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(new X500DistinguishedName("CN=ada"), new PublicKey(host.Ada.Key), HashAlgorithmName.SHA256);
        using var borrowed = request.Create(new X500DistinguishedName("CN=ada"), X509SignatureGenerator.CreateForECDsa(stranger), DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1), [1]);
        var folder = Directory.CreateTempSubdirectory().FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "c.pem"), borrowed.ExportCertificatePem());
        await File.WriteAllTextAsync(Path.Combine(folder, "k.pem"), stranger.ExportPkcs8PrivateKeyPem());
        try
        {
            // The client's own library refuses to hold such a pair, and so does OpenSSL's: neither can even send it.
            var (code, _) = await ChildProcess.TryRunAsync("openssl", "s_client", "-connect", host.Settings.Admin!.Listen.ToString(), "-cert", Path.Combine(folder, "c.pem"), "-key", Path.Combine(folder, "k.pem"));
            code.ShouldNotBe(0);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Tls_1_2_is_refused_to_a_key_of_the_list_too()
    {
        await Should.ThrowAsync<Exception>(() => ConnectAsync(host.Ada.Certificate, SslProtocols.Tls12));
        await using var current = await ConnectAsync(host.Ada.Certificate, SslProtocols.Tls13);
        current.SslProtocol.ShouldBe(SslProtocols.Tls13);
    }

    [Fact]
    public async Task An_ed25519_key_is_let_in()
    {
        var folder = Directory.CreateTempSubdirectory().FullName;
        var (key, pem) = (Path.Combine(folder, "k.pem"), Path.Combine(folder, "c.pem"));
        try
        {
            await ChildProcess.RunAsync("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=eve", "-days", "2", "-keyout", key, "-out", pem);
            using var certificate = X509CertificateLoader.LoadCertificateFromFile(pem);
            string[] curl = ["-sS", "--cacert", host.AuthorityFile, "--cert", pem, "--key", key, new Uri(host.AdminOrigin, "/admin/v1/status").ToString()];
            (await ChildProcess.TryRunAsync("curl", curl)).Code.ShouldNotBe(0);
            await host.AllowAsync(host.Ada.Line("actions=all"), $"eve ed25519 {Convert.ToBase64String(certificate.PublicKey.ExportSubjectPublicKeyInfo())}");
            (await ChildProcess.RunAsync("curl", curl)).ShouldContain("\"ready\":true");
        }
        finally
        {
            await host.AllowAsync(host.Ada.Line("actions=all"));
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Nothing_is_fetched_that_a_strangers_certificate_names()
    {
        using var trap = new TcpListener(IPAddress.Loopback, 0);
        trap.Start();
        // Authority information access (RFC 5280 section 4.2.2.1): "my issuer's certificate is there".
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier("1.3.6.1.5.5.7.48.2");
            writer.WriteCharacterString(UniversalTagNumber.IA5String, $"http://127.0.0.1:{((IPEndPoint)trap.LocalEndpoint).Port}/issuer.cer", new Asn1Tag(TagClass.ContextSpecific, 6));
        }
        using var issuer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=mallory", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509Extension("1.3.6.1.5.5.7.1.1", writer.Encode(), false));
        using var issued = request.Create(new X500DistinguishedName("CN=issuer"), X509SignatureGenerator.CreateForECDsa(issuer), DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1), [1]);
        await NothingAsync(issued.CopyWithPrivateKey(key));
        await Task.Delay(300);
        trap.Pending().ShouldBeFalse();
    }

    [Fact]
    public async Task Whoever_is_taken_off_the_list_is_cut_off_within_seconds_in_the_middle_of_a_connection()
    {
        var ben = new TestOperator("ben");
        await host.AllowAsync(host.Ada.Line("actions=all"), ben.Line());
        using var client = host.Operator(ben);
        (await client.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await using var open = await ConnectAsync(ben.Certificate, SslProtocols.Tls13);
        await open.WriteAsync(Encoding.ASCII.GetBytes("GET /admin/v1/status HTTP/1.1\r\nHost: localhost\r\n")); // half of a request
        host.WriteKeys(host.Ada.Line("actions=all"));
        (await Probes.ReadToEndAsync(open).WaitAsync(TimeSpan.FromSeconds(5))).ShouldBeEmpty();
        await Should.ThrowAsync<HttpRequestException>(() => client.GetAsync("/admin/v1/status"));
        using var ada = host.Operator(host.Ada);
        (await ada.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_line_that_becomes_garbage_allows_nobody_and_the_others_stay()
    {
        var ben = new TestOperator("ben");
        await host.AllowAsync(host.Ada.Line("actions=all"), ben.Line());
        using var adas = host.Operator(host.Ada);
        using var bens = host.Operator(ben);
        (await bens.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await host.AllowAsync(host.Ada.Line("actions=all"), ben.Line("actions=everything"));
        await Should.ThrowAsync<HttpRequestException>(() => bens.GetAsync("/admin/v1/status"));
        var config = await adas.GetFromJsonAsync<JsonElement>("/admin/v1/config");
        config.GetProperty("ok").GetBoolean().ShouldBeFalse();
        config.GetProperty("checks").EnumerateArray().Single(c => c.GetProperty("check").GetString() == "operator-keys").GetProperty("detail").GetString()!.ShouldContain("line 2");
        // And a list that is too large, or gone, allows nobody.
        await host.AllowAsync(host.Ada.Line("actions=all"), new string('#', OperatorKeyList.MostBytes));
        await Should.ThrowAsync<HttpRequestException>(() => adas.GetAsync("/admin/v1/status"));
        await host.AllowAsync(host.Ada.Line("actions=all"));
        (await adas.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.OK);
        File.Delete(host.KeysFile);
        await Task.Delay(500);
        await Should.ThrowAsync<HttpRequestException>(() => adas.GetAsync("/admin/v1/status"));
        await host.AllowAsync(host.Ada.Line("actions=all"));
    }

    [Fact]
    public async Task An_action_that_the_line_does_not_name_is_refused_as_a_problem_and_recorded()
    {
        var ben = new TestOperator("ben");
        await host.AllowAsync(host.Ada.Line("actions=all"), ben.Line("actions=status,teams"));
        using var client = host.Operator(ben);
        foreach (var (method, path, action) in new[] { ("GET", "/admin/v1/users", "users"), ("PUT", "/admin/v1/teams/x/quota", "quota"), ("GET", "/admin/v1/config", "config"), ("POST", "/admin/v1/ledger/verify", "ledger") })
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = method == "PUT" ? JsonContent.Create(new { bytes = "1" }) : null };
            using var answer = await client.SendAsync(request);
            answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden, path);
            answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
            (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("code").GetString().ShouldBe("action-not-permitted");
            (await LastEntryAsync("operator.refused")).ShouldContain($"\"action\":\"{action}\"");
        }
        (await client.GetAsync("/admin/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.OK);
        // A line that changes counts from the next request on.
        await host.AllowAsync(host.Ada.Line("actions=all"), ben.Line("actions=users"));
        (await client.GetAsync("/admin/v1/users")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await client.GetAsync("/admin/v1/teams")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        await host.AllowAsync(host.Ada.Line("actions=all"));
    }

    [Fact]
    public async Task Neither_port_serves_anything_of_the_other()
    {
        using var operators = host.Operator(host.Ada);
        using var everybody = host.Client();
        var (admin, open) = (0, 0);
        foreach (var endpoint in host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var route = endpoint.RoutePattern.RawText!;
            var path = "/" + System.Text.RegularExpressions.Regex.Replace(route.TrimStart('/'), "\\{[^}]+\\}", "x", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(1));
            if (endpoint.Metadata.GetMetadata<OnBothPorts>() is not null)
            {
                route.ShouldMatch("^/(assets|css|js|icons\\.svg|favicon\\.svg)"); // style and script of the pages, and nothing else
                continue;
            }
            // A page says so only once it is loaded.
            var operatorsOnly = endpoint.Metadata.GetMetadata<AdminActionAttribute>() is not null || route is "admin" or "admin/errors";
            foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST"])
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), path);
                using var answer = await (operatorsOnly ? everybody : operators).SendAsync(request);
                answer.StatusCode.ShouldBe(HttpStatusCode.NotFound, $"{method} {route}");
            }
            (admin, open) = operatorsOnly ? (admin + 1, open) : (admin, open + 1);
        }
        (admin >= 10, open >= 30).ShouldBe((true, true));
        // Not even that it would be there for another method.
        (await everybody.DeleteAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await everybody.GetAsync("/ADMIN/v1/status")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await operators.DeleteAsync("/health/ready")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await operators.DeleteAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // And the operators' is on no third one.
        using var metrics = new HttpClient(host.Handler()) { BaseAddress = new Uri($"https://localhost:{host.Settings.MetricsListen.Port}") };
        (await metrics.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_session_and_a_token_count_for_nothing_there_and_a_certificate_for_nothing_elsewhere()
    {
        var owner = await SignedIn.AsAsync(host, owner: true);
        var cookie = await SignedIn.SessionAsync(host.Services, await SignedIn.PersonAsync(host.Services, owner: true));
        foreach (var (name, value) in new[] { ("Cookie", cookie), ("Authorization", "Bearer " + new string('a', 43)) })
        {
            // Without a key: no connection.
            using var none = host.Operator((X509Certificate2?)null);
            none.DefaultRequestHeaders.Add(name, value);
            await Should.ThrowAsync<HttpRequestException>(() => none.GetAsync("/admin/v1/status"));
            // With a key that may little: no more than that.
            var ben = new TestOperator("ben");
            await host.AllowAsync(host.Ada.Line("actions=all"), ben.Line());
            using var client = host.Operator(ben);
            client.DefaultRequestHeaders.Add(name, value);
            (await client.GetAsync("/admin/v1/users")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            (await client.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.OK);
            (await client.GetAsync("/teams")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
        await host.AllowAsync(host.Ada.Line("actions=all"));
        (await owner.Client.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        // On the public port the certificate is not even asked for.
        using var handler = host.Handler();
        handler.SslOptions.ClientCertificates = [host.Ada.Certificate];
        using var elsewhere = new HttpClient(handler) { BaseAddress = host.Settings.Origin };
        elsewhere.DefaultRequestHeaders.Accept.ParseAdd("text/html");
        (await elsewhere.GetAsync("/teams")).StatusCode.ShouldBe(HttpStatusCode.Redirect);
    }

    [Theory]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    [InlineData("Origin", "https://evil.example")]
    [InlineData("Origin", "null")]
    public async Task A_browser_that_another_site_sends_is_refused_although_it_shows_the_certificate(string name, string value)
    {
        using var client = host.Operator(host.Ada);
        client.DefaultRequestHeaders.Add(name, value);
        (await client.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await client.PostAsync("/admin/v1/ledger/verify", null)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Only_the_certificates_names_are_answered()
    {
        foreach (var (name, status) in new[] { ("127.0.0.1", 200), ("localhost", 200), ("[::1]:8444", 200), ("evil.example", 421), ("x.localhost", 421), ("", 421) })
        {
            await using var tls = await ConnectAsync(host.Ada.Certificate, SslProtocols.Tls13);
            (await Probes.SendAsync(tls, $"GET /admin/v1/status HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")).ShouldStartWith($"HTTP/1.1 {status} ", customMessage: name);
        }
    }

    [Fact]
    public async Task A_body_that_is_too_large_or_not_json_or_of_unknown_members_is_refused()
    {
        using var client = host.Operator(host.Ada);
        var path = $"/admin/v1/teams/{Appliance.Data.Reference.New()}/quota";
        (await client.PutAsync(path, new StringContent($"{{\"bytes\":\"{new string('1', 20_000)}\"}}", Encoding.UTF8, "application/json"))).StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        // What a form of another site could send without asking first: there is no such address.
        (await client.PutAsync(path, new StringContent("bytes=1", Encoding.UTF8, "application/x-www-form-urlencoded"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await client.PutAsync(path, new StringContent("{\"bytes\":\"1\"}", Encoding.UTF8, "text/plain"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await client.PutAsJsonAsync(path, new { byte_s = "1" })).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        foreach (var bytes in new[] { "-1", "1e3", "", "all", "9999999999999999999" })
        {
            (await client.PutAsJsonAsync(path, new { bytes })).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity, bytes);
        }
        (await client.PutAsJsonAsync(path, new { bytes = "1" })).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task An_operators_endpoint_that_names_no_action_stops_the_start()
    {
        Func<Settings, Settings> admin = settings => settings with { Admin = new AdminSettings { Listen = new IPEndPoint(IPAddress.Loopback, 1), Keys = host.Ada.Line() } };
        (await Should.ThrowAsync<UndeclaredAccessException>(() => ApplianceHost.StartAsync(admin, map: routes => routes.MapAdminGroup().MapGet("/forgotten", () => ""))))
            .Message.ShouldContain("/admin/v1/forgotten) is for operators and names no action");
        (await Should.ThrowAsync<UndeclaredAccessException>(() => ApplianceHost.StartAsync(admin, map: routes => routes.MapGet("/open", () => "").AllowAnonymous().Does("status"))))
            .Message.ShouldContain("/open) names an operators' action");
        (await Should.ThrowAsync<UndeclaredAccessException>(() => ApplianceHost.StartAsync(admin, map: routes => routes.MapAdminGroup().MapGet("/open", () => "").AllowAnonymous().Does("status"))))
            .Message.ShouldContain("AllowAnonymous");
        Should.Throw<ArgumentException>(() => new AdminActionAttribute("everything"));
    }

    [Fact]
    public async Task One_key_may_ask_so_often_and_no_oftener()
    {
        await using var own = new LimitedHost();
        await own.InitializeAsync();
        var ben = new TestOperator("ben");
        await own.AllowAsync(own.Ada.Line("actions=all"), ben.Line());
        using var adas = own.Operator(own.Ada);
        using var bens = own.Operator(ben);
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => bens.GetAsync("/admin/v1/status")));
        answers.Count(a => a.StatusCode == HttpStatusCode.TooManyRequests).ShouldBeGreaterThan(2);
        (await adas.GetAsync("/admin/v1/status")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    private async Task<string> LastEntryAsync(string action) => (string)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
        $"select details from ledger_entries where tree = '{Guid.Empty}' and action = '{action}' order by id desc limit 1"))!;

    /// <summary>Not one byte above TLS.</summary>
    private async Task NothingAsync(X509Certificate2? certificate)
    {
        try
        {
            await using var tls = await ConnectAsync(certificate, SslProtocols.Tls13);
            // In TLS 1.3 the client is done before the server has seen its certificate.
            (await Probes.SendAsync(tls, "GET /admin/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").WaitAsync(TimeSpan.FromSeconds(10))).ShouldBeEmpty();
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            // refused already
        }
    }

    private async Task<SslStream> ConnectAsync(X509Certificate2? certificate, SslProtocols version)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(host.Settings.Admin!.Listen);
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            EnabledSslProtocols = version,
            // Offline: looking for its issuer must not be what the test sees of the server.
            ClientCertificateContext = certificate is null ? null : SslStreamCertificateContext.Create(certificate, null, offline: true),
            CertificateChainPolicy = host.Handler().SslOptions.CertificateChainPolicy,
        });
        return tls;
    }

    private sealed class LimitedHost : OperatorHost
    {
        protected override Settings Change(Settings settings)
        {
            var changed = base.Change(settings);
            return changed with { Admin = changed.Admin! with { PerKey = new RequestRate(6, 1) } };
        }
    }
}
