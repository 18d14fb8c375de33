namespace Appliance.Vault.Tests;

[Trait("Requirement", "F7")]
public sealed class TeamKeysTests : IDisposable
{
    private readonly TestVault _vault = new(cachedKeys: 2);

    [Fact]
    public void A_team_key_is_a_wrapped_file_that_only_its_owner_can_read_and_is_made_once()
    {
        var path = _vault.KeyFileOf(_vault.Team);
        File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead);
        File.GetUnixFileMode(_vault.KeyFolder).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var before = File.ReadAllBytes(path);
        before.Length.ShouldBe(92);
        before.AsSpan().IndexOf(KeyOf(_vault.Team)).ShouldBe(-1);

        Should.Throw<KeyFileException>(() => _vault.Keys.Create(_vault.Team)).Message.ShouldContain("exists already");
        File.ReadAllBytes(path).ShouldBe(before);
        _vault.Keys.Exists(_vault.Team).ShouldBeTrue();
        Directory.GetFiles(_vault.KeyFolder).ShouldBe([path]);
        Should.Throw<ArgumentException>(() => _vault.Keys.Create(default));
    }

    [Fact]
    public void A_team_without_a_key_can_neither_seal_nor_open()
    {
        var team = TeamId.New();
        _vault.Keys.Exists(team).ShouldBeFalse();
        Should.Throw<TeamKeyMissingException>(() => _vault.Seal(team, _vault.Object, [1])).Team.ShouldBe(team);
    }

    [Fact]
    public void Nothing_of_a_destroyed_team_opens_here_or_in_a_process_that_has_its_key_cached()
    {
        var sealedBytes = _vault.Seal([1, 2, 3]);
        var otherTeam = _vault.NewTeam();
        var otherBytes = _vault.Seal(otherTeam, _vault.Object, [4]);
        using var otherProcess = new TeamKeys(_vault.Provider, _vault.KeyFolder);
        var otherSealer = new ObjectSealer(otherProcess);
        TestVault.Open(otherSealer, _vault.Team, _vault.Object, sealedBytes).ShouldBe([1, 2, 3]);
        otherProcess.CachedKeys.ShouldBe(1);

        _vault.Keys.CachedKeys.ShouldBe(2);

        _vault.Keys.Destroy(_vault.Team);

        _vault.Keys.CachedKeys.ShouldBe(1, "the destroyed key is out of memory at once, not when somebody next asks for it");
        _vault.Keys.Exists(_vault.Team).ShouldBeFalse();
        Should.Throw<TeamKeyMissingException>(() => _vault.Open(sealedBytes));
        Should.Throw<TeamKeyMissingException>(() => _vault.Seal([1]));
        Should.Throw<TeamKeyMissingException>(() => TestVault.Open(otherSealer, _vault.Team, _vault.Object, sealedBytes));
        otherProcess.CachedKeys.ShouldBe(0);
        Directory.GetFiles(_vault.KeyFolder).ShouldBe([_vault.KeyFileOf(otherTeam)]);
        _vault.Open(otherTeam, _vault.Object, otherBytes).ShouldBe([4]);
        _vault.Keys.Destroy(_vault.Team); // again: nothing to do
    }

    [Fact]
    public void The_destroyed_file_s_bytes_are_overwritten_before_it_goes()
    {
        var path = _vault.KeyFileOf(_vault.Team);
        var before = File.ReadAllBytes(path);
        using var stillOpen = File.OpenRead(path); // the inode lives on as long as this does
        _vault.Keys.Destroy(_vault.Team);
        var after = new byte[92];
        stillOpen.ReadExactly(after);
        for (var at = 0; at + 8 <= before.Length; at++)
        {
            after.AsSpan().IndexOf(before.AsSpan(at, 8)).ShouldBe(-1);
        }
    }

    [Fact]
    public void A_key_destroyed_while_it_is_being_read_does_not_stay_in_memory()
    {
        var path = _vault.KeyFileOf(_vault.Team);
        using var keys = new TeamKeys(new Interrupted(_vault.Provider, () => File.Delete(path)), _vault.KeyFolder);
        keys.CopyKey(_vault.Team, new byte[32]);
        keys.CachedKeys.ShouldBe(0);
        Should.Throw<TeamKeyMissingException>(() => keys.CopyKey(_vault.Team, new byte[32]));
    }

    [Fact]
    public void A_team_made_again_after_its_destruction_cannot_open_the_old_objects()
    {
        var sealedBytes = _vault.Seal([1]);
        _vault.Keys.Destroy(_vault.Team);
        _vault.Keys.Create(_vault.Team);
        Should.Throw<TamperedException>(() => _vault.Open(sealedBytes));
        _vault.Open(_vault.Seal([2])).ShouldBe([2]);
    }

    [Fact]
    public void A_key_replaced_by_another_process_is_noticed()
    {
        var sealedBytes = _vault.Seal([1]);
        using (var otherProcess = new TeamKeys(_vault.Provider, _vault.KeyFolder))
        {
            otherProcess.Destroy(_vault.Team);
            Thread.Sleep(20); // a file's time stamps have the resolution of the kernel's clock tick
            otherProcess.Create(_vault.Team);
        }

        Should.Throw<TamperedException>(() => _vault.Open(sealedBytes));
    }

    [Fact]
    public void A_destruction_cut_short_by_a_crash_is_finished_at_the_next_start_or_the_next_try()
    {
        var sealedBytes = _vault.Seal([1]);
        var path = _vault.KeyFileOf(_vault.Team);
        File.Move(path, path + ".destroyed");
        Should.Throw<TeamKeyMissingException>(() => _vault.Open(sealedBytes));
        using (new TeamKeys(_vault.Provider, _vault.KeyFolder))
        {
            Directory.GetFiles(_vault.KeyFolder).ShouldBeEmpty();
        }

        var again = _vault.NewTeam();
        File.Move(_vault.KeyFileOf(again), _vault.KeyFileOf(again) + ".destroyed");
        _vault.Keys.Destroy(again);
        Directory.GetFiles(_vault.KeyFolder).ShouldBeEmpty();
    }

    [Fact]
    public void Temporary_files_that_a_crash_left_go_with_the_team()
    {
        var path = _vault.KeyFileOf(_vault.Team);
        File.Copy(path, path + ".0123456789abcdef.tmp");
        _vault.Keys.Destroy(_vault.Team);
        Directory.GetFiles(_vault.KeyFolder).ShouldBeEmpty();
    }

    [Fact]
    public void The_cache_is_bounded_and_an_evicted_team_still_works()
    {
        TeamId[] teams = [_vault.Team, _vault.NewTeam(), _vault.NewTeam(), _vault.NewTeam()];
        var objects = teams.Select((team, i) => _vault.Seal(team, _vault.Object, [(byte)i])).ToArray();
        _vault.Keys.CachedKeys.ShouldBe(2);
        for (var i = 0; i < teams.Length; i++)
        {
            _vault.Open(teams[i], _vault.Object, objects[i]).ShouldBe([(byte)i]);
            _vault.Keys.CachedKeys.ShouldBe(2);
        }
    }

    [Fact]
    public void Every_bit_of_a_team_key_file_counts_and_so_does_its_length()
    {
        var sealedBytes = _vault.Seal([1]);
        var path = _vault.KeyFileOf(_vault.Team);
        var good = File.ReadAllBytes(path);
        using var keys = new TeamKeys(_vault.Provider, _vault.KeyFolder); // has nothing cached, and never will: no try succeeds
        var sealer = new ObjectSealer(keys);
        foreach (var bad in Enumerable.Range(0, good.Length * 8)
            .Select(bit => (byte[])[.. good[..(bit / 8)], (byte)(good[bit / 8] ^ (1 << (bit % 8))), .. good[((bit / 8) + 1)..]])
            .Concat([[], good[..91], [.. good, 0]]))
        {
            Put(path, bad);
            var error = Record.Exception(() => TestVault.Open(sealer, _vault.Team, _vault.Object, sealedBytes));
            (error is TamperedException or KeyFileException).ShouldBeTrue(error?.GetType().Name);
        }

        Put(path, good);
        TestVault.Open(sealer, _vault.Team, _vault.Object, sealedBytes).ShouldBe([1]);
    }

    [Fact]
    public void The_key_file_of_one_team_does_not_serve_another()
    {
        var sealedBytes = _vault.Seal([1]);
        var other = _vault.NewTeam();
        Put(_vault.KeyFileOf(_vault.Team), File.ReadAllBytes(_vault.KeyFileOf(other)));
        Should.Throw<TamperedException>(() => _vault.Open(sealedBytes)).Message.ShouldContain("another team's");

        var renamed = File.ReadAllBytes(_vault.KeyFileOf(other));
        _vault.Team.Value.TryWriteBytes(renamed.AsSpan(16), bigEndian: true, out _);
        Put(_vault.KeyFileOf(_vault.Team), renamed);
        Should.Throw<TamperedException>(() => _vault.Open(sealedBytes)).Message.ShouldContain("wrapped key");
    }

    [Fact]
    public void A_wrong_appliance_key_is_told_at_the_start_with_both_ids()
    {
        FileKeyProvider.Create(_vault.KeyPath + "2");
        using var wrong = FileKeyProvider.Open(_vault.KeyPath + "2");
        var error = Should.Throw<KeyFileException>(() => new TeamKeys(wrong, _vault.KeyFolder));
        error.Message.ShouldContain(wrong.KeyId);
        error.Message.ShouldContain(_vault.Provider.KeyId);
        error.Message.ShouldContain(_vault.KeyFileOf(_vault.Team));
    }

    [Fact]
    public void A_wrong_appliance_key_opens_nothing_even_when_the_file_claims_it()
    {
        FileKeyProvider.Create(_vault.KeyPath + "2");
        using var wrong = FileKeyProvider.Open(_vault.KeyPath + "2");
        var sealedBytes = _vault.Seal([1]);
        var claiming = File.ReadAllBytes(_vault.KeyFileOf(_vault.Team));
        Convert.FromHexString(wrong.KeyId).CopyTo(claiming, 8);
        Put(_vault.KeyFileOf(_vault.Team), claiming);
        using var keys = new TeamKeys(wrong, _vault.KeyFolder);
        Should.Throw<TamperedException>(() => TestVault.Open(new ObjectSealer(keys), _vault.Team, _vault.Object, sealedBytes))
            .Message.ShouldContain(wrong.KeyId);
    }

    [Fact]
    public void A_folder_that_cannot_be_used_is_named()
    {
        var file = Path.Combine(_vault.Root, "a file");
        File.WriteAllText(file, "");
        Should.Throw<KeyFileException>(() => new TeamKeys(_vault.Provider, file)).Message.ShouldContain(file);
    }

    [Fact]
    public void A_disposed_store_gives_no_key_away()
    {
        var sealedBytes = _vault.Seal([1]);
        _vault.Keys.Dispose();
        Should.Throw<ObjectDisposedException>(() => _vault.Open(sealedBytes));
        _vault.Keys.CachedKeys.ShouldBe(0);
    }

    public void Dispose() => _vault.Dispose();

    private static void Put(string path, byte[] contents)
    {
        File.Delete(path);
        File.WriteAllBytes(path, contents);
    }

    private byte[] KeyOf(TeamId team)
    {
        var key = new byte[32];
        _vault.Keys.CopyKey(team, key);
        return key;
    }

    /// <summary>The real provider, with something happening just after a key was unwrapped.</summary>
    private sealed class Interrupted(IKeyProvider provider, Action afterUnwrap) : IKeyProvider
    {
        public string KeyId => provider.KeyId;

        public void Wrap(ReadOnlySpan<byte> key32, ReadOnlySpan<byte> associatedData, Span<byte> wrapped60) =>
            provider.Wrap(key32, associatedData, wrapped60);

        public void Unwrap(ReadOnlySpan<byte> wrapped60, ReadOnlySpan<byte> associatedData, Span<byte> key32)
        {
            provider.Unwrap(wrapped60, associatedData, key32);
            afterUnwrap();
        }

        public void Derive(string purpose, Span<byte> key32) => provider.Derive(purpose, key32);
    }
}
