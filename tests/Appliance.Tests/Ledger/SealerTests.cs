using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Ledger;

/// <summary>From commit to signature, on a real database.</summary>
public sealed class SealerTests : IAsyncLifetime
{
    private LedgerDatabase _ledger = null!;
    private UserId _anna;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerDatabase.CreateAsync();
        _anna = await _ledger.PersonAsync("anna");
    }

    public Task DisposeAsync()
    {
        _ledger.Dispose();
        return Task.CompletedTask;
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task The_signed_root_is_that_of_leaves_computed_independently()
    {
        var team = await _ledger.SealedTeamAsync(_anna, 1, 2, 7, 30);

        List<LedgerEntry> entries;
        await using (var session = await _ledger.Database.ForTeamAsync(team, _anna, default))
        {
            entries = await session.Query<LedgerEntry>().OrderBy(e => e.Id).ToListAsync();
        }
        entries.Count.ShouldBe(30);
        foreach (var head in await _ledger.ReadAsync<HeadRow>(team.Value, $"""
            select size as "Size", root as "Root", frontier as "Frontier", signed_at as "SignedAt", key_id as "KeyId", signature as "Signature"
              from ledger_heads where tree = {team.Value}
            """))
        {
            byte[][] leaves = [.. entries.Take((int)head.Size).Select((e, i) => LeafEncoding.Hash(e, i))];
            head.Root.ShouldBe(MerkleTree.Root(leaves));
            TreeHeadSigner.Verify(_ledger.Keys.Signer.PublicKey, new TreeHead(team.Value, head.Size, MerkleTree.Root(leaves), head.SignedAt), head.Signature).ShouldBeTrue();
        }
        (await _ledger.VerifyAsync(team)).ShouldSatisfyAllConditions(r => r.Intact.ShouldBeTrue(), r => r.Sealed.ShouldBe(30), r => r.Heads.ShouldBe(4), r => r.Waiting.ShouldBe(0));
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task A_batch_larger_than_one_head_is_sealed_whole()
    {
        var team = await _ledger.TeamAsync(_anna);
        await _ledger.RecordAsync(team, _anna, [.. Enumerable.Range(0, TreeSealer.Batch + 5).Select(i => $"event.{i}")]);
        (await _ledger.Sealer().SealAsync(default)).ShouldBe(TreeSealer.Batch + 6);
        (await _ledger.SealedActionsAsync(team.Value)).Skip(1).ShouldBe(Enumerable.Range(0, TreeSealer.Batch + 5).Select(i => $"event.{i}"));
        (await _ledger.VerifyAsync(team)).Heads.ShouldBe(2);
    }

    [Theory, Trait("Requirement", "W1")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Writers_of_one_team_do_not_wait_for_each_other_in_either_order_of_commit(bool firstCommitsFirst)
    {
        var team = await _ledger.TeamAsync(_anna);
        await using var one = await _ledger.Database.ForTeamAsync(team, _anna, default);
        await using var two = await _ledger.Database.ForTeamAsync(team, _anna, default);
        foreach (var session in new[] { one, two })
        {
            // Waiting for the other's lock would now be an error instead.
            await session.ExecuteAsync($"set local lock_timeout = '1ms'", default);
        }
        one.Record(new LedgerEvent("one"), new Origin(_anna, null));
        two.Record(new LedgerEvent("two"), new Origin(_anna, null));
        await one.SaveAsync(default);
        await two.SaveAsync(default);

        await (firstCommitsFirst ? one : two).CommitAsync(default);
        await _ledger.Sealer().SealAsync(default);
        await (firstCommitsFirst ? two : one).CommitAsync(default);
        await _ledger.Sealer().SealAsync(default);

        string[] order = firstCommitsFirst ? ["team.created", "one", "two"] : ["team.created", "two", "one"];
        (await _ledger.SealedActionsAsync(team.Value)).ShouldBe(order);
        (await _ledger.VerifyAsync(team)).Intact.ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_entry_that_rolls_back_is_never_signed_over()
    {
        var team = await _ledger.SealedTeamAsync(_anna, 1);
        var sealer = _ledger.Sealer();
        await using (var session = await _ledger.Database.ForTeamAsync(team, _anna, default))
        {
            session.Record(new LedgerEvent("never.was"), new Origin(_anna, null));
            await session.SaveAsync(default);
            (await sealer.SealAsync(default)).ShouldBe(0);
        }
        await _ledger.RecordAsync(team, _anna, "after");
        (await sealer.SealAsync(default)).ShouldBe(1);
        (await _ledger.SealedActionsAsync(team.Value)).ShouldBe(["team.created", "after"]);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task What_is_recorded_in_a_session_in_no_team_goes_to_the_appliances_own_tree()
    {
        await using (var session = await _ledger.Database.ForApplianceAsync(default))
        {
            session.RecordForAppliance(new LedgerEvent("sign-in.failed"), new Origin(null, "192.0.2.7"));
            await session.CommitAsync(default);
        }
        (await _ledger.Sealer().SealAsync(default)).ShouldBe(1);
        (await _ledger.SealedActionsAsync(LedgerAppend.ApplianceTree)).ShouldBe(["sign-in.failed"]);
        (await _ledger.Verification.VerifyAsync(LedgerAppend.ApplianceTree, [], default)).ShouldSatisfyAllConditions(r => r.Intact.ShouldBeTrue(), r => r.Sealed.ShouldBe(1));
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task Sealers_of_several_replicas_neither_lose_nor_double_an_entry()
    {
        var teams = new[] { await _ledger.TeamAsync(_anna), await _ledger.TeamAsync(_anna) };
        using var stop = new CancellationTokenSource();
        var sealers = Enumerable.Range(0, 3).Select(_ => Task.Run(async () =>
        {
            var sealer = _ledger.Sealer();
            while (!stop.IsCancellationRequested)
            {
                await sealer.SealAsync(default);
            }
        })).ToList();
        await Task.WhenAll(teams.SelectMany(team => Enumerable.Range(0, 3).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < 15; i++)
            {
                await _ledger.RecordAsync(team, _anna, $"{writer}.{i}");
            }
        }))));
        await stop.CancelAsync();
        await Task.WhenAll(sealers);
        await _ledger.Sealer().SealAsync(default);

        foreach (var team in teams)
        {
            var actions = await _ledger.SealedActionsAsync(team.Value);
            actions.Count.ShouldBe(46);
            actions.Distinct(StringComparer.Ordinal).Count().ShouldBe(46);
            for (var writer = 0; writer < 3; writer++)
            {
                // What one writer committed one after the other stands in that order.
                actions.Where(a => a.StartsWith($"{writer}.", StringComparison.Ordinal)).ShouldBe(Enumerable.Range(0, 15).Select(i => $"{writer}.{i}"));
            }
            (await _ledger.VerifyAsync(team)).Intact.ShouldBeTrue();
        }
    }

    [Theory, Trait("Requirement", "W1")]
    [InlineData("update ledger_heads set signature = substring(signature for 63) || '\\x00' where tree = '{0}' and size = 5", "signature of its latest head")]
    [InlineData("update ledger_heads set size = 6 where tree = '{0}' and size = 5", "5 leaves|signature of its latest head")]
    [InlineData("update ledger_heads set key_id = 'other' where tree = '{0}' and size = 5", "key that is not known")]
    [InlineData("update ledger_heads set frontier = set_byte(frontier, 12, get_byte(frontier, 12) # 1) where tree = '{0}' and size = 5", "frontier of its latest head")]
    [InlineData("delete from ledger_heads where tree = '{0}' and size = 5", "5 leaves")]
    [InlineData("delete from ledger_leaves where tree = '{0}' and index = 4", "4 leaves")]
    [InlineData("delete from ledger_heads where tree = '{0}' and size = 5; delete from ledger_leaves where tree = '{0}' and index >= 3", "one of size 5 was seen before")]
    [InlineData("delete from ledger_entries where tree = '{0}' and action = 'next'", "removed before it was sealed")]
    public async Task A_tampered_tree_is_not_appended_to_and_the_others_go_on(string attack, string why)
    {
        var log = new Lines();
        var sealer = _ledger.Sealer(log);
        var (team, other) = (await _ledger.TeamAsync(_anna), await _ledger.TeamAsync(_anna));
        await _ledger.RecordAsync(team, _anna, "a", "b");
        await sealer.SealAsync(default);
        await _ledger.RecordAsync(team, _anna, "c", "d");
        await sealer.SealAsync(default);
        await _ledger.RecordAsync(team, _anna, "next");
        await _ledger.RecordAsync(other, _anna, "next");
        await _ledger.TamperAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, attack, team.Value));
        var heads = await CountAsync(team, "ledger_heads");

        (await sealer.SealAsync(default)).ShouldBe(1);
        (await sealer.SealAsync(default)).ShouldBe(0);

        (await CountAsync(team, "ledger_heads")).ShouldBe(heads);
        (await _ledger.SealedActionsAsync(other.Value)).ShouldBe(["team.created", "next"]);
        log.All.Count(l => l.Level == LogLevel.Critical).ShouldBe(1);
        var thrown = await Should.ThrowAsync<LedgerDamagedException>(() => Seeing(sealer, team));
        why.Split('|').ShouldContain(w => thrown.Message.Contains(w, StringComparison.Ordinal), thrown.Message);
        thrown.Tree.ShouldBe(team.Value);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task The_service_seals_what_is_committed_while_it_runs()
    {
        var sealer = _ledger.Sealer();
        await sealer.StartAsync(default);
        try
        {
            var team = await _ledger.TeamAsync(_anna);
            for (var i = 0; i < 20; i++)
            {
                await _ledger.RecordAsync(team, _anna, $"event.{i}");
                await Task.Delay(20);
            }
            await Eventually(async () => (await CountAsync(team, "ledger_leaves")) == 21);
            (await _ledger.VerifyAsync(team)).Intact.ShouldBeTrue();
        }
        finally
        {
            await sealer.StopAsync(default);
        }
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_entry_of_another_process_is_sealed_without_a_nudge()
    {
        var team = await _ledger.SealedTeamAsync(_anna, 1);
        var sealer = _ledger.Sealer();
        await sealer.StartAsync(default);
        try
        {
            // As the other process's session would, without this process hearing of it.
            await _ledger.Cluster.SuperuserAsync(_ledger.Name,
                $"insert into ledger_entries (id, tree, at, action, details) values (gen_random_uuid(), '{team.Value}', now(), 'elsewhere', '{{}}')");
            await Eventually(async () => (await CountAsync(team, "ledger_leaves")) == 2);
        }
        finally
        {
            await sealer.StopAsync(default);
        }
    }

    internal static async Task Eventually(Func<Task<bool>> condition)
    {
        for (var i = 0; !await condition(); i++)
        {
            i.ShouldBeLessThan(600, "it never came to be");
            await Task.Delay(100);
        }
    }

    // The sealer remembers what it saw; only the one that has seen can tell of a roll-back.
    private static Task<SealedBatch> Seeing(LedgerSealer sealer, TeamId team) => sealer.Trees.SealAsync(team.Value, default);

    private async Task<long> CountAsync(TeamId team, string table) =>
        (long)(await _ledger.Cluster.SuperuserAsync(_ledger.Name, $"select count(*) from {table} where tree = '{team.Value}'"))!;
}
