using System.Diagnostics;
using System.Globalization;
using System.Text;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Appliance.Tests.Ledger;

/// <summary>Exports and proofs as a third party verifies them, and as an attacker changes them. Heads stand at 3, 7 and 12.</summary>
[Trait("Requirement", "W1")]
public sealed class LedgerExportTests(ITestOutputHelper log) : IAsyncLifetime, IDisposable
{
    private LedgerDatabase _ledger = null!;
    private LedgerExporter _exporter = null!;
    private UserId _anna;
    private TeamId _team;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerDatabase.CreateAsync();
        _exporter = new LedgerExporter(_ledger.Keys);
        _anna = await _ledger.PersonAsync("anna");
        _team = await _ledger.SealedTeamAsync(_anna, 3, 7, 12);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    public void Dispose()
    {
        _exporter.Dispose();
        _ledger.Dispose();
    }

    [Fact]
    public async Task An_export_verifies_without_the_appliance()
    {
        var verdict = Verify(Bytes(await ExportAsync()));
        (verdict.Intact, verdict.Key, verdict.Size, verdict.Tree).ShouldBe((true, KeyStanding.Known, 12, _team.Value));
        OfflineVerification.Export(new MemoryStream(Bytes(await ExportAsync())), [], []).Key.ShouldBe(KeyStanding.Unknown);
    }

    [Fact]
    public async Task A_byte_changed_anywhere_is_refused()
    {
        var export = Bytes(await ExportAsync());
        for (var i = 0; i < export.Length; i++)
        {
            foreach (var flip in new byte[] { 1, 0x20, 0x80 })
            {
                export[i] ^= flip;
                OfflineVerification.Export(new MemoryStream(export), [_ledger.Keys.KeyId], []).Intact.ShouldBeFalse($"byte {i} ^ {flip}");
                export[i] ^= flip;
            }
        }
        var proof = Bytes(LedgerLines.Proof((await ProveAsync(4))!));
        for (var i = 0; i < proof.Length; i++)
        {
            proof[i] ^= 1;
            OfflineVerification.Proof(new MemoryStream(proof), [_ledger.Keys.KeyId]).Intact.ShouldBeFalse($"byte {i}");
            proof[i] ^= 1;
        }
    }

    [Fact]
    public async Task An_export_cut_off_at_any_byte_is_refused()
    {
        var export = Bytes(await ExportAsync());
        for (var length = 0; length < export.Length; length++)
        {
            Verify(export[..length]).Intact.ShouldBeFalse($"{length} bytes");
        }
    }

    [Fact]
    public async Task Entries_left_out_repeated_or_reordered_are_named()
    {
        var lines = Lines(await ExportAsync());
        for (var i = 1; i <= 12; i++)
        {
            Verify([.. lines[..i], .. lines[(i + 1)..]]).ShouldSatisfyAllConditions(v => v.Intact.ShouldBeFalse(), v => v.Index.ShouldBe(Math.Min(i - 1, 11)));
            Verify([.. lines[..i], lines[i], .. lines[i..]]).ShouldSatisfyAllConditions(v => v.Intact.ShouldBeFalse(), v => v.Index.ShouldBe(Math.Min(i, 12)));
        }
        Verify([.. lines[..5], lines[6], lines[5], .. lines[7..]]).Index.ShouldBe(4);
        Verify(lines[1..]).Intact.ShouldBeFalse();
        Verify([.. lines, lines[^1]]).Intact.ShouldBeFalse();
        Verify([.. lines, lines[3]]).Intact.ShouldBeFalse();
        Verify([lines[0], lines[^1]]).Intact.ShouldBeFalse();
        Verify([.. lines[..4], new string('x', LedgerLines.Longest + 1) + "\n", .. lines[4..]]).What.ShouldContain("longer than");
    }

