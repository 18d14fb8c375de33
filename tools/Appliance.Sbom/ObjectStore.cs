using System.Security.Cryptography;
using System.Text;

namespace Appliance.Sbom;

/// <summary>
/// The object store's one program. A Go program carries the list of its own modules (Go's debug/buildinfo: "\xff Go buildinf:", flags, two strings with
/// their lengths before them); where there is none, the program is one component known by name, version and digest.
/// </summary>
internal static class ObjectStore
{
    private static ReadOnlySpan<byte> Magic => " Go buildinf:"u8; // after a byte 0xff, which no UTF-8 literal holds

    public static IEnumerable<Component> Read(string program, string image)
    {
        // NAME:TAG, NAME@sha256:… or both; a tag is what stands after the last slash's colon.
        var tagged = image.Split('@')[0];
        var colon = tagged.LastIndexOf(':');
        var (name, version) = colon > tagged.LastIndexOf('/') ? (tagged[..colon], tagged[(colon + 1)..]) : (tagged, "untagged");
        var bytes = File.ReadAllBytes(program);
        yield return new Component(
            "container", name, version, null, ["AGPL-3.0-or-later"], [], // MinIO's and its fork's licence; its source: the image's repository at this tag
            new Dictionary<string, string>(StringComparer.Ordinal) { ["SHA-256"] = Convert.ToHexStringLower(SHA256.HashData(bytes)) });
        foreach (var (module, at) in Modules(bytes))
        {
            yield return new Component("golang", module, at, $"pkg:golang/{module}@{at}", [], []);
        }
    }

    /// <summary>Module and version of everything linked into a Go program (1.18 or later), the standard library first; nothing for another file.</summary>
    internal static IEnumerable<(string Module, string Version)> Modules(byte[] program)
    {
        if (Find(program) is not (var go, var modules))
        {
            yield break;
        }
        yield return ("stdlib", go.StartsWith("go", StringComparison.Ordinal) ? go[2..].Split(' ')[0] : go);
        foreach (var line in modules.Split('\n').Select(line => line.Split('\t')))
        {
            // "dep" module version hash, and "=>" for what was put in place of the line before: both are named.
            if (line is ["dep" or "=>", var module, var version, ..])
            {
                yield return (module, version);
            }
        }
    }

    private static (string Go, string Modules)? Find(byte[] program)
    {
        for (var at = 0; ;)
        {
            var next = program.AsSpan(at).IndexOf(Magic);
            if (next < 0)
            {
                return null;
            }
            var start = at + next - 1;
            at += next + Magic.Length;
            if (start < 0 || program[start] != 0xff || start + 33 > program.Length || (program[start + 15] & 2) == 0)
            {
                continue;
            }
            ReadOnlySpan<byte> rest = program.AsSpan(start + 32);
            if (Text(ref rest, out var go) && Text(ref rest, out var modules) && go.Length > 0)
            {
                // Sixteen bytes before and after mark where the list begins and ends.
                return (Encoding.UTF8.GetString(go), modules.Length >= 33 ? Encoding.UTF8.GetString(modules[16..^16]) : "");
            }
        }
    }

    /// <summary>A length as base-128 varint, at most 1 MiB, and as many bytes.</summary>
    private static bool Text(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> text)
    {
        text = default;
        uint length = 0;
        for (var shift = 0; shift < 28; shift += 7)
        {
            if (rest.IsEmpty)
            {
                return false;
            }
            var b = rest[0];
            rest = rest[1..];
            length |= (uint)(b & 0x7f) << shift;
            if (b < 0x80)
            {
                if (length > rest.Length || length > 1 << 20)
                {
                    return false;
                }
                text = rest[..(int)length];
                rest = rest[(int)length..];
                return true;
            }
        }
        return false;
    }
}
