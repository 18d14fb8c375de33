using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Appliance.Accounts;

/// <summary>
/// Argon2id (RFC 9106) through the reference implementation, libargon2. Hashes are PHC strings
/// (<c>$argon2id$v=19$m=47104,t=2,p=1$salt$hash</c>), so that each tells how it was made.
/// </summary>
internal static class Argon2
{
    /// <summary>Memory in KiB, passes, lanes.</summary>
    [StructLayout(LayoutKind.Auto)]
    internal readonly record struct Cost(uint Memory, uint Passes, uint Lanes)
    {
        /// <summary>46 MiB, as OWASP's password storage guide has it, with one pass more.</summary>
        public static readonly Cost Default = new(47104, 2, 1);

        public bool IsWeakerThan(Cost other) => Memory < other.Memory || Passes < other.Passes;

        /// <summary>What we would compute: a row that was tampered with must not make us take a terabyte.</summary>
        public bool IsSane => Memory is >= 8 and <= 1 << 20 && Passes is >= 1 and <= 16 && Lanes is >= 1 and <= 4 && Memory >= 8 * Lanes;
    }

    private const int SaltLength = 16;
    private const int HashLength = 32;
    private const string Library = "libargon2.so.1";

    public static string Hash(ReadOnlySpan<byte> password, Cost cost)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltLength);
        var hash = Compute(password, salt, cost, HashLength);
        return $"$argon2id$v=19$m={cost.Memory},t={cost.Passes},p={cost.Lanes}${Encode(salt)}${Encode(hash)}";
    }

    /// <summary>Whether the password is the hash's, and what the hash cost. False with no cost: not a hash of ours.</summary>
    public static (bool Matches, Cost? Cost) Verify(ReadOnlySpan<byte> password, string phc)
    {
        if (Parse(phc) is not var (cost, salt, expected))
        {
            return (false, null);
        }
        var hash = Compute(password, salt, cost, expected.Length);
        return (CryptographicOperations.FixedTimeEquals(hash, expected), cost);
    }

    private static (Cost Cost, byte[] Salt, byte[] Hash)? Parse(string phc)
    {
        var parts = phc.Split('$');
        if (parts is not ["", "argon2id", "v=19", var costs, var salt, var hash])
        {
            return null;
        }
        if (costs.Split(',') is not [var m, var t, var p]
            || Number(m, "m=") is not { } memory || Number(t, "t=") is not { } passes || Number(p, "p=") is not { } lanes)
        {
            return null;
        }
        var cost = new Cost(memory, passes, lanes);
        return cost.IsSane && Decode(salt) is { Length: >= 8 } s && Decode(hash) is { Length: >= 16 and <= 64 } h ? (cost, s, h) : null;
    }

    private static uint? Number(string text, string prefix) =>
        text.StartsWith(prefix, StringComparison.Ordinal) && uint.TryParse(text.AsSpan(prefix.Length), out var value) ? value : null;

    /// <summary>PHC strings carry base64 without padding.</summary>
    private static string Encode(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    private static byte[]? Decode(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out var written) ? bytes[..written] : null;
    }

    private static byte[] Compute(ReadOnlySpan<byte> password, byte[] salt, Cost cost, int length)
    {
        var hash = new byte[length];
        var copy = password.ToArray();
        try
        {
            var error = Raw(cost.Passes, cost.Memory, cost.Lanes, copy, (nuint)copy.Length, salt, (nuint)salt.Length, hash, (nuint)length);
            if (error != 0)
            {
                throw new CryptographicException($"libargon2 refused with code {error}.");
            }
            return hash;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(copy);
        }
    }

    /// <summary>The library clears its own memory (FLAG_clear_internal_memory is set).</summary>
    [DllImport(Library, EntryPoint = "argon2id_hash_raw"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Raw(
        uint passes, uint memory, uint lanes, byte[] password, nuint passwordLength, byte[] salt, nuint saltLength, byte[] hash, nuint hashLength);
}
