using System.Security.Cryptography;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Image.Examples;

/// <summary>compose/operators.yaml, with the client that is in the image.</summary>
[Collection(nameof(ImageCollection))]
[Trait("Requirement", "O5")]
public sealed class OperatorsTests(ITestOutputHelper output)
{
    [Fact]
    public async Task An_operator_is_let_in_by_a_key_and_cut_off_by_removing_its_line()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var line = $"ada ecdsa-p256 {Convert.ToBase64String(key.ExportSubjectPublicKeyInfo())} actions=all\n";
        using var files = new Secrets();
        await files.PutAsync("keys", line, 0, secret: false);
        await using var appliance = Composed.Prepare(Composed.Example("operators.yaml"));
        appliance.Variables["APPLIANCE_OPERATORS"] = files.Folder;
        appliance.Variables["APPLIANCE_ADMIN_PUBLISH"] = "127.0.0.1:0";
        await appliance.ComposeAsync("up", "--detach", "--wait", "--wait-timeout", "240");
        await ExampleChecks.ControlsHoldAsync(appliance, output, "web objects database");

        // From inside, where the port is 8444 and the authority's file is; the key comes in through a pipe.
        await appliance.InsideAsync("web", $"umask 077; echo '{Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()))}' | base64 -d >/tmp/key");
        const string Ctl = "appliancectl --key /tmp/key --ca /var/lib/appliance/web/certificates/authority.pem";
        (await appliance.InsideAsync("web", $"{Ctl} status")).ShouldStartWith("ready, version ");
        (await appliance.InsideAsync("web", $"{Ctl} config check")).ShouldContain("operators-role");
        (await appliance.InsideAsync("web", $"{Ctl} ledger verify")).ShouldContain("appliance: intact.");

        await files.PutAsync("keys", "# nobody\n", 0, secret: false);
        await Task.Delay(4000);
        var (code, _) = await appliance.TryComposeAsync("exec", "-T", "web", "sh", "-c", $"{Ctl} status");
        code.ShouldBe(3);
    }
}
