using System.Security.Cryptography;
using Appliance.Data;
using Appliance.Vault;

namespace Appliance.Web;

/// <summary>
/// Makes the keys that are not there yet, and refuses to start on data that another key sealed. A key is made only where nothing
/// can have been sealed with it: no database that knows one, no object, no team key. A start that was cut off half way is finished
/// by the next: a key is on disk before the database is told of it.
/// </summary>
public static class FirstStart
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <exception cref="KeyFileException">A key file is missing, unusable, or not the one that this data was sealed with.</exception>
    /// <exception cref="NewerSchemaException">A newer version wrote this data.</exception>
    /// <exception cref="OlderSchemaException">The schema has not been brought up to this version.</exception>
    /// <exception cref="DatabaseUnavailableException">The database does not answer.</exception>
    public static async Task PrepareAsync(Settings settings, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(settings.DataFolder, Private);
        Directory.CreateDirectory(settings.KeyFolder, Private);
        await using var services = new ServiceCollection()
            .AddDatabase(settings.Database, typeof(ApplianceProgram).Assembly).BuildServiceProvider();
        var database = services.GetRequiredService<Database>();
        await database.CheckSchemaAsync(cancellationToken);
        if (await ClockCheck.AskAsync(database, TimeProvider.System, cancellationToken) is { } warning)
        {
            await Console.Error.WriteLineAsync(warning);
        }

        await EnsureAsync(database, new Key("appliance_key_id", settings.ApplianceKeyFile, FileKeyProvider.Create, ApplianceKeyIds), settings, cancellationToken);
        await EnsureAsync(database, new Key("ledger_key_id", settings.LedgerKeyFile, TreeHeadSigner.Create, LedgerKeyId), settings, cancellationToken);
        await RefuseOldKeysAsync(database, settings, cancellationToken);
    }

    private static async Task EnsureAsync(Database database, Key key, Settings settings, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        var known = (await session.SqlAsync<string>($"""select value as "Value" from appliance_state where name = {key.Name}""", cancellationToken)).SingleOrDefault();
        if (!File.Exists(key.File))
        {
            if (known is not null || HoldsData(settings))
            {
                throw new KeyFileException(key.File, "is missing",
                    $"This data was made with it{(known is null ? "" : $" (key {known})")} and cannot be used without it: put the file back from the backup of your keys. A new key is made only for an appliance that holds no data.");
            }
            key.Create(key.File);
        }
        var present = key.Identify(key.File);
        if (known is null)
        {
            // Another process may be at its first start beside this one: whoever comes first decides, and the other then sees it.
            await session.ExecuteAsync($"insert into appliance_state (name, value) values ({key.Name}, {present[0]}) on conflict do nothing", cancellationToken);
            known = (await session.SqlAsync<string>($"""select value as "Value" from appliance_state where name = {key.Name}""", cancellationToken)).Single();
            await session.CommitAsync(cancellationToken);
        }
        if (!present.Contains(known))
        {
            throw new KeyFileException(key.File, $"holds key {present[0]}, but this data was made with key {known}",
                "Put the right file back from the backup of your keys, or point the appliance at the data that belongs to this key.");
        }
    }

    /// <summary>Whether something lies here that a key has sealed already, although the database knows of none.</summary>
    private static bool HoldsData(Settings settings) =>
        IsFilled(settings.TeamKeyFolder) || (settings.Objects.Folder is { } folder && IsFilled(folder));

    private static bool IsFilled(string folder) =>
        Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Any();

    /// <summary>The current one first. Data of an older generation can be read; re-keying goes on with it (docs/re-keying.md).</summary>
    private static IReadOnlyList<string> ApplianceKeyIds(string file)
    {
        using var provider = FileKeyProvider.Open(file);
        return [.. provider.Generations.Select(generation => generation.KeyId)];
    }

    private static IReadOnlyList<string> LedgerKeyId(string file)
    {
        using var signer = TreeHeadSigner.Open(file);
        return [Convert.ToHexStringLower(SHA256.HashData(signer.PublicKey))];
    }

    /// <summary>Keys that were put back from before a rotation would seal under what was given up, and could not open what came since.</summary>
    private static async Task RefuseOldKeysAsync(Database database, Settings settings, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        using var provider = FileKeyProvider.Open(settings.ApplianceKeyFile);
        var oldest = provider.Generations[^1].KeyId;
        if ((await session.SqlAsync<string>($"""select value as "Value" from appliance_state where name = 'hash_key_id'""", cancellationToken)).SingleOrDefault() is { } hashes && hashes != oldest)
        {
            throw new KeyFileException(settings.ApplianceKeyFile, $"is there without its older generation {hashes}",
                $"Put '{Path.GetFileName(settings.ApplianceKeyFile)}.{hashes}.{provider.KeyId}.kept' back beside it from the backup of your keys: recovery codes are checked with it.");
        }
        var generations = await session.SqlAsync<Generation>(
            $"""select team_id as "Team", max(to_key::integer) as "Number" from key_rotations where team_id is not null and to_key is not null group by team_id""", cancellationToken);
        if (generations.Count > 0)
        {
            using var keys = new TeamKeys(provider, settings.TeamKeyFolder);
            generations.ForEach(generation => keys.RequireGeneration(new TeamId(generation.Team), generation.Number));
        }
    }

    private sealed record Generation(Guid Team, int Number);

    private sealed record Key(string Name, string File, Action<string> Create, Func<string, IReadOnlyList<string>> Identify);
}
