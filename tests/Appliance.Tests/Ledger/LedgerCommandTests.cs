using System.Text.Json;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Ledger;

/// <summary>The operator's verbs: what they print and how they end.</summary>
public sealed class LedgerCommandTests : IAsyncLifetime
{
    private LedgerDatabase _ledger = null!;
    private UserId _anna;
    private TeamId _team;
    private string _reference = "";

    public async Task InitializeAsync()
    {
        _ledger = await LedgerDatabase.CreateAsync();
        _anna = await _ledger.PersonAsync("anna");
        _team = await _ledger.SealedTeamAsync(_anna, 3, 6);
        await using var session = await _ledger.Database.ForTeamAsync(_team, _anna, default);
        _reference = await session.Query<Team>().Select(t => t.Reference).SingleAsync();
    }

    public Task DisposeAsync()
    {
        _ledger.Dispose();
        return Task.CompletedTask;
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_intact_ledger_is_said_to_be_so()
    {
        (await RunAsync("verify")).ShouldBe((0, $"appliance: intact. 0 entries sealed under 0 heads.\n{_reference}: intact. 6 entries sealed under 2 heads.\n", ""));
        (await RunAsync("verify", "--tree", _reference)).Code.ShouldBe(0);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task Damage_is_told_in_words_and_as_data()
    {
        await _ledger.TamperAsync($"update ledger_entries set action = 'x' where id = (select entry_id from ledger_leaves where tree = '{_team.Value}' and index = 4)");
        var (code, output, _) = await RunAsync("verify");
        code.ShouldBe(1);
        output.ShouldContain($"{_reference}: DAMAGED.");
        output.ShouldContain("number 4");
        output.ShouldContain("was edited");
        (await RunAsync("verify", "--tree", "appliance")).Code.ShouldBe(0);

        (code, output, _) = await RunAsync("verify", "--tree", _reference, "--json");
        code.ShouldBe(1);
        using var json = JsonDocument.Parse(output);
        json.RootElement.GetProperty("intact").GetBoolean().ShouldBeFalse();
        var finding = json.RootElement.GetProperty("report").GetProperty("findings")[0];
        finding.GetProperty("damage").GetString().ShouldBe("EntryEdited");
        finding.GetProperty("index").GetInt64().ShouldBe(4);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task Heads_that_were_printed_before_tell_of_a_ledger_cut_back()
    {
        var file = Path.Combine(_ledger.Folder, "heads.jsonl");
        var (code, heads, _) = await RunAsync("heads");
        code.ShouldBe(0);
        var head = SignedHead.Parse(heads.TrimEnd('\n'));
        head.Head.Tree.ShouldBe(_team.Value);
        head.Head.Size.ShouldBe(6);
        _ledger.Keys.Verify(head).ShouldBeTrue();
        await File.WriteAllTextAsync(file, heads);
        (await RunAsync("verify", "--heads", file)).Code.ShouldBe(0);

        await _ledger.TamperAsync($"""
            delete from ledger_entries where id in (select entry_id from ledger_leaves where tree = '{_team.Value}' and index >= 3);
            delete from ledger_leaves where tree = '{_team.Value}' and index >= 3; delete from ledger_heads where tree = '{_team.Value}' and size > 3
            """);
        (await RunAsync("verify")).Code.ShouldBe(0);
        (code, var output, _) = await RunAsync("verify", "--heads", file);
        code.ShouldBe(1);
        output.ShouldContain("was kept elsewhere; here the ledger ends at 3");

        await _ledger.TamperAsync($"delete from memberships where team_id = '{_team.Value}'; delete from teams where id = '{_team.Value}'");
        (code, output, _) = await RunAsync("verify", "--heads", file);
        code.ShouldBe(1);
        output.ShouldContain("there is no such tree");
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task What_could_not_be_checked_is_neither_intact_nor_damaged()
    {
        var file = Path.Combine(_ledger.Folder, "heads.jsonl");
        (await RunAsync()).Code.ShouldBe(2);
        (await RunAsync("verify", "--tree")).Code.ShouldBe(2);
        (await RunAsync("heads", "--json")).Code.ShouldBe(2);
        (await RunAsync("verify", "--tree", "nowhere")).ShouldBe((2, "", "There is no tree called 'nowhere'.\n"));
        (await RunAsync("verify", "--heads", file)).ShouldBe((2, "", $"'{file}' cannot be read.\n"));
        await File.WriteAllTextAsync(file, "{}");
        (await RunAsync("verify", "--heads", file)).Code.ShouldBe(2);
        var foreign = Path.Combine(_ledger.Folder, "foreign.key");
        TreeHeadSigner.Create(foreign);
        using (var other = TreeHeadSigner.Open(foreign))
        {
            var head = new TreeHead(_team.Value, 6, MerkleTree.HashLeaf([]), DateTimeOffset.UtcNow);
            await File.WriteAllTextAsync(file, new SignedHead(head, LedgerKeys.IdOf(other.PublicKey), other.Sign(head)).ToJson());
        }
        (await RunAsync("verify", "--heads", file)).ShouldBe((2, "", $"Line 1 of '{file}' is not signed by a key of this appliance.\n"));

        var settings = Settings with { DataFolder = "/nonexistent" };
        (await RunAsync(settings, "verify")).Code.ShouldBe(2);
        (await RunAsync(Settings with { DatabaseHost = "/nonexistent" }, "verify")).ShouldBe((2, "", "The database cannot be reached right now.\n"));
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task Heads_of_a_key_that_was_replaced_are_believed_while_its_public_half_is_kept()
    {
        var folder = Path.GetDirectoryName(_ledger.KeyFile)!;
        File.Move(_ledger.KeyFile, Path.Combine(_ledger.Folder, "old.key"));
        TreeHeadSigner.Create(_ledger.KeyFile);
        var (code, output, _) = await RunAsync("verify");
        code.ShouldBe(1);
        output.ShouldContain("signed with a key that is not known here");

        await File.WriteAllTextAsync(Path.Combine(folder, "ledger-2026.pub"),
            System.Security.Cryptography.PemEncoding.WriteString("PUBLIC KEY", _ledger.Keys.Signer.PublicKey));
        (await RunAsync("verify")).Code.ShouldBe(0);
    }

    [Fact, Trait("Requirement", "W1"), Trait("Requirement", "T1")]
    public async Task Only_owners_find_the_ledger_to_read_and_it_pages_newest_first()
    {
        var (ben, cleo) = (await _ledger.PersonAsync("ben"), await _ledger.PersonAsync("cleo"));
        await using (var session = await _ledger.Database.ForTeamAsync(_team, _anna, default))
        {
            session.Add(new Membership { TeamId = _team, UserId = ben, Role = Membership.Member, Since = DateTimeOffset.UtcNow, AddedBy = _anna });
            await session.CommitAsync(default);
        }
        await _ledger.RecordAsync(_team, _anna, [.. Enumerable.Range(0, LedgerList.PageSize).Select(i => $"new.{i}")]);
        var list = new LedgerList(_ledger.Database);
        (await list.FindAsync(_reference, ben, default)).ShouldBeNull();
        (await list.FindAsync(_reference, cleo, default)).ShouldBeNull();
        (await list.FindAsync("nowhere", _anna, default)).ShouldBeNull();
        var team = (await list.FindAsync(_reference, _anna, default))!;

        var first = await list.ReadAsync(team.Id, _anna, LedgerFilter.None, null, default);
        first.Lines.Select(l => l.Action).ShouldBe(Enumerable.Range(0, LedgerList.PageSize).Reverse().Select(i => $"new.{i}"));
        first.Lines.ShouldAllBe(l => l.Index == null && l.Who == "anna" && l.Address == "192.0.2.1");
        var second = await list.ReadAsync(team.Id, _anna, LedgerFilter.None, first.Next, default);
        second.Lines.Select(l => l.Index).ShouldBe([5, 4, 3, 2, 1, 0]);
        second.Next.ShouldBeNull();
        (await list.ReadAsync(team.Id, cleo, LedgerFilter.None, null, default)).Lines.ShouldBeEmpty();
    }

    private Settings Settings => new() { DataFolder = _ledger.Folder, DatabaseHost = _ledger.Cluster.Socket, DatabaseName = _ledger.Name };

    private Task<(int Code, string Output, string Error)> RunAsync(params string[] args) => RunAsync(Settings, args);

    private static async Task<(int Code, string Output, string Error)> RunAsync(Settings settings, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await LedgerCommands.RunAsync(args, settings, output, error, default);
        return (code, output.ToString(), error.ToString());
    }
}
