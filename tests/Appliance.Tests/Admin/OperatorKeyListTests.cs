using System.Collections;
using System.Security.Cryptography;
using System.Text;
using Appliance.Admin;
using Appliance.Tests.TestServers;
using Appliance.Web;

namespace Appliance.Tests.Admin;

/// <summary>What a list of keys allows, and what it does not: a line that cannot be used allows nobody.</summary>
[Trait("Requirement", "O5")]
public sealed class OperatorKeyListTests : IDisposable
{
    private readonly string _file = Path.Combine(Directory.CreateTempSubdirectory("appliance-keys-").FullName, "operators");
    private readonly TestOperator _ada = new("ada");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_file)!, recursive: true);

    [Fact]
    public void A_line_allows_a_key_what_it_names_and_without_naming_anything_only_the_status()
    {
        var ben = new TestOperator("ben@example.org");
        var (keys, problems) = Read($"# operators\r\n\n  {_ada.Line("actions=teams,quota")}\r\n\t# and\n{ben.Line()}\n");
        problems.ShouldBeEmpty();
        keys.Select(k => (k.Name, k.Fingerprint)).ShouldBe([("ada", _ada.Fingerprint), ("ben@example.org", ben.Fingerprint)]);
        (keys[0].May("teams"), keys[0].May("quota"), keys[0].May("status"), keys[0].May("users")).ShouldBe((true, true, false, false));
        AdminActions.All.Where(keys[1].May).ShouldBe(["status"]);
        AdminActions.All.ShouldAllBe(action => Read(_ada.Line("actions=all")).Keys[0].May(action));
    }

    public static TheoryData<string> Garbage()
    {
        using var p256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var rsa = RSA.Create(2048);
        var good = p256.ExportSubjectPublicKeyInfo();
        string Base64(byte[] bytes) => Convert.ToBase64String(bytes);
        var offCurve = good.ToArray();
        offCurve[^1] ^= 1;
        return
        [
            "ada",
            $"ada {Base64(good)}",
            $"ada ecdsa-p256",
            $"ada ecdsa-p256 {Base64(good)} actions=all more",
            $"ada ecdsa-p256 {Base64(good)} all",
            $"ada ecdsa-p256 {Base64(good)} actions=",
            $"ada ecdsa-p256 {Base64(good)} actions=status,",
            $"ada ecdsa-p256 {Base64(good)} actions=status,everything",
            $"ada ecdsa-p256 {Base64(good)} Actions=all",
            $"ada ecdsa-p256 {Base64(good)[..^4]}",
            $"ada ecdsa-p256 {Base64([.. good, 0])}",
            $"ada ecdsa-p256 {Base64(offCurve)}",
            $"ada ecdsa-p256 {Base64(p384.ExportSubjectPublicKeyInfo())}",
            $"ada ecdsa-p256 {Base64(p256.ExportPkcs8PrivateKey())}",
            $"ada ecdsa-p256 {Base64(rsa.ExportSubjectPublicKeyInfo())}",
            $"ada rsa {Base64(rsa.ExportSubjectPublicKeyInfo())}",
            $"ada ed25519 {Base64(good)}",
            $"ada ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0",
            $"-ada ecdsa-p256 {Base64(good)}",
            $"a/da ecdsa-p256 {Base64(good)}",
            $"äda ecdsa-p256 {Base64(good)}",
            $"{new string('a', 65)} ecdsa-p256 {Base64(good)}",
            $"ada ecdsa-p256 {Base64(good)} {new string(' ', 1024)}",
            "ada\0 ecdsa-p256 " + Base64(good),
            "-----BEGIN PRIVATE KEY-----",
        ];
    }

    [Theory, MemberData(nameof(Garbage))]
    public void A_line_that_is_none_allows_nobody_is_named_by_its_number_and_stops_the_start(string line)
    {
        var (keys, problems) = Read($"{_ada.Line().Replace("ada ", "first ", StringComparison.Ordinal)}\n{line}\n");
        keys.Select(k => k.Name).ShouldBe(["first"]);
        problems.Single().ShouldContain("line 2 ");
        problems.Single().ShouldNotContain(line.Length > 20 ? line[4..] : line + ";");
        // Environment variables hold no null characters.
        Should.Throw<SettingsException>(() => SettingsReader.Read(new Hashtable { ["APPLIANCE_OPERATOR_KEYS"] = line })).Message.ShouldContain("APPLIANCE_OPERATOR_KEYS: line 1 ");
    }

    [Fact]
    public void One_name_is_one_key_and_one_key_one_name()
    {
        Read($"{_ada.Line()}\n{new TestOperator("ada").Line("actions=all")}").Problems.Single().ShouldContain("line 2 has the name");
        Read($"{_ada.Line()}\n{_ada.Line("actions=all").Replace("ada ", "ben ", StringComparison.Ordinal)}").Problems.Single().ShouldContain("line 2 has the key");
    }

    [Fact]
    public void A_list_that_is_too_large_allows_nobody()
    {
        File.WriteAllText(_file, _ada.Line() + "\n" + new string('#', OperatorKeyList.MostBytes));
        var (keys, problems) = OperatorKeyList.Read(new AdminSettings { KeysFile = _file });
        keys.ShouldBeEmpty();
        problems.Single().ShouldContain("64 KiB");
        OperatorKeyList.Read(new AdminSettings { Keys = File.ReadAllText(_file) }).Keys.ShouldBeEmpty();

        var many = Enumerable.Range(0, OperatorKeyList.MostKeys + 1).Select(i => new TestOperator("o" + i).Line()).ToList();
        var (most, more) = Read(string.Join('\n', many));
        most.Count.ShouldBe(OperatorKeyList.MostKeys);
        more.Single().ShouldContain("256 keys");
    }

    [Fact]
    public void A_file_that_is_missing_or_that_others_can_write_allows_nobody_and_stops_the_start()
    {
        OperatorKeyList.Read(new AdminSettings { KeysFile = _file }).Problems.Single().ShouldContain("missing");
        foreach (var mode in new[] { UnixFileMode.GroupWrite, UnixFileMode.OtherWrite })
        {
            File.WriteAllText(_file, _ada.Line());
            File.SetUnixFileMode(_file, UnixFileMode.UserRead | UnixFileMode.UserWrite | mode);
            var (keys, problems) = OperatorKeyList.Read(new AdminSettings { KeysFile = _file });
            keys.ShouldBeEmpty();
            problems.Single().ShouldContain("chmod go-w");
            Should.Throw<SettingsException>(() => SettingsReader.Read(new Hashtable { ["APPLIANCE_OPERATOR_KEYS_FILE"] = _file })).Message.ShouldContain("APPLIANCE_OPERATOR_KEYS_FILE");
        }
    }

    [Fact]
    public void File_and_environment_are_one_list()
    {
        File.WriteAllText(_file, new TestOperator("ben").Line());
        var (keys, problems) = OperatorKeyList.Read(new AdminSettings { KeysFile = _file, Keys = _ada.Line() });
        (string.Join(' ', keys.Select(k => k.Name)), problems.Count).ShouldBe(("ada ben", 0));
    }

    [Fact]
    public void Without_keys_there_is_no_port_and_its_port_is_its_own()
    {
        SettingsReader.Read(new Hashtable { ["APPLIANCE_ADMIN_LISTEN"] = "127.0.0.1:8444" }).Admin.ShouldBeNull();
        var settings = SettingsReader.Read(new Hashtable { ["APPLIANCE_OPERATOR_KEYS"] = _ada.Line() });
        settings.Admin!.Listen.ToString().ShouldBe("127.0.0.1:8444");
        foreach (var taken in new[] { "127.0.0.1:8443", "127.0.0.1:9464" })
        {
            Should.Throw<SettingsException>(() => SettingsReader.Read(new Hashtable { ["APPLIANCE_OPERATOR_KEYS"] = _ada.Line(), ["APPLIANCE_ADMIN_LISTEN"] = taken }))
                .Message.ShouldContain("APPLIANCE_ADMIN_LISTEN");
        }
    }

    private static (IReadOnlyList<OperatorKey> Keys, IReadOnlyList<string> Problems) Read(string text) => OperatorKeyList.Read(new AdminSettings { Keys = text });
}
