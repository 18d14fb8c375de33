using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Ledger;

/// <summary>An attacker with the database superuser's rights, and what verification says of each attack. Heads stand at 5, 10, 15 and 20.</summary>
public sealed class VerificationTests : IAsyncLifetime
{
    private LedgerDatabase _ledger = null!;
    private UserId _anna;
    private TeamId _team;
    private TeamId _other;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerDatabase.CreateAsync();
        _anna = await _ledger.PersonAsync("anna");
        _team = await _ledger.SealedTeamAsync(_anna, 5, 10, 15, 20);
        _other = await _ledger.SealedTeamAsync(_anna, 3);
    }

    public Task DisposeAsync()
    {
        _ledger.Dispose();
        return Task.CompletedTask;
    }

    [Theory, Trait("Requirement", "W1")]
    [InlineData("action = 'event.none'")]
    [InlineData("at = at + interval '1 microsecond'")]
    [InlineData("actor = null")]
    [InlineData("subject = null")]
    [InlineData("address = '192.0.2.2'")]
    [InlineData("details = '{}'")]
    public async Task An_edited_entry_is_named(string edit)
    {
        var id = await EntryAt(7);
        await _ledger.TamperAsync($"update ledger_entries set {edit} where id = '{id}'");
        var finding = await TheOneFindingAsync(LedgerDamage.EntryEdited);
        (finding.Index, finding.Entry).ShouldBe((7, id));
        finding.At.ShouldNotBeNull();
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task A_removed_entry_is_named()
    {
        var id = await EntryAt(12);
        await _ledger.TamperAsync($"delete from ledger_entries where id = '{id}'");
        var finding = await TheOneFindingAsync(LedgerDamage.EntryRemoved);
        (finding.Index, finding.Entry).ShouldBe((12, id));
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_inserted_entry_is_named()
    {
        var id = Guid.CreateVersion7();
        await _ledger.TamperAsync($"insert into ledger_entries (id, tree, at, action, details) values ('{id}', '{_team.Value}', now() - interval '1 day', 'x', '{{}}')");
        (await TheOneFindingAsync(LedgerDamage.EntryNotSealed)).Entry.ShouldBe(id);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_entry_that_waits_to_be_sealed_is_no_damage()
    {
        await _ledger.RecordAsync(_team, _anna, "waiting");
        var report = await _ledger.VerifyAsync(_team);
        report.Intact.ShouldBeTrue();
        report.Waiting.ShouldBe(1);
        report.OldestWaiting.ShouldNotBeNull();
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_entry_removed_before_it_was_sealed_is_named()
    {
        await _ledger.RecordAsync(_team, _anna, "waiting");
        await _ledger.TamperAsync($"delete from ledger_entries where tree = '{_team.Value}' and action = 'waiting'");
        (await TheOneFindingAsync(LedgerDamage.EntryRemoved)).Index.ShouldBeNull();
    }

    [Theory, Trait("Requirement", "W1")]
    [InlineData("update ledger_leaves set index = case index when 6 then 108 else 106 end where tree = '{0}' and index in (6, 8); update ledger_leaves set index = index - 100 where tree = '{0}' and index > 100")]
    [InlineData("create temp table x as select * from ledger_leaves where tree = '{0}' and index in (6, 8); delete from ledger_leaves where tree = '{0}' and index in (6, 8); insert into ledger_leaves select a.tree, a.index, b.entry_id, a.hash from x a join x b on a.index <> b.index")]
    public async Task Reordered_entries_are_named_with_the_place_that_each_was_sealed_at(string swap)
    {
        var (six, eight) = (await EntryAt(6), await EntryAt(8));
        await _ledger.TamperAsync(string.Format(CultureInfo.InvariantCulture, swap, _team.Value));
        var report = await _ledger.VerifyAsync(_team);
        report.Findings.Select(f => (f.Damage, f.Index, f.Last, f.Entry)).ShouldBe(
        [
            (LedgerDamage.EntryMoved, 6, 8, eight),
            (LedgerDamage.EntryMoved, 8, 6, six),
        ]);
        await OthersAreIntact();
    }

    [Theory, Trait("Requirement", "W1")]
    [InlineData(11, 11)]
    [InlineData(19, 19)]
    [InlineData(0, 3)]
    public async Task Missing_leaves_are_named(int from, int to)
    {
        await _ledger.TamperAsync($"delete from ledger_leaves where tree = '{_team.Value}' and index between {from} and {to}");
        var report = await _ledger.VerifyAsync(_team);
        report.Findings[0].ShouldSatisfyAllConditions(f => f.Damage.ShouldBe(LedgerDamage.LeavesMissing), f => (f.Index, f.Last).ShouldBe((from, to)));
        report.Findings.Skip(1).ShouldAllBe(f => f.Damage == LedgerDamage.EntryNotSealed);
        report.Findings.Count.ShouldBe(to - from + 2);
        await OthersAreIntact();
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_altered_leaf_is_told_from_an_edited_entry()
    {
        await _ledger.TamperAsync($"update ledger_leaves set hash = sha256(hash) where tree = '{_team.Value}' and index = 13");
        (await TheOneFindingAsync(LedgerDamage.LeafAltered)).Index.ShouldBe(13);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_entry_edited_with_its_leaf_recomputed_is_narrowed_to_the_range_between_two_heads()
    {
        await RewriteAsync(11);
        var finding = await TheOneFindingAsync(LedgerDamage.EntriesRewritten);
        (finding.Index, finding.Last, finding.EarlierSize, finding.Size).ShouldBe((10, 14, 10, 15));
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task The_last_entries_edited_with_their_leaves_recomputed_do_not_lead_to_the_last_head()
    {
        await RewriteAsync(17);
        var finding = await TheOneFindingAsync(LedgerDamage.HeadDoesNotFollow);
        (finding.EarlierSize, finding.Size).ShouldBe((15, 20));
    }

    [Theory, Trait("Requirement", "W1")]
    [InlineData("signature = sha256(signature) || sha256(root)")]
    [InlineData("root = sha256(root)")]
    [InlineData("signed_at = signed_at - interval '1 hour'")]
    [InlineData("key_id = 'unknown'")]
    [InlineData("frontier = set_byte(frontier, 12, get_byte(frontier, 12) # 1)")]
    public async Task An_altered_head_is_named(string edit)
    {
        await _ledger.TamperAsync($"update ledger_heads set {edit} where tree = '{_team.Value}' and size = 10");
        (await TheOneFindingAsync(LedgerDamage.HeadAltered)).Size.ShouldBe(10);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task A_head_that_is_well_signed_but_does_not_follow_is_named_with_both_sizes()
    {
        // Whoever holds the signing key as well still cannot make two stories fit into one tree.
        var frontier = new MerkleFrontier();
        for (var i = 0; i < 10; i++)
        {
            frontier.Append(MerkleTree.HashLeaf([(byte)i]));
        }
        var head = _ledger.Keys.Sign(new TreeHead(_team.Value, 10, frontier.Root(), DateTimeOffset.UtcNow));
        var at = (head.Head.SignedAt - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        await _ledger.TamperAsync($"""
            update ledger_heads set root = '\x{Convert.ToHexString(frontier.Root())}', frontier = '\x{Convert.ToHexString(frontier.Export())}',
                   signed_at = timestamptz 'epoch' + interval '1 microsecond' * {at}, signature = '\x{Convert.ToHexString(head.Signature.Span)}'
             where tree = '{_team.Value}' and size = 10
            """);
        var finding = await TheOneFindingAsync(LedgerDamage.HeadDoesNotFollow);
        (finding.EarlierSize, finding.Size).ShouldBe((5, 10));
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task A_removed_last_head_leaves_leaves_that_nothing_vouches_for()
    {
        await _ledger.TamperAsync($"delete from ledger_heads where tree = '{_team.Value}' and size = 20");
        var finding = await TheOneFindingAsync(LedgerDamage.LeavesUnsigned);
        (finding.Index, finding.Last).ShouldBe((15, 19));
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task A_ledger_cut_back_as_a_whole_shows_against_a_head_kept_elsewhere()
    {
        var kept = (await _ledger.Verification.LatestHeadAsync(_team.Value, default))!;
        (await _ledger.VerifyAsync(_team, kept)).Intact.ShouldBeTrue();
        await _ledger.TamperAsync($"""
            delete from ledger_entries where id in (select entry_id from ledger_leaves where tree = '{_team.Value}' and index >= 15);
            delete from ledger_leaves where tree = '{_team.Value}' and index >= 15; delete from ledger_heads where tree = '{_team.Value}' and size > 15
            """);

        (await _ledger.VerifyAsync(_team)).Intact.ShouldBeTrue("nothing inside can tell");
        var finding = (await _ledger.VerifyAsync(_team, kept)).Findings.ShouldHaveSingleItem();
        (finding.Damage, finding.Size, finding.EarlierSize).ShouldBe((LedgerDamage.CutBack, 20, 15));

        // Grown again past the size that was kept, it is another tree.
        await _ledger.RecordAsync(_team, _anna, "1", "2", "3", "4", "5", "6", "7");
        await _ledger.Sealer().SealAsync(default);
        (await _ledger.VerifyAsync(_team)).Intact.ShouldBeTrue();
        finding = (await _ledger.VerifyAsync(_team, kept)).Findings.ShouldHaveSingleItem();
        (finding.Damage, finding.Size).ShouldBe((LedgerDamage.KeptHeadDiffers, 20));
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task Several_kinds_of_damage_are_named_side_by_side()
    {
        var (one, twelve) = (await EntryAt(1), await EntryAt(12));
        await _ledger.TamperAsync($"update ledger_entries set action = 'x' where id = '{one}'; delete from ledger_entries where id = '{twelve}'; update ledger_leaves set hash = sha256(hash) where tree = '{_team.Value}' and index = 18");
        (await _ledger.VerifyAsync(_team)).Findings.Select(f => (f.Damage, f.Index)).ShouldBe(
            [(LedgerDamage.EntryEdited, 1), (LedgerDamage.EntryRemoved, 12), (LedgerDamage.LeafAltered, 18)]);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task Findings_are_counted_beyond_those_that_are_listed()
    {
        var team = await _ledger.SealedTeamAsync(_anna, 700);
        await _ledger.TamperAsync($"update ledger_entries set action = 'x' where tree = '{team.Value}'");
        var report = await _ledger.VerifyAsync(team);
        report.Findings.Count.ShouldBe(LedgerReport.MaxFindings);
        (report.Findings.Count + report.MoreFindings).ShouldBe(700);
    }

    private async Task<LedgerFinding> TheOneFindingAsync(LedgerDamage damage)
    {
        var report = await _ledger.VerifyAsync(_team);
        report.Intact.ShouldBeFalse();
        var finding = report.Findings.ShouldHaveSingleItem();
        finding.Damage.ShouldBe(damage, finding.What);
        await OthersAreIntact();
        return finding;
    }

    private async Task OthersAreIntact()
    {
        (await _ledger.VerifyAsync(_other)).Intact.ShouldBeTrue();
        (await _ledger.Verification.VerifyAsync(LedgerAppend.ApplianceTree, [], default)).Intact.ShouldBeTrue();
    }

    private async Task RewriteAsync(long index)
    {
        var id = await EntryAt(index);
        await _ledger.TamperAsync($"update ledger_entries set action = 'forged' where id = '{id}'");
        var entry = (await _ledger.ReadAsync<Forged>(_team.Value, $"""
            select id as "Id", at as "At", actor as "Actor", action as "Action", subject as "Subject", address as "Address", details as "Details"
              from ledger_entries where id = {id}
            """)).Single().ToEntry(_team.Value)!;
        await _ledger.TamperAsync($"update ledger_leaves set hash = '\\x{Convert.ToHexString(LeafEncoding.Hash(entry, index))}' where entry_id = '{id}'");
    }

    private async Task<Guid> EntryAt(long index) =>
        (await _ledger.ReadAsync<Guid>(_team.Value, $"""select entry_id as "Value" from ledger_leaves where tree = {_team.Value} and index = {index}""")).Single();

    private sealed class Forged : EntryColumns;
}
