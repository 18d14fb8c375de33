namespace Appliance.SignIn;

/// <summary>Where to go after signing in. Only places on this site: a link must not lead through our sign-in to someone else's page.</summary>
public static class ReturnPath
{
    private const int Longest = 2000;

    /// <summary>The path if it is a local one, otherwise "/".</summary>
    public static string Local(string? path) => IsLocal(path) ? path! : "/";

    /// <summary>
    /// One slash, then neither slash nor backslash (browsers read <c>/\host</c> as <c>//host</c>, WHATWG URL §4.4), and no control
    /// character (browsers drop tabs and line ends before they parse).
    /// </summary>
    public static bool IsLocal(string? path) =>
        path is { Length: > 0 and <= Longest }
        && path[0] == '/'
        && (path.Length == 1 || path[1] is not ('/' or '\\'))
        && !path.Any(char.IsControl);
}
