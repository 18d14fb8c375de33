using Appliance.Vault;

namespace Appliance.Tests.Objects;

/// <summary>A real vault in a folder of its own, with the keys of two teams.</summary>
public sealed class TestVault : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vault-").FullName;
    private readonly FileKeyProvider _provider;
    private readonly TeamKeys _keys;

    public TestVault()
    {
        var file = Path.Combine(_folder, "appliance.key");
        FileKeyProvider.Create(file);
        _provider = FileKeyProvider.Open(file);
        _keys = new TeamKeys(_provider, Path.Combine(_folder, "teams"));
        Sealer = new ObjectSealer(_keys);
        _keys.Create(Team);
        _keys.Create(OtherTeam);
    }

    public TeamKeys Keys => _keys;
    public ObjectSealer Sealer { get; }
    public TeamId Team { get; } = TeamId.New();
    public TeamId OtherTeam { get; } = TeamId.New();

    public void Dispose()
    {
        _keys.Dispose();
        _provider.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
