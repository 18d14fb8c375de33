using System.Buffers.Binary;
using System.Text;

namespace Appliance.Vault.Tests;

/// <summary>
/// A reader written from docs/sealed-format.md alone, as someone would who finds the disks in ten years. It calls nothing of
/// Appliance.Vault, so it fails when the document and the code part ways.
/// </summary>
internal static class StrangersReader
{
    public static byte[] ReadApplianceKey(byte[] file)
    {
        var line = Encoding.ASCII.GetString(file).TrimEnd('\n');
        Require(line.StartsWith("appliance-key-v1:", StringComparison.Ordinal), "not an appliance key file");
        return Convert.FromBase64String(line["appliance-key-v1:".Length..]);
    }

    public static byte[] ReadTeamKey(byte[] applianceKey, byte[] file, Guid team)
    {
        Require(file.Length == 92, "length of a team key file");
        Require(file.AsSpan(0, 8).SequenceEqual(Convert.FromHexString("4150544b00000001")), "magic of a team key file");
        Require(file.AsSpan(8, 8).SequenceEqual(HMACSHA256.HashData(applianceKey, "appliance key id"u8).AsSpan(0, 8)), "appliance key id");
        Require(new Guid(file.AsSpan(16, 16), bigEndian: true) == team, "team of a team key file");
        return Unwrap(applianceKey, file.AsSpan(32), file.AsSpan(0, 32));
    }

    /// <summary>Version 2: all generations, the newest first.</summary>
    public static List<byte[]> ReadTeamKeys(byte[] applianceKey, byte[] file, Guid team)
    {
        Require(file.AsSpan(0, 8).SequenceEqual(Convert.FromHexString("4150544b00000002")), "magic of a team key file");
        Require(file.AsSpan(8, 8).SequenceEqual(HMACSHA256.HashData(applianceKey, "appliance key id"u8).AsSpan(0, 8)), "appliance key id");
        Require(new Guid(file.AsSpan(16, 16), bigEndian: true) == team, "team of a team key file");
        var count = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(36));
        Require(file.Length == 40 + 68 * count, "length of a team key file");
        var place = new byte[4];
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            BinaryPrimitives.WriteInt32BigEndian(place, i);
            var entry = file.AsSpan(40 + 68 * i, 68);
            return Unwrap(applianceKey, entry[8..], (byte[])[.. file.AsSpan(0, 40), .. place, .. entry[..8]]);
        })];
    }

    public static byte[] ReadKeptKey(byte[] applianceKey, byte[] file)
    {
        Require(file.Length == 92 && file.AsSpan(0, 8).SequenceEqual(Convert.FromHexString("4150414b00000001")), "magic of a kept key");
        Require(file.AsSpan(8, 8).SequenceEqual(HMACSHA256.HashData(applianceKey, "appliance key id"u8).AsSpan(0, 8)), "appliance key id");
        var key = Unwrap(applianceKey, file.AsSpan(32), file.AsSpan(0, 32));
        Require(file.AsSpan(16, 8).SequenceEqual(HMACSHA256.HashData(key, "appliance key id"u8).AsSpan(0, 8)), "id of a kept key");
        return key;
    }

    public static byte[] Read(byte[] teamKey, byte[] stored, Guid team, Guid obj)
    {
        long b = stored.Length - 112, c = (b + 65551) / 65552, r = b - ((c - 1) * 65552);
        Require(b >= 16 && (r > 16 || c == 1), "length");
        Require(stored.AsSpan(0, 12).SequenceEqual(Convert.FromHexString("4150534f0101000000010000")), "start of the header");
        Require(stored[19] == 0, "reserved byte");
        Require(new Guid(stored.AsSpan(20, 16), bigEndian: true) == team, "team");
        Require(new Guid(stored.AsSpan(36, 16), bigEndian: true) == obj, "object");
        var fixedPart = stored.AsSpan(0, 52);
        using var aes = new AesGcm(Unwrap(teamKey, stored.AsSpan(52, 60), fixedPart), 16);

        var plain = new MemoryStream();
        for (var i = 0; i < c; i++)
        {
            var chunk = stored.AsSpan(112 + (i * 65552), i == c - 1 ? (int)r : 65552);
            var nonce = new byte[12];
            stored.AsSpan(12, 7).CopyTo(nonce);
            BinaryPrimitives.WriteInt32BigEndian(nonce.AsSpan(7), i);
            nonce[11] = i == c - 1 ? (byte)1 : (byte)0;
            var part = new byte[chunk.Length - 16];
            aes.Decrypt(nonce, chunk[..^16], chunk[^16..], part, fixedPart);
            plain.Write(part);
        }

        return plain.ToArray();
    }

    private static byte[] Unwrap(byte[] wrappingKey, ReadOnlySpan<byte> wrapped, ReadOnlySpan<byte> associatedData)
    {
        var key = new byte[32];
        using var aes = new AesGcm(wrappingKey, 16);
        aes.Decrypt(wrapped[..12], wrapped[12..44], wrapped[44..60], key, associatedData);
        return key;
    }

    private static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvalidDataException(what);
        }
    }
}
