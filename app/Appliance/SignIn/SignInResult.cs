namespace Appliance.SignIn;

/// <param name="Problem">What went wrong, as a sentence for the person; null: nothing.</param>
/// <param name="Wait">Refused unchecked, because too much went wrong before; for so long.</param>
public sealed record SignInResult(string? Problem = null, TimeSpan Wait = default)
{
    public bool Succeeded => Problem is null;

    /// <summary>The person is signed in already: nothing more is asked of them.</summary>
    public bool IsComplete { get; init; }

    public static readonly SignInResult Done = new();
}
