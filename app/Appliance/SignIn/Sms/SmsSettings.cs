using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Appliance.SignIn.Sms;

/// <summary>The gateway that the operator names (docs/sms.md).</summary>
/// <param name="Url">Where messages are posted to: https, or http on this machine's loopback. <c>APPLIANCE_SMS_URL</c>.</param>
/// <param name="KeyFile">The key that they are signed with: <c>whsec_</c> and the Base64 of 24 to 64 bytes. <c>APPLIANCE_SMS_KEY_FILE</c>.</param>
/// <param name="AuthorityFile">Who vouches for the gateway's certificate, PEM; null: who the system trusts. <c>APPLIANCE_SMS_CA_FILE</c>.</param>
public sealed record SmsSettings(Uri Url, string KeyFile, string? AuthorityFile = null)
{
    private const string KeyPrefix = "whsec_";

    /// <summary>At most so long for one message, connecting included.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>By TLS, or without leaving the machine.</summary>
    public static bool IsAllowed(Uri url) =>
        url is { IsAbsoluteUri: true, UserInfo: "", Fragment: "" }
        && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && IPAddress.TryParse(url.IdnHost, out var address) && IPAddress.IsLoopback(address)));

    /// <summary>Read for each message, so that it can be changed while the appliance runs.</summary>
    /// <exception cref="InvalidDataException">Not such a key.</exception>
    internal byte[] ReadKey()
    {
        var text = File.ReadAllText(KeyFile).Trim();
        var key = new byte[64];
        return text.StartsWith(KeyPrefix, StringComparison.Ordinal) && Convert.TryFromBase64String(text[KeyPrefix.Length..], key, out var length) && length >= 24
            ? key[..length]
            : throw new InvalidDataException($"{KeyFile} must hold {KeyPrefix} and the Base64 of 24 to 64 random bytes.");
    }

    /// <summary>What is wrong with the files, as sentences.</summary>
    internal IEnumerable<string> Problems()
    {
        var problems = new List<string>();
        try
        {
            ReadKey();
            if (AuthorityFile is not null)
            {
                var authority = new X509Certificate2Collection();
                authority.ImportFromPemFile(AuthorityFile);
                if (authority.Count == 0)
                {
                    problems.Add($"{AuthorityFile} holds no certificate.");
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or System.Security.Cryptography.CryptographicException)
        {
            problems.Add(e.Message);
        }
        return problems;
    }
}
