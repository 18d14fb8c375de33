using System.Security.Cryptography;
using System.Text;
using OtpNet;

namespace Appliance.SignIn.Totp;

/// <summary>
/// Time-based one-time passwords (RFC 6238) as every authenticator app knows them: HMAC-SHA-1, six digits, steps of 30 seconds. Otp.NET
/// computes them.
/// </summary>
internal static class TotpCode
{
    public const int Digits = 6;

    public const int StepSeconds = 30;

    /// <summary>160 bits, as RFC 4226 §4 (R6) recommends and RFC 6238 §5.1 keeps (as long as the hash).</summary>
    public const int SecretBytes = 20;

    /// <summary>A step each way (RFC 6238 §5.2, §6): the clocks may be apart, and people type slowly.</summary>
    private const int Drift = 1;

    public static byte[] NewSecret() => RandomNumberGenerator.GetBytes(SecretBytes);

    /// <summary>The number of steps since 1970 (RFC 6238 §4.2, X = 30, T0 = 0).</summary>
    public static long Step(DateTimeOffset now) => now.ToUnixTimeSeconds() / StepSeconds;

    /// <summary>
    /// The time step, near <paramref name="now"/>, whose code this is; null: of none. Every step is looked at and each code compared whole, so
    /// that the time it takes tells nothing.
    /// </summary>
    public static long? Match(byte[] secret, string? code, DateTimeOffset now)
    {
        if (Normalise(code) is not { } digits)
        {
            return null;
        }
        var given = Encoding.ASCII.GetBytes(digits);
        var hotp = new Hotp(secret, OtpHashMode.Sha1, Digits);
        long? matched = null;
        for (var step = Math.Max(Step(now) - Drift, 0); step <= Step(now) + Drift; step++)
        {
            matched = CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(hotp.ComputeHOTP(step)), given) ? step : matched;
        }
        return matched;
    }

    /// <summary>Without the spaces that apps show; null: not six digits.</summary>
    private static string? Normalise(string? code)
    {
        if (code is null or { Length: > 4 * Digits })
        {
            return null;
        }
        var digits = string.Concat(code.Where(c => c != ' '));
        return digits.Length == Digits && digits.All(char.IsAsciiDigit) ? digits : null;
    }
}
