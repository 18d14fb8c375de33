using System.Security.Cryptography;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>Whom the operator trusts to say which model a security key is. Nobody, unless set.</summary>
public sealed record KeyModelSettings
{
    /// <summary>Roots of makers: a PEM file, or a folder of them. <c>APPLIANCE_ATTESTATION_ROOTS</c>.</summary>
    public string? Roots { get; init; }

    /// <summary>A FIDO Metadata Service v3 BLOB. Another one can be uploaded. <c>APPLIANCE_FIDO_METADATA</c>.</summary>
    public string? Metadata { get; init; }

    /// <summary>The root, in PEM, under which BLOBs are signed. <c>APPLIANCE_FIDO_METADATA_ROOT</c>.</summary>
    public string? MetadataRoot { get; init; }

    /// <summary>The host name in the certificate that signs them. <c>APPLIANCE_FIDO_METADATA_SIGNER</c>.</summary>
    public string MetadataSigner { get; init; } = "mds.fidoalliance.org";

    /// <summary>What is wrong, as sentences that name the variable and the file.</summary>
    internal IEnumerable<string> Problems(DateTimeOffset now)
    {
        if (Metadata is not null && MetadataRoot is null)
        {
            return ["APPLIANCE_FIDO_METADATA needs APPLIANCE_FIDO_METADATA_ROOT, the root in PEM under which it is signed: nobody is trusted unasked."];
        }
        return new[]
        {
            Problem("APPLIANCE_ATTESTATION_ROOTS", () => LoadRoots()),
            Problem("APPLIANCE_FIDO_METADATA_ROOT", () => LoadSigner()),
            Problem("APPLIANCE_FIDO_METADATA", () => LoadMetadata(now)),
        }.OfType<string>();
    }

    internal IReadOnlyList<OperatorRoot> LoadRoots() => Roots is null ? [] : OperatorRoot.Load(Roots);

    /// <summary>Null: no BLOB is trusted.</summary>
    internal MetadataSigner? LoadSigner() => MetadataRoot is null ? null : new MetadataSigner([.. OperatorRoot.Load(MetadataRoot).Select(r => r.Der)], MetadataSigner);

    /// <summary>Null: the operator named none.</summary>
    /// <exception cref="InvalidDataException">Names the file and what is wrong with it.</exception>
    internal MetadataBlob? LoadMetadata(DateTimeOffset now)
    {
        if (Metadata is null || LoadSigner() is not { } signer)
        {
            return null;
        }
        try
        {
            // One byte more than may be, so that a file that grows meanwhile is refused as well.
            using var file = File.OpenRead(Metadata);
            var bytes = new byte[Math.Min(file.Length, MetadataBlob.MaxBytes + 1)];
            file.ReadExactly(bytes);
            return MetadataBlob.Read(bytes, signer, now);
        }
        catch (MetadataException e)
        {
            throw new InvalidDataException($"{Metadata}: {e.Message}", e);
        }
    }

    private static string? Problem(string variable, Action load)
    {
        try
        {
            load();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or CryptographicException)
        {
            return $"{variable}: {e.Message}";
        }
    }
}
