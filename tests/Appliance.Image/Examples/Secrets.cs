using Appliance.Tests.TestServers;

namespace Appliance.Image.Examples;

/// <summary>A folder of files as an operator lays them out for an example: each owned by the account that reads it, and by no one else. Gone afterwards.</summary>
internal sealed class Secrets : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("example");

    public Secrets() => File.SetUnixFileMode(Folder, (UnixFileMode)0b111_101_101);

    public string Folder => _folder.FullName;

    /// <summary>Anew or in place of another, as tools do it: written beside it and renamed.</summary>
    public async Task PutAsync(string name, string content, int account, bool secret = true)
    {
        var file = Path.Combine(Folder, name);
        await File.WriteAllTextAsync(file + ".new", content);
        File.SetUnixFileMode(file + ".new", secret ? UnixFileMode.UserRead : (UnixFileMode)0b100_100_100);
        await ChildProcess.RunAsync("chown", $"{account}:{account}", file + ".new");
        File.Move(file + ".new", file, overwrite: true);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
