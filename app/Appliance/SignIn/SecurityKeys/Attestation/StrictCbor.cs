using System.Formats.Cbor;

namespace Appliance.SignIn.SecurityKeys.Attestation;

/// <summary>
/// What a security key sent is not what it has to be. The message names the rule that was broken, never what was sent.
/// </summary>
public sealed class AttestationException(string rule, Exception? inner = null) : Exception(rule, inner);

/// <summary>
/// CBOR in the CTAP2 canonical encoding form, which everything here must have (WebAuthn Level 3 §2.4: decoders should refuse what
/// has not, and duplicate map keys): shortest integers, definite lengths, sorted and unique keys, no tags, at most four levels deep.
/// </summary>
internal static class StrictCbor
{
    /// <summary>CTAP 2.1 §8: a message nests at most four levels; one more for the statement inside the attestation object.</summary>
    private const int MaxDepth = 5;

    /// <summary>Reads the one value in <paramref name="bytes"/>, all of it and nothing after it.</summary>
    public static T ReadAll<T>(ReadOnlyMemory<byte> bytes, string what, Func<CborReader, T> read) => Guarded(what, () =>
    {
        var reader = Reader(bytes);
        var value = read(reader);
        return reader.BytesRemaining == 0 ? value : throw new AttestationException($"{what}: something follows it.");
    });

    /// <summary>The length in bytes of the first value in <paramref name="bytes"/>, which must be a map.</summary>
    public static int FirstMapLength(ReadOnlyMemory<byte> bytes, string what) => Guarded(what, () =>
    {
        var reader = Reader(bytes);
        if (reader.PeekState() != CborReaderState.StartMap)
        {
            throw new AttestationException($"{what}: not a map.");
        }
        reader.SkipValue();
        return bytes.Length - reader.BytesRemaining;
    });

    private static CborReader Reader(ReadOnlyMemory<byte> bytes)
    {
        RefuseDeep(new CborReader(bytes, CborConformanceMode.Ctap2Canonical, allowMultipleRootLevelValues: true));
        return new CborReader(bytes, CborConformanceMode.Ctap2Canonical, allowMultipleRootLevelValues: true);
    }

    private static void RefuseDeep(CborReader reader)
    {
        do
        {
            switch (reader.PeekState())
            {
                case CborReaderState.StartMap: reader.ReadStartMap(); break;
                case CborReaderState.EndMap: reader.ReadEndMap(); break;
                case CborReaderState.StartArray: reader.ReadStartArray(); break;
                case CborReaderState.EndArray: reader.ReadEndArray(); break;
                default: reader.SkipValue(); break;
            }
            if (reader.CurrentDepth > MaxDepth)
            {
                throw new AttestationException("Nested too deeply.");
            }
        }
        while (reader.CurrentDepth > 0);
    }

    private static T Guarded<T>(string what, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is CborContentException or InvalidOperationException or OverflowException or ArgumentException)
        {
            throw new AttestationException($"{what}: not canonical CBOR of the expected shape.", e);
        }
    }
}
