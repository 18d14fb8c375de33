namespace Appliance.Sbom;

/// <summary>Something in the image that somebody else made (or we did), as CycloneDX 1.6 knows it.</summary>
/// <param name="Kind">Where it comes from: <c>deb</c>, <c>nuget</c>, <c>npm</c>, <c>golang</c>, <c>data</c>, <c>container</c>.</param>
/// <param name="Purl">Package URL (ECMA-427); null where its registry has none.</param>
/// <param name="Licences">SPDX expressions or, as Debian names them, short names. Empty only where a text says more than a name.</param>
/// <param name="Texts">Files that hold the licence itself.</param>
internal sealed record Component(
    string Kind, string Name, string Version, string? Purl, IReadOnlyList<string> Licences, IReadOnlyList<string> Texts, IReadOnlyDictionary<string, string>? Hashes = null, Uri? LicenceAt = null)
{
    /// <summary>Unique within one bill.</summary>
    public string Reference => Purl ?? $"{Kind}:{Name}@{Version}";
}
