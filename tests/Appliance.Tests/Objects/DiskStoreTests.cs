using Appliance.Objects;
using Appliance.Objects.Disk;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Objects;

/// <summary>The contract on disk, and what only a folder can get wrong.</summary>
public sealed class DiskStoreTests : ObjectStoreContract
{
    private readonly string _parent = Directory.CreateTempSubdirectory("objects-").FullName;

    private string Folder => Path.Combine(_parent, "objects");

    private protected override IObjectStore OpenStore() => new DiskStore(Folder);

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_parent, recursive: true);
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task Files_lie_where_the_documentation_says_and_only_the_owner_may_look()
    {
        var key = NewKey();
        await PutAsync(key, [1]);

        var name = key.Object.Value.ToString("N");
        var file = Path.Combine(Folder, Team.Value.ToString("N"), name[^2..], name);
        File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        for (var folder = Path.GetDirectoryName(file)!; folder != _parent; folder = Path.GetDirectoryName(folder)!)
        {
            File.GetUnixFileMode(folder).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, folder);
        }
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task A_dropped_write_leaves_no_file_anywhere()
    {
        await using (var write = await Store.BeginWriteAsync(NewKey(), default))
        {
            await write.WriteAsync(new byte[100_000], default);
            Directory.GetFiles(Folder, "*", SearchOption.AllDirectories).ShouldHaveSingleItem();
        }
        Directory.GetFiles(Folder, "*", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task Links_are_never_followed_out_of_the_folder()
    {
        var outside = Directory.CreateDirectory(Path.Combine(_parent, "outside")).FullName;
        var (viaTeam, viaShard, viaFile) = (new ObjectKey(Vault.OtherTeam, ObjectId.New()), NewKey(), NewKey());
        await PutAsync(viaFile, [1]);
        Directory.CreateSymbolicLink(Path.Combine(Folder, viaTeam.Team.Value.ToString("N")), outside);
        var shard = Path.Combine(Folder, Team.Value.ToString("N"), viaShard.Object.Value.ToString("N")[^2..]);
        if (Directory.Exists(shard))
        {
            Directory.Delete(shard, recursive: true);
            await PutAsync(viaFile = NewKeyIn("aa"), [1]);
        }
        Directory.CreateSymbolicLink(shard, outside);
        var name = viaFile.Object.Value.ToString("N");
        var file = Path.Combine(Folder, Team.Value.ToString("N"), name[^2..], name);
        File.Delete(file);
        File.WriteAllText(Path.Combine(outside, "secret"), "secret");
        File.CreateSymbolicLink(file, Path.Combine(outside, "secret"));

        foreach (var key in new[] { viaTeam, viaShard })
        {
            await Should.ThrowAsync<StoreUnavailableException>(() => PutAsync(key, [1]));
            await Should.ThrowAsync<StoreUnavailableException>(() => Store.DeleteAsync(key, default));
            await Should.ThrowAsync<StoreUnavailableException>(() => Store.StatAsync(key, default));
        }
        await Should.ThrowAsync<StoreUnavailableException>(() => Store.ReadAsync(viaFile, 0, 10, default));
        await Should.ThrowAsync<StoreUnavailableException>(async () => await ListAsync());
        await Store.DeleteAsync(viaFile, default); // removes the link, not what it names
        Directory.GetFileSystemEntries(outside).ShouldHaveSingleItem();
        File.ReadAllText(Path.Combine(outside, "secret")).ShouldBe("secret");
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task Files_that_are_no_objects_are_neither_listed_nor_swept()
    {
        var key = NewKey();
        await PutAsync(key, [1]);
        var team = Path.Combine(Folder, Team.Value.ToString("N"));
        File.WriteAllText(Path.Combine(team, key.Object.Value.ToString("N")[^2..], "README"), "not ours");

        (await ListAsync()).ShouldHaveSingleItem().Key.ShouldBe(key);
        await LaterObjects().SweepAsync(Team, (_, _) => Task.FromResult<IReadOnlySet<ObjectId>>(new HashSet<ObjectId>()), TimeSpan.Zero, default);
        Directory.GetFiles(team, "*", SearchOption.AllDirectories).ShouldHaveSingleItem().ShouldEndWith("README");
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task Deleting_does_not_disturb_a_reader()
    {
        var key = NewKey();
        await PutAsync(key, [1, 2, 3]);
        var range = await Store.ReadAsync(key, 0, 3, default);
        await Store.DeleteAsync(key, default);
        (await DrainAsync(range.Content)).ShouldBe([1, 2, 3]);
    }

    private ObjectKey NewKeyIn(string shard)
    {
        while (true)
        {
            if (NewKey() is var key && key.Object.Value.ToString("N").EndsWith(shard, StringComparison.Ordinal))
            {
                return key;
            }
        }
    }
}
