using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Appliance.Tests.TestServers;
using Xunit;

namespace Appliance.Browser.Sso;

/// <summary>
/// SimpleSAMLphp from Debian, as an identity provider with one person (anna, her password "anna-pass") in one group: PHP's own server behind TLS.
/// </summary>
public sealed class SimpleSaml : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-simplesaml-").FullName;
    private readonly TlsFront _front;
    private readonly Process _php;

    private SimpleSaml(TlsFront front, int port)
    {
        _front = front;
        Origin = new Uri($"https://127.0.0.1:{front.Port}/");
        foreach (var folder in new[] { "config", "metadata", "cert", "log", "tmp", "session" })
        {
            Directory.CreateDirectory(Path.Combine(_folder, folder));
        }
        IdpTls.WriteKeyPair(Path.Combine(_folder, "cert/idp.pem"), Path.Combine(_folder, "cert/idp.crt"));
        Write("config/config.php", Config());
        Write("config/authsources.php", """
            <?php
            $config = [
                'people' => ['exampleauth:UserPass', 'anna:anna-pass' => ['uid' => ['anna'], 'mail' => ['anna@example.org'], 'groups' => ['editors']]],
                'admin' => ['core:AdminPassword'],
            ];
            """);
        Write("metadata/saml20-idp-hosted.php", $$"""
            <?php
            $metadata['{{EntityId}}'] = ['host' => '__DEFAULT__', 'privatekey' => 'idp.pem', 'certificate' => 'idp.crt', 'auth' => 'people', 'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'];
            """);
        Write("metadata/saml20-sp-remote.php", "<?php");
        var start = new ProcessStartInfo("php", ["-d", "display_errors=0", "-d", "opcache.enable=0", "-S", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), "-t", "/usr/share/simplesamlphp/www"])
        {
            Environment = { ["SIMPLESAMLPHP_CONFIG_DIR"] = Path.Combine(_folder, "config"), ["PHP_CLI_SERVER_WORKERS"] = "4" },
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        _php = Process.Start(start)!;
        _php.ErrorDataReceived += (_, _) => { };
        _php.OutputDataReceived += (_, _) => { };
        _php.BeginErrorReadLine();
        _php.BeginOutputReadLine();
    }

    public Uri Origin { get; }

    public string EntityId => Origin + "idp";

    public static Task<SimpleSaml> StartAsync()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        return Task.FromResult(new SimpleSaml(new TlsFront(port), port));
    }

    /// <summary>The provider's metadata, as its administrator downloads it.</summary>
    public Task<string> MetadataAsync() => IdpTls.GetAsync(new Uri(Origin, "saml2/idp/metadata.php"), "EntityDescriptor");

    /// <summary>Lets a service provider in: requests must be signed by this key, assertions are encrypted to it (AES-128-CBC is all that it does with a public key).</summary>
    public void Register(string entityId, string acs, string certificate) => Write("metadata/saml20-sp-remote.php", $$"""
        <?php
        $metadata['{{entityId}}'] = [
            'AssertionConsumerService' => '{{acs}}', 'certData' => '{{certificate}}', 'validate.authnrequest' => true,
            'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent', 'simplesaml.nameidattribute' => 'uid', 'simplesaml.attributes' => true,
            'saml20.sign.assertion' => true, 'saml20.sign.response' => true,
            'assertion.encryption' => true,
        ];
        """);

    public string Log() => File.Exists(Path.Combine(_folder, "log/simplesamlphp.log")) ? File.ReadAllText(Path.Combine(_folder, "log/simplesamlphp.log")) : "";

    public async ValueTask DisposeAsync()
    {
        _php.Kill(entireProcessTree: true);
        await _php.WaitForExitAsync();
        _php.Dispose();
        await _front.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private void Write(string file, string text) => File.WriteAllText(Path.Combine(_folder, file), text);

    private string Config() => $$"""
        <?php
        $config = [
            'baseurlpath' => '{{Origin}}', 'certdir' => '{{_folder}}/cert/', 'loggingdir' => '{{_folder}}/log/', 'datadir' => '{{_folder}}/tmp/', 'tempdir' => '{{_folder}}/tmp',
            'metadatadir' => '{{_folder}}/metadata', 'timezone' => 'UTC', 'secretsalt' => '{{Guid.NewGuid():N}}', 'auth.adminpassword' => '{{Guid.NewGuid():N}}',
            'technicalcontact_name' => 'Nobody', 'technicalcontact_email' => 'nobody@example.org', 'admin.checkforupdates' => false, 'admin.protectmetadata' => false,
            'logging.level' => SimpleSAML\Logger::DEBUG, 'logging.handler' => 'file', 'logging.logfile' => 'simplesamlphp.log', 'showerrors' => true, 'errorreporting' => false,
            'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
            'session.cookie.secure' => true, 'session.cookie.samesite' => 'None', 'session.phpsession.savepath' => '{{_folder}}/session', 'session.phpsession.cookiename' => 'SimpleSAML',
            'session.cookie.name' => 'SimpleSAMLSessionID', 'store.type' => 'phpsession', 'language.available' => ['en'], 'language.default' => 'en', 'language.rtl' => [],
            'theme.use' => 'default', 'usenewui' => false, 'metadata.sources' => [['type' => 'flatfile', 'directory' => '{{_folder}}/metadata']], 'production' => true,
            'authproc.idp' => [], 'authproc.sp' => [], 'trusted.url.domains' => null,
        ];
        """;
}

internal sealed class SimpleSamlFactAttribute : FactAttribute
{
    public SimpleSamlFactAttribute()
    {
        if (!File.Exists("/usr/share/simplesamlphp/www/index.php"))
        {
            Skip = "This Debian has no package simplesamlphp (13 left it out); the test with saml-idp runs.";
        }
    }
}
