namespace Appliance.Vault;

/// <summary>
/// Something that was authenticated when it was written is no longer what it was: altered, cut, swapped, or opened with another key.
/// The message says what, in text that may be logged: ids, positions and lengths, never key or content bytes.
/// </summary>
public sealed class TamperedException(string what) : Exception(what);

/// <summary>A key file cannot be used (or must not be overwritten). The message names the file, the problem and the fix.</summary>
public sealed class KeyFileException : Exception
{
    public KeyFileException(string path, string problem, string fix, Exception? inner = null)
        : base($"Key file '{path}' {problem}. {fix}", inner) => Path = path;

    /// <summary>The file that the message is about.</summary>
    public string Path { get; }
}

/// <summary>The team has no key: it was never made, or it was destroyed and the team's objects with it.</summary>
public sealed class TeamKeyMissingException(TeamId team)
    : Exception($"Team {team} has no key: it was never made, or it was destroyed, and then nothing of this team can be opened again.")
{
    public TeamId Team { get; } = team;
}
