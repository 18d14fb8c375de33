namespace Appliance.Vault.Tests;

/// <summary>Keys get new generations: what was sealed before opens, what comes is the new one's, and a crash anywhere leaves one or the other.</summary>
[Trait("Requirement", "O5"), Trait("Requirement", "F7")]
public sealed class RotationTests : IDisposable
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);

    private readonly TestVault _vault = new();

    private string TeamFile => _vault.KeyFileOf(_vault.Team);

    public void Dispose() => _vault.Dispose();

    [Fact]
    public void A_new_team_key_seals_what_comes_and_the_old_one_opens_what_was()
    {
        var old = _vault.Seal([1, 2, 3]);
        var before = File.ReadAllBytes(TeamFile);
        using var other = new TeamKeys(_vault.Provider, _vault.KeyFolder);
        TestVault.Open(new ObjectSealer(other), _vault.Team, _vault.Object, old).ShouldBe([1, 2, 3]); // cached there

        _vault.Keys.Rotate(_vault.Team, 1, s_now).ShouldBe(2);

        File.GetUnixFileMode(TeamFile).ShouldBe(UnixFileMode.UserRead);
        Directory.GetFiles(_vault.KeyFolder).ShouldBe([TeamFile]);
        _vault.Keys.StateOf(_vault.Team).ShouldBe(new TeamKeyState(2, 2));
        var young = _vault.Seal([4]);
        foreach (var sealer in new[] { _vault.Sealer, new ObjectSealer(other) })
        {
            TestVault.Open(sealer, _vault.Team, _vault.Object, old).ShouldBe([1, 2, 3]);
            TestVault.Open(sealer, _vault.Team, _vault.Object, young).ShouldBe([4]);
        }
        // The other process seals with the new one, too.
        using (var session = new ObjectSealer(other).Seal(_vault.Team, _vault.Object))
        {
            var theirs = TestVault.SealWith(session, [5]);
            // Whoever copied the keys before opens nothing that was sealed since.
            Put(TeamFile, before);
            Should.Throw<TamperedException>(() => _vault.Open(theirs));
            Should.Throw<TamperedException>(() => _vault.Open(young));
        }
        Should.Throw<KeyFileException>(() => _vault.Keys.RequireGeneration(_vault.Team, 2)).Message.ShouldContain("generation 2 has been in use");
        Should.Throw<KeyFileException>(() => _vault.Keys.Rotate(_vault.Team, 2, s_now));
    }

    [Fact]
    public void Asked_for_twice_a_rotation_happens_once()
    {
        Parallel.For(0, 16, _ =>
        {
            using var keys = new TeamKeys(_vault.Provider, _vault.KeyFolder);
            keys.Rotate(_vault.Team, 1, s_now).ShouldBe(2);
        });
        _vault.Keys.StateOf(_vault.Team).ShouldBe(new TeamKeyState(2, 2));
        var from = _vault.Provider.KeyId;
        Parallel.For(0, 16, _ =>
        {
            using var provider = FileKeyProvider.Open(_vault.KeyPath);
            provider.Rotate(from, s_now).ShouldNotBe(from);
        });
        _vault.Provider.Generations.Count.ShouldBe(2);
    }

    [Fact]
    public void An_object_is_put_under_the_newest_key_by_its_header_alone()
    {
        var old = _vault.Seal(TestVault.Bytes(200_000));
        _vault.Sealer.Rewrap(_vault.Team, _vault.Object, old.AsSpan(0, 112)).ShouldBeNull();
        _vault.Keys.Rotate(_vault.Team, 1, s_now);
        var header = _vault.Sealer.Rewrap(_vault.Team, _vault.Object, old.AsSpan(0, 112)).ShouldNotBeNull();
        header.AsSpan(0, 52).SequenceEqual(old.AsSpan(0, 52)).ShouldBeTrue();
        var rewrapped = (byte[])[.. header, .. old[112..]];
        _vault.Sealer.Rewrap(_vault.Team, _vault.Object, header).ShouldBeNull();

        _vault.Keys.DestroySuperseded(_vault.Team, s_now).ShouldBe(2, "superseded then, not before");
        _vault.Keys.DestroySuperseded(_vault.Team, s_now.AddSeconds(1)).ShouldBe(1);
        _vault.Keys.DestroySuperseded(_vault.Team, DateTimeOffset.MaxValue).ShouldBe(1, "the newest always stays");
        Should.Throw<TamperedException>(() => _vault.Open(old));
        _vault.Open(rewrapped).ShouldBe(TestVault.Bytes(200_000));
        _vault.Keys.StateOf(_vault.Team).ShouldBe(new TeamKeyState(2, 1), "a generation's number is not given twice");
        foreach (var bad in new[] { header.AsSpan(0, 111).ToArray(), [.. header[..60], (byte)(header[60] ^ 1), .. header[61..]] })
        {
            Should.Throw<TamperedException>(() => _vault.Sealer.Rewrap(_vault.Team, _vault.Object, bad));
        }
        Should.Throw<TamperedException>(() => _vault.Sealer.Rewrap(_vault.Team, ObjectId.New(), header));
    }

    [Fact]
    public void All_generations_go_with_the_team()
    {
        var objects = new List<byte[]>();
        for (var number = 1; number <= TeamKeys.MostGenerations; number++)
        {
            objects.Add(_vault.Seal([(byte)number]));
            if (number < TeamKeys.MostGenerations)
            {
                _vault.Keys.Rotate(_vault.Team, number, s_now).ShouldBe(number + 1);
            }
        }
        objects.Select((o, i) => _vault.Open(o).Single() == i + 1).ShouldAllBe(opens => opens);
        Should.Throw<KeyFileException>(() => _vault.Keys.Rotate(_vault.Team, TeamKeys.MostGenerations, s_now)).Message.ShouldContain("8 generations");
        using var stillOpen = File.OpenRead(TeamFile);
        var before = File.ReadAllBytes(TeamFile);

        _vault.Keys.Destroy(_vault.Team);

        objects.ForEach(o => Should.Throw<TeamKeyMissingException>(() => _vault.Open(o)));
        Directory.GetFiles(_vault.KeyFolder).ShouldBeEmpty();
        var after = new byte[before.Length];
        stillOpen.ReadExactly(after);
        for (var at = 0; at + 8 <= before.Length; at++)
        {
            after.AsSpan().IndexOf(before.AsSpan(at, 8)).ShouldBe(-1, "all of it is overwritten");
        }
        // Nothing brings it back.
        _vault.Keys.Rotate(_vault.Team, 1, s_now).ShouldBeNull();
        _vault.Keys.Rewrap(_vault.Team).ShouldBeFalse();
        _vault.Keys.DestroySuperseded(_vault.Team, s_now).ShouldBeNull();
        _vault.Keys.StateOf(_vault.Team).ShouldBeNull();
        Directory.GetFiles(_vault.KeyFolder).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_destroyed_key_stays_destroyed_while_keys_are_rotated_and_rewrapped()
    {
        for (var round = 0; round < 40; round++)
        {
            var team = _vault.NewTeam();
            using var other = new TeamKeys(_vault.Provider, _vault.KeyFolder);
            var number = 1;
            await Task.WhenAll(
                Task.Run(() =>
                {
                    while (other.Rotate(team, number, s_now) is { } next && next < TeamKeys.MostGenerations)
                    {
                        number = next;
                    }
                }),
                Task.Run(() => _vault.Keys.Destroy(team)));
            _vault.Keys.Exists(team).ShouldBeFalse();
            Directory.GetFiles(_vault.KeyFolder).ShouldBe([TeamFile]);
        }
    }

    [Fact]
    public void The_old_file_s_bytes_are_overwritten_when_another_takes_its_place()
    {
        foreach (var (path, rotate) in new (string, Action)[]
        {
            (TeamFile, () => _vault.Keys.Rotate(_vault.Team, 1, s_now)), (_vault.KeyPath, () => _vault.Provider.Rotate(_vault.Provider.KeyId, s_now)),
        })
        {
            var before = File.ReadAllBytes(path);
            using var stillOpen = File.OpenRead(path);
            rotate();
            var after = new byte[before.Length];
            stillOpen.ReadExactly(after);
            for (var at = 0; at + 8 <= before.Length; at++)
            {
                after.AsSpan().IndexOf(before.AsSpan(at, 8)).ShouldBe(-1);
            }
        }
    }

    [Fact]
    public void Every_bit_of_a_file_with_generations_counts_and_none_can_be_left_out_or_moved()
    {
        var old = _vault.Seal([1]);
        _vault.Keys.Rotate(_vault.Team, 1, s_now);
        _vault.Keys.Rotate(_vault.Team, 2, s_now.AddDays(1));
        var good = File.ReadAllBytes(TeamFile);
        good.Length.ShouldBe(40 + 3 * 68);
        using var keys = new TeamKeys(_vault.Provider, _vault.KeyFolder);
        byte[] Entry(int i) => good[(40 + 68 * i)..(108 + 68 * i)];
        byte[] WithCount(byte count, params byte[][] entries) => [.. good[..36], 0, 0, 0, count, .. entries.SelectMany(e => e)];
        foreach (var bad in Enumerable.Range(0, good.Length * 8)
            .Select(bit => (byte[])[.. good[..(bit / 8)], (byte)(good[bit / 8] ^ (1 << (bit % 8))), .. good[((bit / 8) + 1)..]])
            .Concat([good[..92], good[..^1], [.. good, 0], WithCount(2, Entry(0), Entry(1)), WithCount(2, Entry(1), Entry(2)), WithCount(3, Entry(1), Entry(0), Entry(2)),
                WithCount(0), WithCount(3, Entry(0), Entry(1), Entry(1)), WithCount(9, [.. Enumerable.Repeat(Entry(0), 9)])]))
        {
            Put(TeamFile, bad);
            var error = Record.Exception(() => TestVault.Open(new ObjectSealer(keys), _vault.Team, _vault.Object, old));
            (error is TamperedException or KeyFileException).ShouldBeTrue(error?.GetType().Name);
            (Record.Exception(() => keys.Rotate(_vault.Team, 3, s_now)) is TamperedException or KeyFileException).ShouldBeTrue("nothing is made of what was tampered with");
            File.ReadAllBytes(TeamFile).ShouldBe(bad);
        }
        Put(TeamFile, good);
        TestVault.Open(new ObjectSealer(keys), _vault.Team, _vault.Object, old).ShouldBe([1]);
    }

    [Fact]
    public void A_new_appliance_key_is_everybodys_at_once_and_opens_what_the_old_one_sealed()
    {
        var (first, blobs) = (_vault.Provider.KeyId, new BlobProtector(_vault.Provider));
        var (blob, mac, old) = (blobs.Protect("x", [1]), blobs.Mac("x", [1]), _vault.Seal([1]));
        var copy = Path.Combine(_vault.Root, "copy");
        Directory.CreateDirectory(copy);
        File.Copy(_vault.KeyPath, Path.Combine(copy, "appliance.key"));
        using var other = FileKeyProvider.Open(_vault.KeyPath);
        using var theirs = new TeamKeys(other, _vault.KeyFolder);

        var second = _vault.Provider.Rotate(first, s_now);

        second.ShouldNotBe(first);
        File.GetUnixFileMode(_vault.KeyPath).ShouldBe(UnixFileMode.UserRead);
        (other.KeyId, other.Generations[1].KeyId).ShouldBe((second, first));
        _vault.Keys.IsCurrent(_vault.Team).ShouldBeFalse();
        _vault.Keys.Rewrap(_vault.Team).ShouldBeTrue();
        _vault.Keys.Rewrap(_vault.Team).ShouldBeFalse();
        File.ReadAllBytes(TeamFile).Length.ShouldBe(92, "as it was, for whoever knows that form alone");
        TestVault.Open(new ObjectSealer(theirs), _vault.Team, _vault.Object, old).ShouldBe([1]);
        using var started = FileKeyProvider.Open(_vault.KeyPath);
        foreach (var protector in new[] { blobs, new BlobProtector(other), new BlobProtector(started) })
        {
            protector.Unprotect("x", blob).ShouldBe([1]);
            protector.Mac("x", [1]).ShouldBe(mac);
        }
        var anew = blobs.Reseal("x", blob).ShouldNotBeNull();
        blobs.Reseal("x", anew).ShouldBeNull();
        blobs.Unprotect("x", anew).ShouldBe([1]);
        Should.Throw<TamperedException>(() => blobs.Reseal("y", blob));

        // Whoever copied the key before opens nothing of this.
        using var thief = FileKeyProvider.Open(Path.Combine(copy, "appliance.key"));
        Should.Throw<TamperedException>(() => new BlobProtector(thief).Unprotect("x", anew));
        Should.Throw<TamperedException>(() => new BlobProtector(thief).Unprotect("x", blobs.Protect("x", [2])));
        Should.Throw<KeyFileException>(() => new TeamKeys(thief, _vault.KeyFolder));
        // And once more: the first is kept under the third.
        var third = _vault.Provider.Rotate(second, s_now.AddDays(1));
        _vault.Provider.Generations.Select(g => g.KeyId).ShouldBe([third, second, first]);
        blobs.Unprotect("x", blob).ShouldBe([1]);
        blobs.Mac("x", [1]).ShouldBe(mac);
        Directory.GetFiles(_vault.Root).Length.ShouldBe(3, "the key, and two that are kept");
        // A key that is not ours succeeds nothing.
        Should.Throw<KeyFileException>(() => thief.Rotate(third, s_now));
        Should.Throw<KeyFileException>(() => _vault.Provider.Rotate("0123456789abcdef", s_now)).Message.ShouldContain("0123456789abcdef");
        _vault.Provider.KeyId.ShouldBe(third);
    }

    [Fact]
    public void Whatever_a_crash_left_the_next_rotation_tidies_and_nothing_is_lost()
    {
        var (first, blob) = (_vault.Provider.KeyId, new BlobProtector(_vault.Provider).Protect("x", [1]));
        var line = File.ReadAllBytes(_vault.KeyPath);
        // Cut off before the new key took its name: an unused key, what it was to keep, and a second name of the one that is in use.
        var unused = Path.Combine(_vault.Root, "unused.key");
        FileKeyProvider.Create(unused);
        File.Copy(unused, _vault.KeyPath + ".0123456789abcdef.tmp");
        File.Delete(unused);
        DurableFile.WriteNew($"{_vault.KeyPath}.{first}.0123456789abcdef.kept", new byte[92], UnixFileMode.UserRead);
        DurableFile.LinkTo(_vault.KeyPath, _vault.KeyPath + ".replaced");
        using (var started = FileKeyProvider.Open(_vault.KeyPath))
        {
            started.KeyId.ShouldBe(first);
            started.Generations.Count.ShouldBe(1);
        }

        var second = _vault.Provider.Rotate(first, s_now);

        Directory.GetFiles(_vault.Root).Select(f => Path.GetFileName(f)).Order().ShouldBe(["appliance.key", $"appliance.key.{first}.{second}.kept"]);
        new BlobProtector(_vault.Provider).Unprotect("x", blob).ShouldBe([1]);

        // Cut off after it: the old file is still there.
        DurableFile.WriteNew(_vault.KeyPath + ".replaced", line, UnixFileMode.UserRead);
        _vault.Provider.Rotate(first, s_now).ShouldBe(second, "done already");
        Directory.GetFiles(_vault.Root).Length.ShouldBe(2);
        new BlobProtector(_vault.Provider).Unprotect("x", blob).ShouldBe([1]);

        // The same with a team's.
        var old = _vault.Seal([1]);
        DurableFile.LinkTo(TeamFile, TeamFile + ".replaced");
        DurableFile.WriteNew(TeamFile + ".0123456789abcdef.tmp", new byte[92], UnixFileMode.UserRead);
        _vault.Keys.Rotate(_vault.Team, 1, s_now).ShouldBe(2);
        Directory.GetFiles(_vault.KeyFolder).ShouldBe([TeamFile]);
        _vault.Open(old).ShouldBe([1]);
    }

    [Fact]
    public void A_kept_key_that_was_altered_stops_the_start_and_says_which()
    {
        var first = _vault.Provider.KeyId;
        var second = _vault.Provider.Rotate(first, s_now);
        var path = $"{_vault.KeyPath}.{first}.{second}.kept";
        var good = File.ReadAllBytes(path);
        foreach (var bad in Enumerable.Range(0, good.Length * 8)
            .Select(bit => (byte[])[.. good[..(bit / 8)], (byte)(good[bit / 8] ^ (1 << (bit % 8))), .. good[((bit / 8) + 1)..]]).Concat([[], good[..91], [.. good, 0]]))
        {
            Put(path, bad);
            Should.Throw<KeyFileException>(() => FileKeyProvider.Open(_vault.KeyPath)).Path.ShouldBe(path);
        }
        Put(path, good);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Should.Throw<KeyFileException>(() => FileKeyProvider.Open(_vault.KeyPath));
        File.SetUnixFileMode(path, UnixFileMode.UserRead);
        // Under another name it is not another key.
        File.Move(path, $"{_vault.KeyPath}.0123456789abcdef.{second}.kept");
        Should.Throw<KeyFileException>(() => FileKeyProvider.Open(_vault.KeyPath));
    }

    [Fact]
    public void A_key_file_that_cannot_be_read_any_more_changes_nothing_for_a_running_process()
    {
        var (id, old) = (_vault.Provider.KeyId, _vault.Seal([1]));
        Put(_vault.KeyPath, "something else"u8.ToArray());
        _vault.Provider.KeyId.ShouldBe(id);
        _vault.Open(old).ShouldBe([1]);
        // Nor another appliance's, which would then seal what nobody here could open.
        FileKeyProvider.Create(_vault.KeyPath + "2");
        Put(_vault.KeyPath, File.ReadAllBytes(_vault.KeyPath + "2"));
        _vault.Provider.KeyId.ShouldBe(id);
        File.Delete(_vault.KeyPath);
        _vault.Provider.KeyId.ShouldBe(id);
        Should.Throw<KeyFileException>(() => FileKeyProvider.Open(_vault.KeyPath));
    }

    private static void Put(string path, byte[] contents)
    {
        File.Delete(path);
        File.WriteAllBytes(path, contents);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
