using System.Globalization;
using Appliance.Tests.TestServers;

namespace Appliance.Image;

/// <summary>A small file system of its own (ext4 in a file), to be filled to the last block and emptied again.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("small-disk").FullName;

    /// <summary>For a volume: owned by the service's account.</summary>
    public string Data => Path.Combine(_folder, "mount/data");

    public static async Task<SmallDisk> MakeAsync(int account, int mebibytes)
    {
        var disk = new SmallDisk();
        await ChildProcess.RunAsync("bash", "-ec", string.Create(CultureInfo.InvariantCulture, $"""
            cd {disk._folder}; chmod 0755 .; mkdir mount
            truncate -s {mebibytes}M image; mkfs.ext4 -q -m 0 image
            mount -o loop image mount
            install -d -m 0700 -o {account} -g {account} mount/data
            """));
        return disk;
    }

    /// <summary>Until not one byte more fits.</summary>
    public Task FillAsync() => ChildProcess.RunAsync("bash", "-c", $"cat /dev/zero >{_folder}/mount/filler 2>/dev/null; sync -f {_folder}/mount; cat /dev/zero >>{_folder}/mount/filler 2>/dev/null; true");

    public Task MakeRoomAsync() => ChildProcess.RunAsync("rm", $"{_folder}/mount/filler");

    public async ValueTask DisposeAsync()
    {
        await ChildProcess.TryRunAsync("umount", $"{_folder}/mount");
        await ChildProcess.TryRunAsync("rm", "-rf", "--one-file-system", _folder);
    }
}
