namespace Appliance.SignIn.SecurityKeys;

/// <summary>
/// What <c>_KeyPrompt.cshtml</c> shows: a form that asks a security key and posts <c>Reference</c> and <c>Credential</c> (what
/// <see cref="ISecurityKeyCeremonies"/> wants back) to the page it is on. A page with it loads <c>js/webauthn.js</c> and
/// <c>css/auth.css</c>.
/// </summary>
public sealed record KeyPrompt
{
    public required Ceremony Ceremony { get; init; }

    /// <summary>A new key, rather than one of the person's.</summary>
    public bool Adds { get; init; }

    /// <summary>What the button says.</summary>
    public string Button { get; init; } = "Use security key";

    /// <summary>Asks as soon as the page is seen. Never where something is to be typed first.</summary>
    public bool Starts { get; init; }

    /// <summary>Where the page asks for the key's name: what stands in the field.</summary>
    public string? Name { get; init; }

    /// <summary>Why the last try failed.</summary>
    public string? Error { get; init; }

    /// <summary>Where the form goes; null: to its own page.</summary>
    public string? Action { get; init; }

    /// <summary>For how long this device can be remembered along with it; null: it cannot.</summary>
    public TimeSpan? Remember { get; init; }

    /// <summary>Further hidden fields.</summary>
    public IReadOnlyDictionary<string, string> Fields { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}
