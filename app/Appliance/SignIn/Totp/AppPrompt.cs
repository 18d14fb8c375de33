namespace Appliance.SignIn.Totp;

/// <summary>What <c>_AppPrompt.cshtml</c> shows: a form that asks for a code from the person's app and posts it as <c>Code</c>.</summary>
public sealed record AppPrompt
{
    /// <summary>What the button says.</summary>
    public required string Button { get; init; }

    /// <summary>Why the last try failed.</summary>
    public string? Problem { get; init; }

    /// <summary>Where the form goes; null: to its own page.</summary>
    public string? Action { get; init; }

    /// <summary>For how long this device can be remembered along with it; null: it cannot.</summary>
    public TimeSpan? Remember { get; init; }

    /// <summary>Further hidden fields.</summary>
    public required IReadOnlyDictionary<string, string> Fields { get; init; }
}
