using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Appliance.Admin;

/// <summary>
/// The list of allowed keys: a line for each, <c>NAME ecdsa-p256 BASE64 [actions=status,teams,…]</c>; what begins with # is passed over (docs/operators.md). A
/// line that cannot be used allows nobody. Problems name the line and never repeat it: somebody may have put a private key there.
/// </summary>
internal static partial class OperatorKeyList
{
    public const int MostBytes = 64 << 10;
    public const int MostKeys = 256;
    public const int MostOfLine = 1024;

    /// <summary>The algorithm and the bit string's head of an Ed25519 key's SubjectPublicKeyInfo (RFC 8410 section 4); 32 bytes follow.</summary>
    private static readonly byte[] s_ed25519 = Convert.FromHexString("302A300506032B6570032100");

    /// <summary>Both parts of the configuration as they are now. Never throws: what cannot be read allows nobody, and is a problem.</summary>
    public static (IReadOnlyList<OperatorKey> Keys, IReadOnlyList<string> Problems) Read(AdminSettings settings)
    {
        var (keys, problems) = (new List<OperatorKey>(), new List<string>());
        if (settings.Keys is { } lines)
        {
            Parse(lines, "APPLIANCE_OPERATOR_KEYS", keys, problems);
        }
        if (settings.KeysFile is { } file)
        {
            try
            {
                Parse(Text(file), $"APPLIANCE_OPERATOR_KEYS_FILE '{file}'", keys, problems);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                problems.Add($"APPLIANCE_OPERATOR_KEYS_FILE '{file}' {(e is FileIsWrongException ? e.Message : "is missing or not readable by this account")}; none of its keys is allowed.");
            }
        }
        return (keys, problems);
    }

    private static string Text(string file)
    {
        // Whoever can write it is an operator.
        if ((File.GetUnixFileMode(file) & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != UnixFileMode.None)
        {
            throw new FileIsWrongException("can be written by others than its owner (chmod go-w)");
        }
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[MostBytes + 1];
        var read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return read > MostBytes
            ? throw new FileIsWrongException($"is larger than {MostBytes >> 10} KiB")
            : Encoding.UTF8.GetString(bytes, 0, read).TrimStart('\uFEFF');
    }

    private static void Parse(string text, string source, List<OperatorKey> keys, List<string> problems)
    {
        if (text.Length > MostBytes)
        {
            problems.Add($"{source} is larger than {MostBytes >> 10} KiB; none of its keys is allowed.");
            return;
        }
        var number = 0;
        foreach (var line in text.Split('\n'))
        {
            number++;
            if (line.AsSpan().Trim() is [] or ['#', ..])
            {
                continue;
            }
            var (key, problem) = Line(line);
            problem ??= keys.Count >= MostKeys ? $"is one more than {MostKeys} keys"
                : keys.Exists(k => k.Name == key!.Name) ? "has the name of a line before it"
                : keys.Exists(k => k.Fingerprint == key!.Fingerprint) ? "has the key of a line before it" : null;
            if (problem is null)
            {
                keys.Add(key!);
            }
            else
            {
                problems.Add($"{source}: line {number} {problem}; it allows nobody.");
            }
        }
    }

    private static (OperatorKey? Key, string? Problem) Line(string line)
    {
        if (line.Length > MostOfLine)
        {
            return (null, $"is longer than {MostOfLine} characters");
        }
        var parts = line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
        if (parts is not [var name, var kind, var encoded, .. var options] || options.Length > 1)
        {
            return (null, "is not NAME ecdsa-p256 KEY, or that with actions=… behind it");
        }
        if (!Names().IsMatch(name))
        {
            return (null, "begins with what is no name: 1 to 64 letters, digits, and . _ - @");
        }
        if (PublicKey(kind, encoded) is not { } key)
        {
            return (null, kind is "ecdsa-p256" or "ed25519"
                ? $"holds no {kind} public key (SubjectPublicKeyInfo in base64, as \"appliancectl keygen\" prints it)"
                : "is of a kind of key that is not taken: ecdsa-p256 or ed25519");
        }
        if (Actions(options) is not { } actions)
        {
            return (null, $"ends with what is no list of actions: actions= and, with commas between them, {string.Join(", ", AdminActions.All)}, or {AdminActions.Every}");
        }
        return (new OperatorKey(name, OperatorKey.FingerprintOf(key), actions), null);
    }

    private static FrozenSet<string>? Actions(string[] options)
    {
        const string Option = "actions=";
        if (options is [])
        {
            return FrozenSet.Create(AdminActions.Status);
        }
        if (!options[0].StartsWith(Option, StringComparison.Ordinal))
        {
            return null;
        }
        var named = options[0][Option.Length..].Split(',');
        return named.All(action => action == AdminActions.Every || AdminActions.All.Contains(action)) ? named.ToFrozenSet(StringComparer.Ordinal) : null;
    }

    /// <summary>Null unless it is exactly one key of that kind, in its one encoding: what a certificate holds is compared byte by byte.</summary>
    private static byte[]? PublicKey(string kind, string encoded)
    {
        var bytes = new byte[128];
        if (!Convert.TryFromBase64String(encoded, bytes, out var length))
        {
            return null;
        }
        var key = bytes[..length];
        switch (kind)
        {
            case "ed25519":
                return length == s_ed25519.Length + 32 && key.AsSpan().StartsWith(s_ed25519) ? key : null;
            case "ecdsa-p256":
                try
                {
                    using var ecdsa = ECDsa.Create();
                    ecdsa.ImportSubjectPublicKeyInfo(key, out var read);
                    return read == length && ecdsa.ExportParameters(false).Curve.Oid.Value == ECCurve.NamedCurves.nistP256.Oid.Value
                        && ecdsa.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key) ? key : null;
                }
                catch (CryptographicException)
                {
                    return null;
                }
            default:
                return null;
        }
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Names();

    private sealed class FileIsWrongException(string problem) : IOException(problem);
}
