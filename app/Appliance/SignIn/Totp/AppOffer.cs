using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Appliance.Web;
using OtpNet;

namespace Appliance.SignIn.Totp;

/// <summary>A secret that a person may put into their app. It counts for nothing until a code made from it comes back with the form.</summary>
public sealed record AppOffer
{
    /// <summary>Comes back with the form: the secret, sealed for this person in this session, sign-in or set-up, for 15 minutes.</summary>
    public required string Sealed { get; init; }

    /// <summary>The secret as one types it: Base32 (RFC 4648 §6) in groups of four.</summary>
    public required string Secret { get; init; }

    /// <summary>The secret as apps read it, <c>otpauth://totp/…</c>.</summary>
    public required string Uri { get; init; }

    public required QrCode Qr { get; init; }

    public string? Problem { get; init; }

    /// <summary>Further hidden fields.</summary>
    public IReadOnlyDictionary<string, string> Fields { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>Makes offers and opens them again. Nothing of an offer is kept: who leaves half way has left nothing.</summary>
public sealed class AppOffers(BlobProtector protector, Settings settings, TimeProvider clock)
{
    private const string Purpose = "totp-offer";
    private const int BindingBytes = 32;
    private const int Head = BindingBytes + sizeof(long);

    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);

    /// <summary>A new secret; or, where the last form's offer still stands, the same again, so that nobody has to scan twice.</summary>
    public AppOffer Make(User user, string? last, string? problem, HttpContext http)
    {
        if (Open(user.Id, last, http) is { } standing)
        {
            return Show(user, standing, last!, problem);
        }
        var secret = TotpCode.NewSecret();
        var data = new byte[Head + TotpCode.SecretBytes];
        Binding(user.Id, http).CopyTo(data, 0);
        BinaryPrimitives.WriteInt64BigEndian(data.AsSpan(BindingBytes), (clock.GetUtcNow() + Lifetime).ToUnixTimeSeconds());
        secret.CopyTo(data, Head);
        return Show(user, secret, Base64Url.EncodeToString(protector.Protect(Purpose, data)), problem);
    }

    /// <summary>The secret in it; null: altered, too old, or made for somebody else or elsewhere.</summary>
    internal byte[]? Open(UserId user, string? offer, HttpContext http)
    {
        if (offer is null or { Length: > 1000 } || !Base64Url.IsValid(offer))
        {
            return null;
        }
        byte[] data;
        try
        {
            data = protector.Unprotect(Purpose, Base64Url.DecodeFromChars(offer));
        }
        catch (TamperedException)
        {
            return null;
        }
        var expires = DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadInt64BigEndian(data.AsSpan(BindingBytes)));
        var now = clock.GetUtcNow();
        return now < expires && expires <= now + Lifetime + Sessions.ClockTolerance // a clock that was set back lengthens nothing
            && CryptographicOperations.FixedTimeEquals(data.AsSpan(0, BindingBytes), Binding(user, http))
                ? data[Head..]
                : null;
    }

    private AppOffer Show(User user, byte[] secret, string sealedOffer, string? problem)
    {
        var uri = new OtpUri(OtpType.Totp, secret, user.Username, settings.Origin.IdnHost).ToString();
        var text = Base32Encoding.ToString(secret).TrimEnd('=');
        return new AppOffer
        {
            Sealed = sealedOffer,
            Secret = string.Join(' ', text.Chunk(4).Select(group => new string(group))),
            Uri = uri,
            Qr = QrCode.Of(uri),
            Problem = problem,
        };
    }

    // The session (whose id stays when its token is renewed), the sign-in or the set-up that the browser is in the middle of.
    private static byte[] Binding(UserId user, HttpContext http) => SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(
        ' ',
        user.ToString(),
        http.User.FindFirstValue(SignedInPerson.SessionClaim),
        http.User.FindFirstValue(HalfSignedInHandler.SignInClaim),
        http.User.FindFirstValue(SetUpHandler.LinkClaim))));
}
