namespace Appliance.SignIn;

/// <param name="Problem">What went wrong, as a sentence for the person; null: nothing.</param>
/// <param name="Wait">Refused unchecked, because too much went wrong before; for so long.</param>
public sealed record SignInResult(string? Problem = null, TimeSpan Wait = default)
{
    public bool Succeeded => Problem is null;

    /// <summary>Nothing more is asked for: there is a session.</summary>
    public bool IsSignedIn { get; init; }

    public static readonly SignInResult Done = new();
}
