using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Appliance.Data;
using Appliance.Files;
using Appliance.SignIn;
using Appliance.Tests.Teams;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Rekeying;

/// <summary>Keys are rotated while the system works: what was there opens, what comes is the new key's, and the old one goes when nothing needs it.</summary>
[Trait("Requirement", "O5"), Trait("Requirement", "F7")]
public sealed class RekeyingTests : IAsyncLifetime
{
    private RekeyHost _host = null!;
    private SealedColumns _sealed = null!;

    public async Task InitializeAsync()
    {
        _host = await RekeyHost.StartAsync();
        _sealed = new SealedColumns(_host);
    }

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task A_teams_key_is_rotated_and_the_old_one_destroyed_while_files_come_and_go()
    {
        using var person = await Person.NewAsync(_host);
        var (reference, files) = await RekeyHost.TeamAsync(person);
        var team = await _host.TeamIdAsync(reference);
        var contents = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var length in new[] { 0, 1, 70_000, 3_000_000 })
        {
            var content = RandomNumberGenerator.GetBytes(length);
            contents[await files.FileAsync($"{length}.bin", content)] = content;
        }
        var copy = _host.CopyKeys();
        using var enough = new CancellationTokenSource();
        var load = Task.WhenAll(Task.Run(async () =>
        {
            for (var n = 0; !enough.IsCancellationRequested; n++)
            {
                var content = RandomNumberGenerator.GetBytes(RandomNumberGenerator.GetInt32(1, 400_000));
                var entry = await files.FileAsync($"new-{n}.bin", content);
                lock (contents)
                {
                    contents[entry] = content;
                }
            }
        }), Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                KeyValuePair<string, byte[]> one;
                lock (contents)
                {
                    one = contents.ElementAt(RandomNumberGenerator.GetInt32(contents.Count));
                }
                (await files.BytesAsync(one.Key)).AsSpan().SequenceEqual(one.Value).ShouldBeTrue();
            }
        }));

        await _host.AskAsync($"teams/{reference}");
        for (var turns = 0; turns < 3; turns++)
        {
            // Asked, starting, a look at everything.
            await _host.Rotations.TurnAsync(default);
            await Task.Delay(300);
        }
        (await _host.StageAsync(team)).ShouldBe("keeping");
        _host.Keys.StateOf(team).ShouldBe(new TeamKeyState(2, 2));
        await enough.CancelAsync();
        await load; // nobody writes with the old key any more
        await _host.RunAsync();

        (await _host.StageAsync(team)).ShouldBe("finished");
        _host.Keys.StateOf(team).ShouldBe(new TeamKeyState(2, 1));
        contents.Count.ShouldBeGreaterThan(4);
        foreach (var (entry, content) in contents)
        {
            (await files.BytesAsync(entry)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        }
        // The copy from before opens nothing that is stored now.
        using (var provider = FileKeyProvider.Open(Path.Combine(copy, "appliance.key")))
        using (var keys = new TeamKeys(provider, Path.Combine(copy, "teams")))
        {
            var sealer = new ObjectSealer(keys);
            var stored = Directory.GetFiles(Path.Combine(_host.Settings.ObjectFolder, team.Value.ToString("N")), "*", SearchOption.AllDirectories);
            stored.Length.ShouldBeGreaterThanOrEqualTo(contents.Count - 1, "an empty file has no object");
            foreach (var file in stored)
            {
                Should.Throw<TamperedException>(() => sealer.Open(team, new ObjectId(Guid.ParseExact(Path.GetFileName(file), "N")), File.ReadAllBytes(file).AsSpan(0, SealedFormat.HeaderLength)));
            }
        }
        Directory.Delete(copy, recursive: true);
        (await ObjectsCheck.RunAsync(_host.Services, TextWriter.Null, default)).ShouldBe(0);
        foreach (var tree in new[] { Guid.Empty, team.Value })
        {
            (await _host.ActionsAsync(tree)).ShouldBe(["keys.rotation-started", "keys.rewrapped", "keys.rotation-finished"]);
        }
        // Destroying the team's key destroys it all, as before.
        _host.Keys.Destroy(team);
        (await person.Http.GetAsync($"/api/v1/teams/{reference}/entries/{contents.Keys.Last()}/content")).IsSuccessStatusCode.ShouldBeFalse();
    }

    [Fact]
    public async Task The_appliance_key_is_rotated_and_everything_it_sealed_is_sealed_anew()
    {
        using var person = await Person.NewAsync(_host);
        var (reference, files) = await RekeyHost.TeamAsync(person);
        var (team, entry) = (await _host.TeamIdAsync(reference), await files.FileAsync("a.txt", [1, 2, 3]));
        var codes = RecoveryCodes.Make();
        await using (var session = await _host.Database.ForApplianceAsync(default))
        {
            await _host.Services.GetRequiredService<RecoveryCodes>().ReplaceAsync(session, person.Id, codes, default);
            await session.CommitAsync(default);
        }
        await _sealed.FillAsync(person.Id, team);
        var (copy, first) = (_host.CopyKeys(), _host.Provider.KeyId);
        var columns = await _sealed.ColumnsAsync();
        using var thief = FileKeyProvider.Open(Path.Combine(copy, "appliance.key"));
        (await _sealed.ReadableAsync(columns, thief)).ShouldBe(columns.Count, "or the test shows nothing");

        await _host.AskAsync("appliance");
        await _host.RunAsync();

        (await _host.StageAsync()).ShouldBe("finished");
        var second = _host.Provider.KeyId;
        second.ShouldNotBe(first);
        ((string)(await _host.SqlAsync("select value from appliance_state where name = 'appliance_key_id'"))!).ShouldBe(second);
        _host.Keys.Teams().ShouldAllBe(t => _host.Keys.IsCurrent(t));
        (await _sealed.ReadableAsync(columns, thief)).ShouldBe(0, "the old key opens no row");
        (await _sealed.ReadableAsync(columns, _host.Provider.Generations[0])).ShouldBe(columns.Count, "the new one opens them all");
        Should.Throw<KeyFileException>(() => new TeamKeys(thief, _host.Settings.TeamKeyFolder));
        // The old file is gone, and what is kept of it opens with the new one alone.
        Directory.GetFiles(_host.Settings.KeyFolder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)
            .ShouldBe(["appliance.key", $"appliance.key.{first}.{second}.kept", "ledger.key"]);
        (await _host.ActionsAsync(Guid.Empty)).ShouldBe(["keys.rotation-started", "keys.rewrapped", "keys.rotation-finished"]);

        // People notice nothing: not now, and not after a restart.
        for (var i = 0; i < 2; i++)
        {
            (await files.BytesAsync(entry)).ShouldBe([1, 2, 3]);
            await files.FileAsync($"after-{i}.txt");
            (await person.PostAsync("/teams", ("Name", $"Another {i}"))).StatusCode.ShouldBe(HttpStatusCode.Redirect); // with the antiforgery token from before
            await using (var session = await _host.Database.ForApplianceAsync(default))
            {
                (await _host.Services.GetRequiredService<RecoveryCodes>().RedeemAsync(session, person.Id, codes[i], default)).ShouldBeTrue();
                await session.CommitAsync(default);
            }
            await _host.StopServiceAsync();
            await _host.StartServiceAsync();
        }
        // And once more.
        await _host.AskAsync("appliance");
        await _host.RunAsync();
        _host.Provider.Generations.Count.ShouldBe(3);
        (await files.BytesAsync(entry)).ShouldBe([1, 2, 3]);
        await _host.StopServiceAsync();

        // Keys from before a rotation are refused, and so is the key without what it keeps.
        var good = _host.CopyKeys();
        foreach (var (spoil, expected) in new (Action, string)[]
        {
            (() => { Clear(); RekeyHost.CopyFolder(copy, _host.Settings.KeyFolder); }, "this data was made with key"),
            (() => File.Delete(Directory.GetFiles(_host.Settings.KeyFolder, $"appliance.key.{first}.*.kept").Single()), $"without its older generation {first}"),
        })
        {
            spoil();
            (await Should.ThrowAsync<KeyFileException>(() => FirstStart.PrepareAsync(_host.Settings, default))).Message.ShouldContain(expected);
            Clear();
            RekeyHost.CopyFolder(good, _host.Settings.KeyFolder);
        }
        await _host.StartServiceAsync();
        (await files.BytesAsync(entry)).ShouldBe([1, 2, 3]);
        Directory.Delete(copy, recursive: true);
        Directory.Delete(good, recursive: true);

        void Clear()
        {
            Directory.Delete(_host.Settings.KeyFolder, recursive: true);
            Directory.CreateDirectory(_host.Settings.KeyFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Fact]
    public async Task A_database_from_before_a_rotation_is_read_with_the_key_that_is_kept_and_put_under_the_new_one()
    {
        using var person = await Person.NewAsync(_host);
        var team = await _host.TeamIdAsync(await person.TeamAsync());
        await _sealed.FillAsync(person.Id, team);
        var (columns, first) = (await _sealed.ColumnsAsync(), _host.Provider.KeyId);
        var before = await _sealed.RowsAsync(columns);
        await _host.AskAsync("appliance");
        await _host.RunAsync();
        await _host.StopServiceAsync();
        // What a restored backup holds: the rows as they were, the old key's id, and no word of a rotation.
        foreach (var (column, id, _, value) in before)
        {
            await _host.SqlAsync($"update {column.Table} set {column.Name} = '\\x{Convert.ToHexString(value)}' where {column.Key} = '{id}'");
        }
        await _host.SqlAsync($"delete from key_rotations; update appliance_state set value = '{first}' where name = 'appliance_key_id'; delete from appliance_state where name = 'hash_key_id'");

        await _host.StartServiceAsync();
        (await _sealed.ReadableAsync(columns, _host.Provider.Generations[1])).ShouldBe(columns.Count);
        await _host.RunAsync();

        (await _host.StageAsync()).ShouldBe("finished");
        (await _sealed.ReadableAsync(columns, _host.Provider.Generations[0])).ShouldBe(columns.Count);
        _host.Provider.Generations.Count.ShouldBe(2, "nothing was rotated");
    }

    [Fact]
    public async Task A_rotation_that_was_cut_off_goes_on_wherever_it_was()
    {
        using var person = await Person.NewAsync(_host);
        var (reference, files) = await RekeyHost.TeamAsync(person);
        var team = await _host.TeamIdAsync(reference);
        var entries = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            entries.Add(await files.FileAsync($"{i}", [(byte)i]));
        }
        await _host.AskAsync($"teams/{reference}");
        await _host.AskAsync("appliance");
        _host.Limits = _host.Limits with { Turn = TimeSpan.Zero }; // an object for each turn
        var turns = 0;
        for (var more = true; more;)
        {
            // The process ends after each turn, and now and then with the files ahead of the database.
            await _host.StopServiceAsync();
            await _host.StartServiceAsync();
            await EverythingOpensAsync();
            if (await _host.StageAsync(team) == "starting")
            {
                _host.Keys.Rotate(team, 1, DateTimeOffset.UtcNow).ShouldBe(2);
            }
            if (await _host.StageAsync() == "starting")
            {
                _host.Provider.Rotate(_host.Provider.KeyId, DateTimeOffset.UtcNow);
                await _host.StopServiceAsync();
                await _host.StartServiceAsync(); // the database still names the old one
            }
            await EverythingOpensAsync();
            more = await _host.Rotations.TurnAsync(default);
            (++turns).ShouldBeLessThan(60);
        }
        await _host.RunAsync();
        turns.ShouldBeGreaterThan(10, "one object at a time");
        ((await _host.StageAsync(team)), await _host.StageAsync()).ShouldBe(("finished", "finished"));
        _host.Keys.StateOf(team).ShouldBe(new TeamKeyState(2, 1), "once, and once only");
        _host.Provider.Generations.Count.ShouldBe(2);
        await EverythingOpensAsync();

        async Task EverythingOpensAsync()
        {
            for (var i = 0; i < entries.Count; i++)
            {
                (await files.BytesAsync(entries[i])).ShouldBe([(byte)i]);
            }
        }
    }

    [Fact]
    public async Task A_store_or_a_database_that_fails_in_the_middle_delays_a_rotation_and_spoils_nothing()
    {
        using var person = await Person.NewAsync(_host);
        var (reference, files) = await RekeyHost.TeamAsync(person);
        var (team, entry) = (await _host.TeamIdAsync(reference), await files.FileAsync("a", RandomNumberGenerator.GetBytes(200_000)));
        var content = await files.BytesAsync(entry);
        await _host.AskAsync($"teams/{reference}");
        foreach (var (fail, mend) in new[]
        {
            ("revoke update on key_rotations from appliance_app; revoke insert on ledger_entries from appliance_app", "grant insert on ledger_entries to appliance_app"),
            ("select 1", "grant update (stage, from_key, to_key, started_at, rewrapped_at, next_at, finished_at, after_object, rewrapped, damaged, unreadable, problem) on key_rotations to appliance_app"),
        })
        {
            await _host.SqlAsync(fail);
            await Should.ThrowAsync<ForbiddenByDatabaseException>(() => _host.Rotations.TurnAsync(default));
            _host.Keys.StateOf(team).ShouldBe(new TeamKeyState(1, 1), "no new key before it is written down");
            await _host.SqlAsync(mend);
        }
        await _host.Rotations.TurnAsync(default);
        await _host.Rotations.TurnAsync(default);
        (await _host.StageAsync(team)).ShouldBe("rewrapping");
        _host.StoreFails = true;
        (await _host.Rotations.TurnAsync(default)).ShouldBeFalse();
        (await _host.StageAsync(team)).ShouldBe("rewrapping");
        _host.StoreFails = false;
        (await files.BytesAsync(entry)).ShouldBe(content);
        await _host.RunAsync();
        (await _host.StageAsync(team)).ShouldBe("finished");
        (await files.BytesAsync(entry)).ShouldBe(content);
    }

    [Fact]
    public async Task What_is_damaged_keeps_its_old_key_and_is_told_to_the_operator()
    {
        using var person = await Person.NewAsync(_host);
        var (reference, files) = await RekeyHost.TeamAsync(person);
        var team = await _host.TeamIdAsync(reference);
        await files.FileAsync("a", RandomNumberGenerator.GetBytes(200_000));
        var stored = Directory.GetFiles(Path.Combine(_host.Settings.ObjectFolder, team.Value.ToString("N")), "*", SearchOption.AllDirectories).Single();
        await using (var file = File.OpenWrite(stored))
        {
            file.Position = 150_000;
            await file.WriteAsync(new byte[4]);
        }
        await _host.AskAsync($"teams/{reference}");
        for (var i = 0; i < 8; i++)
        {
            await _host.Rotations.TurnAsync(default);
        }
        (await _host.StageAsync(team)).ShouldBeOneOf("keeping", "checking");
        _host.Keys.StateOf(team).ShouldBe(new TeamKeyState(2, 2));
        (await _host.SqlAsync("select count(*) from ledger_entries where action = 'keys.rotation-finished'")).ShouldBe(0L);
        using var client = _host.Operator(_host.Ada);
        await _host.SqlAsync($"update key_rotations set stage = 'keeping', next_at = now() + interval '1 day', problem = 'x' where team_id = '{team}'");
        var status = await client.GetFromJsonAsync<JsonElement>("/admin/v1/keys");
        status.GetProperty("ok").GetBoolean().ShouldBeFalse();
    }

    [Fact]
    public async Task A_team_key_that_was_put_back_from_before_is_refused()
    {
        using var person = await Person.NewAsync(_host);
        var (reference, _) = await RekeyHost.TeamAsync(person);
        var team = await _host.TeamIdAsync(reference);
        var path = Path.Combine(_host.Settings.TeamKeyFolder, team + ".key");
        var old = await File.ReadAllBytesAsync(path);
        await _host.AskAsync($"teams/{reference}");
        await _host.RunAsync();
        var young = await File.ReadAllBytesAsync(path);
        // While it runs: the job does not touch it, and says so.
        await PutAsync(old);
        await _host.SqlAsync($"update key_rotations set stage = 'rewrapping', finished_at = null where team_id = '{team}'");
        (await _host.Rotations.TurnAsync(default)).ShouldBeFalse();
        ((string)(await _host.SqlAsync($"select problem from key_rotations where team_id = '{team}'"))!).ShouldStartWith("Stuck: KeyFileException");
        (await File.ReadAllBytesAsync(path)).ShouldBe(old);
        // And it does not start with it.
        await _host.StopServiceAsync();
        (await Should.ThrowAsync<KeyFileException>(() => FirstStart.PrepareAsync(_host.Settings, default))).Message.ShouldContain("generation 2 has been in use");
        await PutAsync(young);
        await _host.StartServiceAsync();
        await _host.RunAsync();
        (await _host.StageAsync(team)).ShouldBe("finished");

        async Task PutAsync(byte[] bytes)
        {
            File.Delete(path);
            await File.WriteAllBytesAsync(path, bytes);
            File.SetUnixFileMode(path, UnixFileMode.UserRead);
        }
    }
}
