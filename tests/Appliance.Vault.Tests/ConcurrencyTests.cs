using System.Collections.Concurrent;

namespace Appliance.Vault.Tests;

[Trait("Requirement", "F7")]
public sealed class ConcurrencyTests
{
    [Fact]
    public void Many_threads_over_more_teams_than_the_cache_holds_seal_only_under_the_right_keys()
    {
        using var vault = new TestVault(cachedKeys: 2);
        var teams = Enumerable.Range(0, 6).Select(_ => vault.NewTeam()).ToArray();
        var stored = new ConcurrentBag<(TeamId Team, ObjectId Object, byte[] Plain, byte[] Sealed)>();
        Parallel.For(0, 1500, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            var team = teams[i % teams.Length];
            var obj = ObjectId.New();
            var plain = TestVault.Bytes(i % 300, seed: i);
            var sealedBytes = vault.Seal(team, obj, plain);
            vault.Open(team, obj, sealedBytes).ShouldBe(plain);
            stored.Add((team, obj, plain, sealedBytes));
        });

        // What the running vault agrees with itself about proves little: ask the stranger, who reads the key files.
        var applianceKey = StrangersReader.ReadApplianceKey(File.ReadAllBytes(vault.KeyPath));
        var keys = teams.ToDictionary(
            team => team, team => StrangersReader.ReadTeamKey(applianceKey, File.ReadAllBytes(vault.KeyFileOf(team)), team.Value));
        stored.Count.ShouldBe(1500);
        foreach (var (team, obj, plain, sealedBytes) in stored)
        {
            StrangersReader.Read(keys[team], sealedBytes, team.Value, obj.Value).ShouldBe(plain);
        }
    }

    [Fact]
    public void While_teams_are_destroyed_a_reader_gets_the_right_bytes_or_hears_that_the_key_is_gone()
    {
        using var vault = new TestVault(cachedKeys: 3);
        var errors = new ConcurrentBag<Exception>();
        int opened = 0, refused = 0;
        for (var round = 0; round < 25; round++)
        {
            var teams = Enumerable.Range(0, 4).Select(_ => vault.NewTeam()).ToArray();
            var objects = teams.Select(team => vault.Seal(team, vault.Object, [7, 7])).ToArray();
            using var start = new Barrier(5);
            var readers = Enumerable.Range(0, 4).Select(reader => new Thread(() =>
            {
                start.SignalAndWait();
                for (var i = 0; i < 60; i++)
                {
                    var which = (i + reader) % teams.Length;
                    try
                    {
                        vault.Open(teams[which], vault.Object, objects[which]).ShouldBe([7, 7]);
                        Interlocked.Increment(ref opened);
                    }
                    catch (TeamKeyMissingException)
                    {
                        Interlocked.Increment(ref refused);
                    }
                    catch (Exception e)
                    {
                        errors.Add(e);
                    }
                }
            })).ToArray();
            Array.ForEach(readers, reader => reader.Start());
            start.SignalAndWait();
            for (var i = 0; i < teams.Length; i++)
            {
                vault.Keys.Destroy(teams[i]);
                Should.Throw<TeamKeyMissingException>(() => vault.Open(teams[i], vault.Object, objects[i]));
            }

            Array.ForEach(readers, reader => reader.Join());
            vault.Keys.CachedKeys.ShouldBe(0, $"round {round}: a destroyed team's key stayed in memory");
        }

        errors.ShouldBeEmpty();
        opened.ShouldBeGreaterThan(0);
        refused.ShouldBeGreaterThan(0);
    }
}
