namespace Appliance.SignIn.RememberedDevices;

/// <summary>
/// The cookie of a remembered device: <c>selector.validator</c>, two <see cref="Token"/>s. The selector finds the row; the validator, which changes at each
/// use, is compared in constant time. Bound to this host (<c>__Host-</c>, RFC 6265bis §4.1.3.2); it outlives the browser, as no other of ours does.
/// </summary>
internal sealed record DeviceCookie(byte[] SelectorHash, byte[] ValidatorHash)
{
    public const string Name = "__Host-appliance-device";

    /// <summary>What the browser sent; null: none of ours.</summary>
    public static DeviceCookie? Read(HttpContext http) =>
        http.Request.Cookies[Name]?.Split('.', 3) is [var selector, var validator] && Token.HashOf(selector) is { } found && Token.HashOf(validator) is { } compared
            ? new DeviceCookie(found, compared)
            : null;

    /// <summary>The selector that the browser sent, to be sent back with another validator.</summary>
    public static string Selector(HttpContext http) => http.Request.Cookies[Name]!.Split('.')[0];

    public static void Write(HttpContext http, string selector, string validator, TimeSpan lifetime)
    {
        var options = Options;
        options.MaxAge = lifetime;
        http.Response.Cookies.Append(Name, $"{selector}.{validator}", options);
    }

    public static void Delete(HttpContext http) => http.Response.Cookies.Delete(Name, Options);

    private static CookieOptions Options => new()
    {
        Secure = true,
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        Path = "/",
        IsEssential = true,
    };
}
