namespace Appliance.Web;

/// <summary>
/// Who may call an endpoint: every endpoint names one of these policies, or says AllowAnonymous. One that does neither stops
/// the start (invariant 1).
/// </summary>
public static class Access
{
    /// <summary>Signed in with every factor that is required, and not locked.</summary>
    public const string SignedIn = "signed-in";

    /// <summary>Signed in, and the second factor was given again within the last five minutes.</summary>
    public const string SteppedUp = "stepped-up";

    /// <summary>Signed in, locked or not: unlocking, signing out.</summary>
    public const string Locked = "locked";

    /// <summary>The password was right; the second factor is still to come.</summary>
    public const string HalfSignedIn = "half-signed-in";

    /// <summary>Signed in and not locked, though the appliance's policy may ask for more than was given: what says so.</summary>
    public const string Enrol = "enrol";

    /// <summary><see cref="Enrol"/>, and the second factor was given again within the last five minutes: adding a factor.</summary>
    public const string EnrolSteppedUp = "enrol-stepped-up";

    /// <summary>Signed in and not locked, whatever else is due: giving the second factor again.</summary>
    public const string SteppingUp = "stepping-up";

    /// <summary>Signed in and not locked, though the password may be due for renewal, and the second factor was given again within the last five minutes: changing it.</summary>
    public const string PasswordDueSteppedUp = "password-due-stepped-up";

    /// <summary>Holds a set-up link that works.</summary>
    public const string SettingUp = "setting-up";

    /// <summary>Holds a mailed link for a new password that works.</summary>
    public const string NewPassword = "new-password";

    /// <summary>Chooses a password: signed in, setting up, or with a mailed link.</summary>
    public const string ChoosingPassword = "choosing-password";

    /// <summary>The API, reading: signed in as with <see cref="SignedIn"/>, or by a token. The only policies that a token satisfies are this one and <see cref="ApiWrite"/>.</summary>
    public const string ApiRead = "api-read";

    /// <summary>The API, changing something: as <see cref="ApiRead"/>, and a token must be allowed to write.</summary>
    public const string ApiWrite = "api-write";

    /// <summary>The operators' port: the connection proved a key of the list, which may do the endpoint's action (docs/operators.md). No session and no token satisfies it.</summary>
    public const string Operator = "operator";
}
