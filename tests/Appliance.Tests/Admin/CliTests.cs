using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Appliance.Admin;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Admin;

/// <summary>appliancectl as an operator starts it, against the real port: what it prints and how it ends.</summary>
[Trait("Requirement", "O5")]
public sealed class CliTests : IClassFixture<OperatorHost>, IDisposable
{
    private readonly OperatorHost _host;
    private readonly string _folder = Directory.CreateTempSubdirectory("appliancectl-").FullName;

    public CliTests(OperatorHost host) => _host = host;

    private string Key => Path.Combine(_folder, "operator.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task From_a_new_key_to_the_first_answer()
    {
        var made = await RunAsync("keygen", "grace", "--actions", "all");
        made.Code.ShouldBe(0, made.Error);
        made.Output.ShouldStartWith("grace ecdsa-p256 ");
        made.Output.ShouldEndWith(" actions=all\n");
        File.GetUnixFileMode(Key).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        // Not on the list yet: no more than that is to be learnt.
        var stranger = await RunAsync("status");
        (stranger.Code, stranger.Output).ShouldBe((3, ""));
        stranger.Error.ShouldContain("not on its list");
        await _host.AllowAsync(_host.Ada.Line("actions=all"), made.Output.Trim());
        var status = await RunAsync("status");
        status.Code.ShouldBe(0, status.Error);
        status.Output.ShouldStartWith("ready, version ");
        // A key is never replaced, and one that others can read is not used.
        var again = await RunAsync("keygen", "grace");
        again.Code.ShouldBe(2);
        again.Error.ShouldContain("is there already");
        File.SetUnixFileMode(Key, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        (await RunAsync("status")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task Every_command_has_a_table_for_people_and_json_for_machines()
    {
        await UseAdaAsync();
        using var person = await Person.NewAsync(_host);
        var team = await person.TeamAsync();
        foreach (var (command, expected) in new (string[] Command, string Expected)[]
        {
            (["status"], "people"), (["teams"], team), (["users"], person.Username), (["quota", "show", team], "any (the appliance's default)"), (["config", "check"], "operator-keys"), (["ledger", "verify"], "appliance: intact."), (["errors", "list"], "LAST SEEN"), (["keys", "status"], "appliance key"),
        })
        {
            var table = await RunAsync(command);
            (table.Code, table.Error).ShouldBe((0, ""), string.Join(' ', command));
            table.Output.ShouldContain(expected);
            var json = await RunAsync([.. command, "--json"]);
            (json.Code, json.Error).ShouldBe((0, ""));
            JsonDocument.Parse(json.Output).RootElement.ValueKind.ShouldBe(JsonValueKind.Object);
        }
        (await RunAsync("ledger", "heads")).Output.ShouldContain("\"signature\"");
        (await RunAsync("ledger", "verify", "--tree", team)).Output.ShouldStartWith(team + ": intact.");
    }

    [Fact]
    public async Task Keys_are_rotated_and_how_it_goes_is_shown()
    {
        await UseAdaAsync();
        using var person = await Person.NewAsync(_host);
        var team = await person.TeamAsync();
        (await RunAsync("keys", "rotate", "team", team)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Error), r => r.Output.ShouldStartWith("Asked for: 1."));
        (await RunAsync("keys", "rotate", "team", team)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(5), r => r.Error.ShouldContain("being rotated already"));
        (await RunAsync("keys", "rotate", "team", Appliance.Data.Reference.New())).Code.ShouldBe(5);
        (await RunAsync("keys", "rotate", "team")).Code.ShouldBe(2);
        (await RunAsync("keys", "rotate", "appliance", "--json")).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Error), r => r.Output.ShouldBe("{\"asked\":1}\n"));
        // The job of the running service, as it is.
        await Appliance.Tests.Ledger.SealerTests.Eventually(async () => (await RunAsync("keys", "status")).Output.Split('\n').Count(line => line.Contains("keeping", StringComparison.Ordinal)) == 2);
        (await RunAsync("keys", "status")).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Error), r => r.Output.ShouldContain($"{team}  "), r => r.Output.ShouldContain("older ones kept under it: 1"));
        await _host.AllowAsync(_host.Ada.Line("actions=status"));
        (await RunAsync("keys", "status")).Code.ShouldBe(4);
        (await RunAsync("keys", "rotate", "appliance")).Code.ShouldBe(4);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task The_appliances_tree_is_exported_and_verified_without_a_server()
    {
        await UseAdaAsync();
        (await RunAsync("status")).Code.ShouldBe(0);
        var (file, key) = (Path.Combine(_folder, "ledger.jsonl"), _host.Services.GetRequiredService<Appliance.Ledger.LedgerKeys>().KeyId);
        await Appliance.Tests.Ledger.SealerTests.Eventually(async () => (await RunAsync("ledger", "export", file)).Code == 0);
        (await RunAsync("ledger", "verify-export", file, "--signed-by", key)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Output), r => r.Output.ShouldContain("as they were sealed"));
        (await RunAsync("ledger", "verify-export", file)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(6), r => r.Output.ShouldContain("NOT KNOWN"));
        (await RunAsync("ledger", "verify-export", file, "--signed-by", new string('0', 64))).Code.ShouldBe(1);
        (await RunAsync("ledger", "verify-export", file, "--signed-by", "none")).Code.ShouldBe(2);
        // Interrupted within a line: the same command goes on.
        await using (var cut = new FileStream(file, FileMode.Open))
        {
            cut.SetLength(cut.Length * 2 / 3);
        }
        (await RunAsync("ledger", "verify-export", file, "--signed-by", key)).Code.ShouldBe(1);
        (await RunAsync("ledger", "export", file)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Error));
        (await RunAsync("ledger", "verify-export", file, "--signed-by", key)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Output));
        (await RunAsync("ledger", "verify-proof", file, "--signed-by", key)).Code.ShouldBe(1);
        // The key that may verify may not read.
        await _host.AllowAsync(_host.Ada.Line("actions=ledger"));
        (await RunAsync("ledger", "export", file)).Code.ShouldBe(4);
        await File.WriteAllTextAsync(file, "something else\n");
        (await RunAsync("ledger", "export", file)).Code.ShouldBe(2);
        (await File.ReadAllTextAsync(file)).ShouldBe("something else\n");
    }

    [Fact, Trait("Requirement", "F10")]
    public async Task A_quota_is_set_with_units_and_taken_back()
    {
        await UseAdaAsync();
        using var person = await Person.NewAsync(_host);
        var team = await person.TeamAsync();
        (await RunAsync("quota", "set", team, "--bytes", "3GiB", "--files", "10")).Output.ShouldContain("of 3.0 GiB");
        (await RunAsync("quota", "set", team, "--bytes", "none")).Output.ShouldContain("0 of 10");
        (await RunAsync("quota", "set", team, "--files", "default")).Output.ShouldContain("0 of any (the appliance's default)");
        foreach (var wrong in new[] { "3GB", "-1", "", "3 GiB", "1e9", "99999999TiB" })
        {
            (await RunAsync("quota", "set", team, "--bytes=" + wrong)).Code.ShouldBe(2, wrong);
        }
        (await RunAsync("quota", "set", team)).Code.ShouldBe(2);
        (await RunAsync("quota", "set", Appliance.Data.Reference.New(), "--files", "1")).Code.ShouldBe(5);
        (await RunAsync("quota", "show", "../../v1/users")).Code.ShouldBe(5);
        (await RunAsync("errors", "close", Appliance.Data.Reference.New())).Code.ShouldBe(5);
    }

    [Fact]
    public async Task Break_glass_is_asked_for_listed_read_and_ended()
    {
        await UseAdaAsync();
        using var person = await Person.NewAsync(_host);
        var team = await person.TeamAsync("Glass");
        using var content = new ByteArrayContent("the plan"u8.ToArray());
        using var made = await person.Http.PostAsync($"/api/v1/teams/{team}/files?name=plan.txt", content);
        var file = JsonDocument.Parse(await made.Content.ReadAsStringAsync()).RootElement.GetProperty("reference").GetString()!;
        var asked = await RunAsync("breakglass", "ask", team, "--reason", "Nobody reaches the owner", "--hours", "2", "--json");
        asked.Code.ShouldBe(0, asked.Error);
        var grant = JsonDocument.Parse(asked.Output).RootElement.GetProperty("reference").GetString()!;
        (await RunAsync("breakglass", "list")).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0), r => r.Output.ShouldContain("APPROVABLE"), r => r.Output.ShouldContain(grant), r => r.Output.ShouldContain("Nobody reaches the owner"));
        JsonDocument.Parse((await RunAsync("breakglass", "list", "--json")).Output).RootElement.GetProperty("grants").EnumerateArray().ShouldContain(g => g.GetProperty("reference").GetString() == grant);
        var target = Path.Combine(_folder, "plan.txt");
        (await RunAsync("breakglass", "files", grant)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(5), r => r.Error.ShouldContain("Nobody has answered yet"));
        (await RunAsync("breakglass", "get", grant, file, target)).Code.ShouldBe(5);
        File.Exists(target).ShouldBeFalse();
        (await RunAsync("breakglass", "approve", grant)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(4), r => r.Error.ShouldContain("This key asked for it"));

        await _host.Cluster.SuperuserAsync(_host.Settings.DatabaseName, $"update break_glass_grants set answer = 'consented', answered_at = now(), ends_at = now() + interval '2 hours', answered_by = '{person.Id}' where reference = '{grant}'");
        (await RunAsync("breakglass", "files", grant)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Error), r => r.Output.ShouldContain("plan.txt"), r => r.Output.ShouldContain(file));
        JsonDocument.Parse((await RunAsync("breakglass", "files", grant, "--json")).Output).RootElement.GetProperty("files").EnumerateArray().Single().GetProperty("size").GetInt64().ShouldBe(8);
        (await RunAsync("breakglass", "files", grant, "--folder", file)).Code.ShouldBe(5);
        var got = await RunAsync("breakglass", "get", grant, file, target);
        (got.Code, got.Error).ShouldBe((0, ""));
        (await File.ReadAllTextAsync(target)).ShouldBe("the plan");
        File.GetUnixFileMode(target).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (await RunAsync("breakglass", "get", grant, file, target)).Code.ShouldBe(2); // never over a file that is there
        (await RunAsync("breakglass", "end", grant)).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Error), r => r.Output.ShouldContain("ended"));
        (await RunAsync("breakglass", "end", grant)).Code.ShouldBe(5);
        (await RunAsync("breakglass", "files", grant)).Code.ShouldBe(5);
        (await RunAsync("breakglass", "ask", team, "--reason", "short")).Code.ShouldBe(5);
        (await RunAsync("breakglass", "ask", team)).Code.ShouldBe(2);
        (await RunAsync("breakglass", "ask", Appliance.Data.Reference.New(), "--reason", "Nobody reaches the owner")).Code.ShouldBe(5);
        (await RunAsync("breakglass", "end", "../users")).Code.ShouldBe(5);
        await _host.AllowAsync(_host.Ada.Line("actions=status"));
        (await RunAsync("breakglass", "list")).Code.ShouldBe(4);
    }

    [Fact]
    public async Task It_ends_with_a_code_that_says_why()
    {
        await UseAdaAsync();
        (await RunAsync()).Code.ShouldBe(2);
        (await RunAsync("no-such-command")).Code.ShouldBe(2);
        (await RunAsync("status", "--server", "http://localhost:8444")).Code.ShouldBe(2);
        (await RunAsync("status", "--key", "/nonexistent")).Code.ShouldBe(2);
        (await RunAsync("status", "--ca", "/nonexistent")).Code.ShouldBe(2);
        (await RunAsync("keygen", "a/b", "--out", Path.Combine(_folder, "x"))).Code.ShouldBe(2);
        (await RunAsync("status", "--server", "https://localhost:1")).Code.ShouldBe(3);
        // Another authority, another name, the public port: nobody to give a command to.
        var other = Path.Combine(_folder, "other.pem");
        await File.WriteAllTextAsync(other, new TestAuthority().Pem);
        var stranger = await RunAsync("status", "--ca", other);
        (stranger.Code, stranger.Output).ShouldBe((3, ""));
        stranger.Error.ShouldContain("is not who it should be");
        (await RunAsync("status", "--server", $"https://{Environment.MachineName}:{_host.Settings.Admin!.Listen.Port}")).Code.ShouldBe(3);
        (await RunAsync("status", "--server", _host.Settings.Origin.ToString())).Code.ShouldBe(5);
        (await RunAsync("--help")).Code.ShouldBe(0);
        (await RunAsync("--version")).Code.ShouldBe(0);
    }

    [Fact]
    public async Task A_key_without_the_action_ends_with_4()
    {
        var made = await RunAsync("keygen", "linus");
        await _host.AllowAsync(_host.Ada.Line("actions=all"), made.Output.Trim());
        (await RunAsync("status")).Code.ShouldBe(0);
        var refused = await RunAsync("users", "--json");
        (refused.Code, refused.Output).ShouldBe((4, ""));
        refused.Error.ShouldContain("may not do 'users'");
    }

    [Fact]
    public async Task What_is_not_well_ends_with_1()
    {
        await using var own = new OperatorHost();
        await own.InitializeAsync();
        await File.WriteAllTextAsync(Key, own.Ada.Key.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(Key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (await RunAsync(own, "ledger", "verify")).Code.ShouldBe(0);
        await own.AllowAsync(own.Ada.Line("actions=all"), "nonsense");
        var config = await RunAsync(own, "config", "check");
        config.Code.ShouldBe(1);
        config.Output.ShouldContain("WRONG  operator-keys");
        (await RunAsync(own, "config", "check", "--json")).Code.ShouldBe(1);
        await Task.Delay(1500); // sealed
        await own.Cluster.SuperuserAsync(own.Settings.DatabaseName, "set session_replication_role = replica; update ledger_entries set details = '{}' where action = 'operator.looked'");
        var damaged = await RunAsync(own, "ledger", "verify", "--tree", "appliance");
        damaged.Code.ShouldBe(1);
        damaged.Output.ShouldContain("appliance: DAMAGED.");
    }

    [Fact]
    public async Task Server_key_and_authority_come_from_a_file_the_environment_and_options_in_that_order()
    {
        await UseAdaAsync();
        Directory.CreateDirectory(Path.Combine(_folder, "appliancectl"));
        var settings = Path.Combine(_folder, "appliancectl", "config");
        await File.WriteAllTextAsync(settings, $"# where\nserver = {_host.AdminOrigin}\nkey={Key}\nca={_host.AuthorityFile}\n");
        (await StartAsync([], ["status"])).Code.ShouldBe(0);
        (await StartAsync(new() { ["APPLIANCECTL_SERVER"] = "https://localhost:1" }, ["status"])).Code.ShouldBe(3);
        (await StartAsync(new() { ["APPLIANCECTL_SERVER"] = "https://localhost:1" }, ["status", "--server", _host.AdminOrigin.ToString()])).Code.ShouldBe(0);
        await File.WriteAllTextAsync(settings, "password=x\n");
        (await StartAsync([], ["status"])).Code.ShouldBe(2);
    }

    [Fact]
    public async Task What_people_named_cannot_write_to_the_terminal()
    {
        await UseAdaAsync();
        await _host.Cluster.SuperuserAsync(_host.Settings.DatabaseName, $"insert into teams (id, reference, name, created_at) values (gen_random_uuid(), '{Appliance.Data.Reference.New()}', E'evil\\x1b[2J\\u202egnp', now())");
        var teams = await RunAsync("teams");
        teams.Output.ShouldContain("evil\uFFFD[2J\uFFFDgnp");
        teams.Output.ShouldNotContain("\u001b");
    }

    [Fact]
    public async Task A_browser_gets_the_key_in_a_file_under_a_password()
    {
        await UseAdaAsync();
        var (file, password) = (Path.Combine(_folder, "ada.p12"), Path.Combine(_folder, "password"));
        await File.WriteAllTextAsync(password, "short\n");
        (await RunAsync("export", "ada", file, "--password-file", password)).Code.ShouldBe(2);
        await File.WriteAllTextAsync(password, "plinth gopher ravine\n");
        (await RunAsync("export", "ada", file, "--password-file", password)).Code.ShouldBe(0);
        File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Should.Throw<CryptographicException>(() => X509CertificateLoader.LoadPkcs12FromFile(file, "wrong"));
        using var certificate = X509CertificateLoader.LoadPkcs12FromFile(file, "plinth gopher ravine");
        OperatorKey.FingerprintOf(certificate).ShouldBe(_host.Ada.Fingerprint);
        using var client = _host.Operator(certificate);
        (await client.GetAsync("/admin/v1/status")).IsSuccessStatusCode.ShouldBeTrue();
    }

    private async Task UseAdaAsync()
    {
        await File.WriteAllTextAsync(Key, _host.Ada.Key.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(Key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await _host.AllowAsync(_host.Ada.Line("actions=all"));
    }

    private Task<Ended> RunAsync(params string[] arguments) => RunAsync(_host, arguments);

    private Task<Ended> RunAsync(OperatorHost host, params string[] arguments) => StartAsync(
        new() { ["APPLIANCECTL_SERVER"] = host.AdminOrigin.ToString(), ["APPLIANCECTL_KEY"] = Key, ["APPLIANCECTL_CA"] = host.AuthorityFile }, arguments);

    private async Task<Ended> StartAsync(Dictionary<string, string> environment, string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "appliancectl"), arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["XDG_CONFIG_HOME"] = _folder;
        if (!environment.ContainsKey("APPLIANCECTL_KEY"))
        {
            environment["APPLIANCECTL_KEY"] = "";
        }
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return new Ended(process.ExitCode, await output, await error);
    }

    private sealed record Ended(int Code, string Output, string Error);
}
