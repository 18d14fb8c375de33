using System.Diagnostics;
using Appliance.Objects;
using Appliance.Objects.Disk;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Objects;

/// <summary>What happens when the disk does not do its part. The disk is a small file system in memory, which only root may mount.</summary>
public sealed class DiskFaultTests : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("objects-").FullName;
    private readonly TestVault _vault = new();
    private bool _mounted;

    [RootFact, Trait("Requirement", "T7")]
    public async Task A_full_disk_is_said_to_be_full_keeps_nothing_and_works_again_when_there_is_room()
    {
        using var store = new DiskStore(MountSmallDisk());
        var objects = new SealedObjects(store, _vault.Sealer, TimeProvider.System);

        var error = await Should.ThrowAsync<StoreFullException>(() => SealAsync(objects, 20 << 20));
        error.Message.ShouldContain("disk that holds the objects is full");
        FilesOnDisk().ShouldBeEmpty();

        await SealAsync(objects, 1 << 20);
        FilesOnDisk().ShouldHaveSingleItem();
    }

    [RootFact, Trait("Requirement", "T7")]
    public async Task What_was_complete_before_the_disk_was_full_is_still_whole()
    {
        using var store = new DiskStore(MountSmallDisk());
        var objects = new SealedObjects(store, _vault.Sealer, TimeProvider.System);
        var id = await SealAsync(objects, 3 << 20);
        await Should.ThrowAsync<StoreFullException>(() => SealAsync(objects, 20 << 20));

        await using var content = await objects.OpenAsync(_vault.Team, id, 3 << 20, 0, 3 << 20, default);
        var all = new MemoryStream();
        await content.CopyToAsync(all);
        all.Length.ShouldBe(3 << 20);
    }

    [RootFact, Trait("Requirement", "F8")]
    public async Task A_disk_that_turns_read_only_is_unavailable_until_it_is_writable_again()
    {
        using var store = new DiskStore(MountSmallDisk());
        var objects = new SealedObjects(store, _vault.Sealer, TimeProvider.System);
        await store.PrepareAsync(default);
        Run("mount", "-o", "remount,ro", _parent);

        await Should.ThrowAsync<StoreUnavailableException>(() => objects.CheckReachableAsync(default));
        await Should.ThrowAsync<StoreUnavailableException>(() => SealAsync(objects, 10));

        Run("mount", "-o", "remount,rw", _parent);
        await objects.CheckReachableAsync(default);
        await SealAsync(objects, 10);
    }

    [RootFact, Trait("Requirement", "F8")]
    public async Task A_folder_that_cannot_be_written_stops_the_start()
    {
        var folder = MountSmallDisk();
        Directory.CreateDirectory(Path.Combine(folder, "tmp"));
        Run("mount", "-o", "remount,ro", _parent);
        using var store = new DiskStore(folder);
        (await Should.ThrowAsync<StoreMisconfiguredException>(() => store.PrepareAsync(default))).Message.ShouldContain(folder);
    }

    [Theory, Trait("Requirement", "F8")]
    [InlineData("file")]
    [InlineData("file/below")]
    [InlineData("absent/below")]
    public async Task A_folder_that_is_none_stops_the_start_and_is_named(string name)
    {
        File.WriteAllText(Path.Combine(_parent, "file"), "");
        using var store = new DiskStore(Path.Combine(_parent, name));
        (await Should.ThrowAsync<StoreMisconfiguredException>(() => store.PrepareAsync(default))).Message.ShouldContain(Path.Combine(_parent, name));
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task A_second_process_finds_what_the_first_completed_and_sweeps_what_it_left()
    {
        var folder = Path.Combine(_parent, "objects");
        ObjectId id;
        using (var first = new DiskStore(folder))
        {
            id = await SealAsync(new SealedObjects(first, _vault.Sealer, TimeProvider.System), 100_000);
            var left = await first.BeginWriteAsync(new ObjectKey(_vault.Team, ObjectId.New()), default);
            await left.WriteAsync(new byte[100_000], default);
        }

        using var second = new DiskStore(folder);
        var objects = new SealedObjects(second, _vault.Sealer, TimeProvider.System);
        var swept = await objects.SweepAsync(
            _vault.Team, (_, _) => Task.FromResult<IReadOnlySet<ObjectId>>(new HashSet<ObjectId> { id }), TimeSpan.Zero, default);
        swept.ShouldBe(new SweepResult(Examined: 1, Deleted: 0, AbortedWrites: 1));
        Directory.GetFiles(folder, "*", SearchOption.AllDirectories).ShouldHaveSingleItem();
        await (await objects.OpenAsync(_vault.Team, id, 100_000, 99_999, 1, default)).DisposeAsync();
    }

    public void Dispose()
    {
        if (_mounted)
        {
            Run("umount", "--lazy", _parent);
        }
        Directory.Delete(_parent, recursive: true);
        _vault.Dispose();
    }

    private async Task<ObjectId> SealAsync(SealedObjects objects, int length)
    {
        var id = ObjectId.New();
        await using var writer = await objects.CreateAsync(_vault.Team, id, default);
        await writer.WriteAsync(new byte[length], default);
        await writer.CompleteAsync(default);
        return id;
    }

    private string[] FilesOnDisk() => Directory.GetFiles(_parent, "*", SearchOption.AllDirectories);

    private string MountSmallDisk()
    {
        Run("mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "objects", _parent);
        _mounted = true;
        return Directory.CreateDirectory(Path.Combine(_parent, "objects")).FullName;
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        process.ExitCode.ShouldBe(0, $"{program} {string.Join(' ', arguments)}");
    }
}

/// <summary>A fact that root alone can prove.</summary>
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Skip = "Only root may mount the small disk that this test fills.";
        }
    }
}
