namespace Appliance.SignIn;

/// <summary>
/// The cookies of signing in. <c>__Host-</c> (RFC 6265bis §4.1.3.2) binds them to this very host: no sister host can set them.
/// None of them outlives the browser.
/// </summary>
internal static class SessionCookie
{
    public const string Name = "__Host-appliance-session";

    private static CookieOptions Options => new()
    {
        Secure = true,
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        Path = "/",
        IsEssential = true,
    };

    /// <summary>The hash of the token that the browser sent; null where there is none of ours.</summary>
    public static byte[]? Read(HttpContext http, string name = Name) => Token.HashOf(http.Request.Cookies[name]);

    public static void Write(HttpContext http, string token, string name = Name) => http.Response.Cookies.Append(name, token, Options);

    public static void Delete(HttpContext http, string name = Name) => http.Response.Cookies.Delete(name, Options);
}
