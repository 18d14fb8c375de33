namespace Appliance.Vault;

/// <summary>Which team. UUIDv7 (RFC 9562 section 5.7), written in lower-case "D" form; as bytes, big-endian.</summary>
public readonly record struct TeamId(Guid Value)
{
    /// <summary>A new id, ordered by the time it was made.</summary>
    public static TeamId New() => new(Guid.CreateVersion7());

    /// <summary>Reads the 36-character "D" form. False for anything else, and for the all-zero id.</summary>
    public static bool TryParse(string? text, out TeamId id) => ObjectId.TryParse(text, out id, static value => new TeamId(value));

    public override string ToString() => Value.ToString("D");
}

/// <summary>Which sealed object. UUIDv7 (RFC 9562 section 5.7), written in lower-case "D" form; as bytes, big-endian.</summary>
public readonly record struct ObjectId(Guid Value)
{
    /// <summary>A new id, ordered by the time it was made.</summary>
    public static ObjectId New() => new(Guid.CreateVersion7());

    /// <summary>Reads the 36-character "D" form. False for anything else, and for the all-zero id.</summary>
    public static bool TryParse(string? text, out ObjectId id) => TryParse(text, out id, static value => new ObjectId(value));

    public override string ToString() => Value.ToString("D");

    internal static bool TryParse<T>(string? text, out T id, Func<Guid, T> make) where T : struct
    {
        // Guid itself tolerates white space and signs: what it read must be what was written.
        var valid = Guid.TryParseExact(text, "D", out var value)
            && value != Guid.Empty
            && string.Equals(value.ToString("D"), text, StringComparison.OrdinalIgnoreCase);
        id = valid ? make(value) : default;
        return valid;
    }
}
