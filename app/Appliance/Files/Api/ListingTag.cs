using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Net.Http.Headers;

namespace Appliance.Files.Api;

/// <summary>
/// The entity tag of a page of a folder: it changes with every entry that comes, goes or changes, and with the folders' names above it. Weak (RFC 9110
/// section 8.8.3): it is made of the entries' revisions, not of the answer's bytes.
/// </summary>
internal static class ListingTag
{
    public static EntityTagHeaderValue Of(IReadOnlyList<FolderStep> path, ListedPage page)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> number = stackalloc byte[sizeof(long)];
        foreach (var step in path)
        {
            Add(hash, step.Reference);
            Add(hash, step.Name);
        }
        foreach (var entry in page.Entries)
        {
            Add(hash, entry.Reference);
            BinaryPrimitives.WriteInt64BigEndian(number, entry.Revision);
            hash.AppendData(number);
        }
        Add(hash, page.More?.ToString() ?? "");
        return new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16))}\"", isWeak: true);
    }

    /// <summary>With its length, so that two texts are never taken for two others.</summary>
    private static void Add(IncrementalHash hash, string text)
    {
        Span<byte> bytes = stackalloc byte[4 + (text.Length * 3)];
        var length = Encoding.UTF8.GetBytes(text, bytes[4..]);
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        hash.AppendData(bytes[..(4 + length)]);
    }
}