    [Fact]
    public async Task An_entry_rewritten_with_its_leaf_is_refused_at_the_head()
    {
        var lines = Lines(await ExportAsync());
        var forged = new LedgerLeaf(_team.Value, 4, Guid.CreateVersion7(), DateTimeOffset.UnixEpoch, null, "x", null, null, "{}");
        lines[5] = LedgerLines.Entry(forged, forged.Hash());
        Verify(lines).What.ShouldContain("rewritten together with their leaves");
        lines[5] = LedgerLines.Entry(forged, MerkleTree.HashLeaf([]));
        Verify(lines).Index.ShouldBe(4);
    }

    [Fact]
    public async Task A_foreign_key_is_refused_and_no_key_is_no_yes()
    {
        var file = Path.Combine(_ledger.Folder, "foreign.key");
        TreeHeadSigner.Create(file);
        using var other = LedgerKeys.Open(file);
        var lines = Lines(await ExportAsync());
        var head = await HeadAsync();
        lines[^1] = LedgerLines.Head(other.Sign(head.Head), other.Signer.PublicKey);
        Verify(lines).What.ShouldContain("foreign key");
        lines[^1] = LedgerLines.Head(head with { Signature = other.Sign(head.Head).Signature }, _ledger.Keys.Signer.PublicKey);
        Verify(lines).What.ShouldContain("signature");
        lines[^1] = LedgerLines.Head(head, other.Signer.PublicKey);
        Verify(lines).What.ShouldContain("another key");
        var proof = (await ProveAsync(4))! with { Head = other.Sign(head.Head), PublicKey = other.Signer.PublicKey };
        OfflineVerification.Proof(new MemoryStream(Bytes(LedgerLines.Proof(proof))), [_ledger.Keys.KeyId]).What.ShouldContain("foreign key");
    }

    [Fact]
    public async Task An_interrupted_export_goes_on_and_the_pieces_verify_as_one_while_entries_are_added()
    {
        var first = Bytes(await ExportAsync());
        var half = first[..(first.Length / 2)];
        await _ledger.RecordAsync(_team, _anna, "more.1", "more.2", "line\nbreak \"quoted\" \\ \u0001 \u2028 🙂");
        await _ledger.Sealer().SealAsync(default);
        var whole = half[..(half.AsSpan().LastIndexOf((byte)'\n') + 1)];
        var next = Lines(Encoding.UTF8.GetString(whole)).Length - 1;
        byte[] joined = [.. whole, .. Bytes(await ExportAsync(next))];
        Verify(joined).ShouldSatisfyAllConditions(v => v.Intact.ShouldBeTrue(v.What), v => v.Size.ShouldBe(15));
        Verify([.. whole, .. Bytes(await ExportAsync(next + 1))]).What.ShouldContain("missing");
        Verify([.. whole, .. Bytes(await ExportAsync(next - 1))]).Intact.ShouldBeFalse();
        // One that was complete goes on later; the head in the middle counts, too.
        Verify([.. first, .. Bytes(await ExportAsync(12))]).ShouldSatisfyAllConditions(v => v.Intact.ShouldBeTrue(v.What), v => v.Size.ShouldBe(15));
        var another = await _ledger.SealedTeamAsync(_anna, 12, 14);
        Verify([.. first, .. Bytes(await ExportAsync(12, another))]).What.ShouldContain("another tree");
    }

    [Fact]
    public async Task Entries_added_during_an_export_are_not_in_it()
    {
        var (head, text) = (await HeadAsync(), new StringBuilder());
        await foreach (var line in _exporter.LinesAsync(head, 0, OpenAsync, default))
        {
            text.Append(line);
            if (text.Length < 2000)
            {
                await _ledger.RecordAsync(_team, _anna, "meanwhile");
                await _ledger.Sealer().SealAsync(default);
            }
        }
        Verify(Bytes(text.ToString())).ShouldSatisfyAllConditions(v => v.Intact.ShouldBeTrue(v.What), v => v.Size.ShouldBe(12));
    }

