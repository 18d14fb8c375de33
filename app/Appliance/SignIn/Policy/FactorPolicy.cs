namespace Appliance.SignIn.Policy;

/// <summary>Who must give a second factor, the weakest first.</summary>
public enum FactorRule
{
    /// <summary>Nobody must; who has one is asked for it all the same.</summary>
    Optional,

    /// <summary>Everybody: a security key, an app, or what the operator allows besides.</summary>
    Required,

    /// <summary>Everybody, and security keys alone.</summary>
    Key,
}

/// <summary>What is known of a security key that a policy can ask for.</summary>
/// <param name="IsBackupEligible">It can be copied to other devices (WebAuthn §6.1.3).</param>
/// <param name="VerifiesUser">It asked for PIN, fingerprint or face (UV): just now, where a session is meant; once at least, where the key is.</param>
public sealed record KeyFacts(bool IsBackupEligible, bool VerifiesUser);

/// <summary>What a session was opened with.</summary>
/// <param name="Name">One of <see cref="SessionFactor"/>'s; null: by a version that did not write it down, but asked for a second factor.</param>
/// <param name="Key">The key that was touched last; null: none was, or it was removed.</param>
public sealed record GivenFactor(string? Name, KeyFacts? Key);

/// <summary>What a person has to sign in with, beside the password.</summary>
public sealed record EnrolledFactors(IReadOnlyList<KeyFacts> Keys, bool App, bool Phone)
{
    public bool Any => App || Phone || Keys.Count > 0;
}

/// <summary>
/// What the appliance asks of everybody, or a team of its members. It is met by a session (what was given) and by a person (what they have): who signs
/// in is judged by the one, their tokens and what they may remove by the other.
/// </summary>
public sealed record FactorPolicy
{
    public FactorRule SecondFactor { get; init; }

    /// <summary>Only keys count that stay on their device.</summary>
    public bool DeviceBound { get; init; }

    /// <summary>Only keys count that ask for PIN, fingerprint or face.</summary>
    public bool UserVerification { get; init; }

    /// <summary>Minutes; null: as the operator says. Only ever shortens that.</summary>
    public int? IdleLockMinutes { get; init; }

    /// <summary>Hours; null: as the operator says. Only ever shortens that.</summary>
    public int? SessionHours { get; init; }

    public TimeSpan? IdleLock => IdleLockMinutes is { } minutes ? TimeSpan.FromMinutes(minutes) : null;

    public TimeSpan? Lifetime => SessionHours is { } hours ? TimeSpan.FromHours(hours) : null;

    /// <summary>Both at once: of each, the stricter.</summary>
    public FactorPolicy And(FactorPolicy? other) => other is null ? this : new FactorPolicy
    {
        SecondFactor = (FactorRule)Math.Max((int)SecondFactor, (int)other.SecondFactor),
        DeviceBound = DeviceBound || other.DeviceBound,
        UserVerification = UserVerification || other.UserVerification,
        IdleLockMinutes = Shorter(IdleLockMinutes, other.IdleLockMinutes),
        SessionHours = Shorter(SessionHours, other.SessionHours),
    };

    /// <summary>Whether such a key counts.</summary>
    public bool Accepts(KeyFacts key) => !(DeviceBound && key.IsBackupEligible) && (!UserVerification || key.VerifiesUser);

    /// <summary>Whether a session that was opened so is open for more than enrolling.</summary>
    public bool IsMetBy(GivenFactor given) => SecondFactor switch
    {
        FactorRule.Optional => true,
        FactorRule.Key => given is { Name: SessionFactor.Key, Key: { } key } && Accepts(key),
        _ => given.Name switch
        {
            SessionFactor.Password => false,
            // Of a key that is gone, and of what was not written down, nothing more is known than that it was a second factor.
            SessionFactor.Key or null => given.Key is { } key ? Accepts(key) : !DeviceBound && !UserVerification,
            SessionFactor.Device => !DeviceBound && !UserVerification,
            _ => true,
        },
    };

    /// <summary>Whether a person who has this can meet it.</summary>
    public bool IsMetBy(EnrolledFactors has) => SecondFactor switch
    {
        FactorRule.Optional => true,
        FactorRule.Key => has.Keys.Any(Accepts),
        _ => has.App || has.Phone || has.Keys.Any(Accepts),
    };

    /// <summary>Whether a code from an app is asked for: not of somebody who has a key, where keys alone count. It can be typed into a page that only looks like ours.</summary>
    public bool TakesApp(bool hasKey) => SecondFactor != FactorRule.Key || !hasKey;

    /// <summary>What it takes, as the end of a sentence.</summary>
    public string Demand => SecondFactor == FactorRule.Key || DeviceBound || UserVerification
        ? (SecondFactor == FactorRule.Key ? "a security key" : "an authenticator app, or a security key")
            + (DeviceBound ? " that stays on its device" : "")
            + (UserVerification ? (DeviceBound ? " and" : " that") + " asks for a PIN or fingerprint" : "")
        : "a second factor: a security key or an authenticator app";

    private static int? Shorter(int? one, int? other) => one is { } a && other is { } b ? Math.Min(a, b) : one ?? other;
}

/// <summary>What everybody must use to sign in.</summary>
public sealed record AppliancePolicy
{
    public required FactorPolicy Factors { get; init; }

    /// <summary>Days after which a password must be renewed; null: as the operator says. The stricter of the two counts.</summary>
    public int? PasswordDays { get; init; }

    /// <summary>A passkey that verified its user signs in without the password.</summary>
    public bool PasskeyAlone { get; init; }

    /// <summary>How many days a device may be remembered, so that no second factor is asked for on it; 0: none is.</summary>
    public int RememberedDays { get; init; }

    /// <summary>Counts the changes.</summary>
    public int Version { get; init; }
}

/// <summary>What a team asks beyond that. <see cref="FactorRule.Optional"/> means: no more than the appliance.</summary>
public sealed record TeamPolicy
{
    public required FactorPolicy Factors { get; init; }

    /// <summary>Members who do not come for so many days lose their access; null: never.</summary>
    public int? UnusedDays { get; init; }

    /// <summary>Nothing of the team is shared by link; links from before do not work.</summary>
    public bool NoShareLinks { get; init; }

    /// <summary>Days between access reviews; null: as usual.</summary>
    public int? ReviewDays { get; init; }

    /// <summary>Counts the changes; 0: there was none.</summary>
    public int Version { get; init; }
}
