using System.Net;
using System.Net.Sockets;
using System.Text;
using Appliance.Data;
using Appliance.Vault;

namespace Appliance.SignIn.Alerts;

/// <summary>Whether a sign-in comes from where the person was before.</summary>
internal enum Familiarity
{
    /// <summary>The person's first one: there is nothing to compare with.</summary>
    First,

    Known,

    /// <summary>A browser, or a network, that they were not in within 90 days.</summary>
    New,
}

/// <summary>
/// The browsers and networks that a person signs in from, as MACs of the person with a cookie of the browser's or with the network: nobody who reads the table
/// learns where anybody was, or that two people were in one place.
/// </summary>
public sealed class KnownOrigins(BlobProtector protector, TimeProvider clock)
{
    /// <summary>What is not seen for so long is new again. Browsers keep a cookie for 400 days at most (RFC 6265bis §5.5).</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(90);

    private const string Cookie = "__Host-appliance-browser";

    /// <summary>Remembers where the person signs in from, and answers whether they were there before. In the caller's transaction.</summary>
    internal async Task<Familiarity> SeenAsync(TeamSession session, UserId user, HttpContext http, CancellationToken ct)
    {
        byte[][] seen = [Mac(user, "device", Device(http)), Mac(user, "network", Network(http.Connection.RemoteIpAddress))];
        var now = clock.GetUtcNow();
        var since = now - Kept;
        var known = (await session.SqlAsync<Known>(
            $"""
            select count(*)::int as "All", count(*) filter (where mac = any({seen}) and last_at > {since})::int as "These" from known_origins where user_id = {user.Value}
            """,
            ct)).Single();
        await session.ExecuteAsync(
            $"""
            insert into known_origins (user_id, mac, last_at) select {user.Value}, mac, {now} from unnest({seen}) as mac order by mac
            on conflict (user_id, mac) do update set last_at = excluded.last_at
            """,
            ct);
        return known.All == 0 ? Familiarity.First : known.These == seen.Length ? Familiarity.Known : Familiarity.New;
    }

    private static string Device(HttpContext http)
    {
        var token = http.Request.Cookies[Cookie] is { } sent && Token.HashOf(sent) is not null ? sent : Token.New();
        http.Response.Cookies.Append(Cookie, token, new CookieOptions
        {
            Secure = true,
            HttpOnly = true,
            SameSite = SameSiteMode.Strict,
            Path = "/",
            IsEssential = true,
            MaxAge = Kept,
        });
        return token;
    }

    /// <summary>The /24 or /48 that the address is in: telephones get another address in the same network every day.</summary>
    private static string Network(IPAddress? address)
    {
        if (address is null)
        {
            return "unknown";
        }
        var v4 = address.AddressFamily == AddressFamily.InterNetwork || address.IsIPv4MappedToIPv6;
        var bytes = (v4 ? address.MapToIPv4() : address).GetAddressBytes();
        return Convert.ToHexString(bytes.AsSpan(0, v4 ? 3 : 6));
    }

    private byte[] Mac(UserId user, string kind, string text) => protector.Mac("known-" + kind, Encoding.UTF8.GetBytes(user + "\n" + text));

    private sealed record Known(int All, int These);
}