    [Fact]
    public async Task Heads_kept_elsewhere_tell_an_older_or_another_history()
    {
        var old = Bytes(await ExportAsync());
        await _ledger.RecordAsync(_team, _anna, "more");
        await _ledger.Sealer().SealAsync(default);
        var kept = await HeadAsync();
        OfflineVerification.Export(new MemoryStream(old), [_ledger.Keys.KeyId], [kept]).What.ShouldContain("older, or the ledger was cut back");
        OfflineVerification.Export(new MemoryStream(Bytes(await ExportAsync())), [_ledger.Keys.KeyId], [kept]).Compared.ShouldBe(1);
        var false1 = kept with { Head = kept.Head with { Size = 5 } };
        OfflineVerification.Export(new MemoryStream(old), [_ledger.Keys.KeyId], [false1]).What.ShouldContain("is not what the head kept elsewhere");
    }

    [Fact]
    public async Task What_is_gone_from_the_database_ends_an_export_and_a_proof()
    {
        await _ledger.TamperAsync($"update ledger_entries set action = 'x' where id = (select entry_id from ledger_leaves where tree = '{_team.Value}' and index = 4)");
        Verify(Bytes(await ExportAsync())).ShouldSatisfyAllConditions(v => v.Intact.ShouldBeFalse(), v => v.Index.ShouldBe(4));
        await Should.ThrowAsync<LedgerDamagedException>(() => ProveAsync(4));
        await _ledger.TamperAsync($"delete from ledger_entries where id = (select entry_id from ledger_leaves where tree = '{_team.Value}' and index = 4)");
        await Should.ThrowAsync<LedgerDamagedException>(() => ExportAsync());
    }

    [Fact]
    public async Task Every_entry_of_trees_of_many_sizes_is_proved()
    {
        var team = await _ledger.SealedTeamAsync(_anna, 1, 2, 4, 5, 9, 16, 17, 31, 40);
        for (var index = 0; index < 40; index++)
        {
            var proof = (await ProveAsync(index, team))!;
            var verdict = OfflineVerification.Proof(new MemoryStream(Bytes(LedgerLines.Proof(proof))), [_ledger.Keys.KeyId]);
            (verdict.Intact, verdict.Index).ShouldBe((true, index), verdict.What);
        }
        (await ProveAsync(40, team)).ShouldBeNull();
        (await ProveAsync(-1, team)).ShouldBeNull();
    }

    [Fact]
    public async Task The_verb_exports_a_tree()
    {
        var settings = new Settings { DataFolder = _ledger.Folder, DatabaseHost = _ledger.Cluster.Socket, DatabaseName = _ledger.Name };
        string reference;
        await using (var session = await OpenAsync())
        {
            reference = await session.Query<Team>().Select(t => t.Reference).SingleAsync();
        }
        using var output = new StringWriter();
        (await LedgerCommands.RunAsync(["export", "--tree", reference], settings, output, output, default)).ShouldBe(0);
        Verify(Bytes(output.ToString())).Intact.ShouldBeTrue();
        (await LedgerCommands.RunAsync(["export", "--tree", reference, "--from", "13"], settings, output, output, default)).ShouldBe(2);
        (await LedgerCommands.RunAsync(["export", "--from", "-1"], settings, output, output, default)).ShouldBe(2);
        (await LedgerCommands.RunAsync(["export"], settings, output, output, default)).ShouldBe(2);
    }

