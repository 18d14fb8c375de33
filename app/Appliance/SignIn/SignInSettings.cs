namespace Appliance.SignIn;

/// <summary>What the operator decides about signing in. Every default is the recommended value.</summary>
public sealed record SignInSettings
{
    /// <summary>A session that nobody used for so long is locked. <c>APPLIANCE_IDLE_LOCK_MINUTES</c>.</summary>
    public TimeSpan IdleLock { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>A session ends after so long, used or not. <c>APPLIANCE_SESSION_HOURS</c>.</summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromHours(12);

    /// <summary>How long a second factor that was given again is good for.</summary>
    public TimeSpan StepUp { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>From the right password to the second factor.</summary>
    public TimeSpan HalfSignedIn { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a set-up link works.</summary>
    public TimeSpan SetUpLink { get; init; } = TimeSpan.FromHours(24);

    /// <summary>The shortest password, in characters; never below 7. <c>APPLIANCE_PASSWORD_LENGTH</c>.</summary>
    public int PasswordLength { get; init => field = Math.Max(value, 7); } = 12;

    /// <summary>
    /// A password older than this must be renewed at the next sign-in. Off unless set: NIST SP 800-63B §5.1.1.2 advises against
    /// renewal without a reason. <c>APPLIANCE_PASSWORD_DAYS</c>.
    /// </summary>
    public TimeSpan? PasswordAge { get; init; }

    /// <summary>How long a device may stand in for the second factor where its person wishes so; null: never. <c>APPLIANCE_REMEMBER_DEVICE_DAYS</c>.</summary>
    public TimeSpan? RememberDevice { get; init; }
}
