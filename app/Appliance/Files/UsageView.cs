using System.Globalization;

namespace Appliance.Files;

/// <summary>What a team stores and may store, for people.</summary>
public sealed record UsageView(TeamUsage Usage)
{
    private const double Almost = 0.9;

    /// <summary>How full it is, 0 to 1, by the limit that is nearer; null without any.</summary>
    public double? Share => Usage is { MaxBytes: null, MaxFiles: null }
        ? null
        : Math.Min(1, Math.Max(Part(Usage.Bytes, Usage.MaxBytes), Part(Usage.Files, Usage.MaxFiles)));

    public bool IsAlmostFull => Share >= Almost;

    public string Text => string.Create(
        CultureInfo.InvariantCulture,
        $"{ByteSize.Text(Usage.Bytes)}{(Usage.MaxBytes is { } most ? " of " + ByteSize.Text(most) : "")} · {Usage.Files:N0}{(Usage.MaxFiles is { } many ? $" of {many:N0}" : "")} {(Usage is { Files: 1, MaxFiles: null } ? "file" : "files")}");

    private static double Part(long used, long? most) => most switch { null => 0, 0 => 1, { } limit => (double)used / limit };
}