    [Fact]
    public async Task Filters_find_by_action_person_and_day_and_stay_quick_in_a_large_ledger()
    {
        var ben = await _ledger.PersonAsync("ben");
        var count = int.Parse(Environment.GetEnvironmentVariable("LEDGER_ENTRIES") ?? "20000", CultureInfo.InvariantCulture);
        await _ledger.TamperAsync($"""
            insert into ledger_entries (id, tree, at, actor, action, subject, details)
            select (lpad(to_hex(1767225600000 + n * 1000), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') || '8' || lpad(to_hex(n), 15, '0'))::uuid, '{_team.Value}',
                   timestamptz '2026-01-01Z' + n * interval '1 second', case when n % 1000 = 0 then '{ben.Value}'::uuid else '{_anna.Value}'::uuid end,
                   case when n = 77 then 'rare.thing' else 'bulk.' || (n % 60) end, 's', '{"{}"}' from generate_series(1, {count}) n;
            analyze ledger_entries;
            """);
        var list = new LedgerList(_ledger.Database);
        foreach (var (filter, found) in new (LedgerFilter Filter, int Found)[]
        {
            (LedgerFilter.None, 50), (new("rare", null, null, null), 1), (new("Bulk 5", null, null, null), 50), (new("none", null, null, null), 0), (new(null, "BEN", null, null), Math.Min(50, count / 1000)),
            (new("bulk.1", "ben", null, null), -1), (new("rare", "ben", null, null), 0), (new(null, "nobody", null, null), 0), (new("team.created", "anna", null, null), 1),
            (new(null, null, new(2026, 1, 1), new(2026, 1, 1)), 50), (new(null, null, null, new(2025, 12, 31)), 0), (new("rare", null, new(2026, 1, 1), new(2026, 1, 1)), 1), (new("rare", null, new(2026, 1, 2), null), 0),
        })
        {
            await list.ReadAsync(_team, _anna, filter, null, default);
            var start = Stopwatch.GetTimestamp();
            var slice = await list.ReadAsync(_team, _anna, filter, null, default);
            log.WriteLine($"{count} entries, {filter}: {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0.0} ms");
            slice.Lines.Count.ShouldBe(found < 0 ? slice.Lines.Count : found, filter.ToString());
            slice.Lines.ShouldAllBe(l => (filter.Prefix == null || l.Action.StartsWith(filter.Prefix, StringComparison.OrdinalIgnoreCase)) && l.At >= filter.Since && l.At < filter.Until
                && (filter.Person == null || string.Equals(l.Who, filter.Person, StringComparison.OrdinalIgnoreCase)));
            slice.Lines.Select(l => l.Id.ToString()).ShouldBe(slice.Lines.Select(l => l.Id.ToString()).OrderDescending(StringComparer.Ordinal));
        }
        var begun = Stopwatch.GetTimestamp();
        (await list.ChoicesAsync(_team, _anna, default)).Actions.Count.ShouldBeGreaterThan(60);
        log.WriteLine($"choices: {Stopwatch.GetElapsedTime(begun).TotalMilliseconds:0.0} ms");
        // Pages of a filter follow each other without gap.
        var first = await list.ReadAsync(_team, _anna, new("bulk.7", null, null, null), null, default);
        var second = await list.ReadAsync(_team, _anna, new("bulk.7", null, null, null), first.Next, default);
        second.Lines[0].At.ShouldBe(first.Lines[^1].At.AddSeconds(-60));
    }

    [Theory]
    [InlineData("", "26.11.2026", "")]
    [InlineData("", "", "2026-02-30")]
    [InlineData("long", "", "")]
    public void A_filter_that_cannot_be_one_is_none(string action, string from, string to) =>
        LedgerFilter.Read(action == "long" ? new string('a', 101) : action, null, from, to).ShouldBeNull();

    private OfflineVerdict Verify(string[] lines) => Verify(Bytes(string.Concat(lines)));

    private OfflineVerdict Verify(byte[] export) => OfflineVerification.Export(new MemoryStream(export), [_ledger.Keys.KeyId], []);

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string[] Lines(string text) => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line + "\n")];

    private Task<TeamSession> OpenAsync() => _ledger.Database.ForTeamAsync(_team, _anna, default);

    private async Task<SignedHead> HeadAsync(TeamId? team = null)
    {
        await using var session = await _ledger.Database.ForTeamAsync(team ?? _team, _anna, default);
        return (await _exporter.HeadAsync(session, (team ?? _team).Value, default))!;
    }

    private async Task<string> ExportAsync(long from = 0, TeamId? team = null)
    {
        var text = new StringBuilder();
        await foreach (var line in _exporter.LinesAsync(await HeadAsync(team), from, () => _ledger.Database.ForTeamAsync(team ?? _team, _anna, default), default))
        {
            text.Append(line);
        }
        return text.ToString();
    }

    private async Task<LedgerProof?> ProveAsync(long index, TeamId? team = null)
    {
        await using var session = await _ledger.Database.ForTeamAsync(team ?? _team, _anna, default);
        return await _exporter.ProveAsync(session, (team ?? _team).Value, index, default);
    }
}
