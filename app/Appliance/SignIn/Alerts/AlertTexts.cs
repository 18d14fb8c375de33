using System.Globalization;
using Appliance.Mail;

namespace Appliance.SignIn.Alerts;

/// <summary>What happened to an account that its person should hear of.</summary>
public enum Happening
{
    PasswordChanged,
    PasswordRecovered,
    KeyAdded,
    KeyRemoved,
    AppAdded,
    AppRemoved,
    RecoveryCodeUsed,
    RecoveryCodesMade,
    CodesGuessed,
    KeyMayBeCopied,
    DeviceMayBeCopied,
    AddressChanged,
}

/// <summary>The words of alerts. What comes from outside them (a browser's name, an address) is ours or the connection's, never what a request said.</summary>
internal static class AlertTexts
{
    public static MailContent Of(Happening what, DateTimeOffset at, string where, Uri origin)
    {
        var (kind, subject, text) = what switch
        {
            Happening.PasswordChanged => ("password.changed", "Your password was changed", "Your password was changed. All your other sessions were ended."),
            Happening.PasswordRecovered => ("password.recovered", "Your password was replaced by a mailed link", "A new password was chosen with the link that was mailed to you, and your second factor was given. All your sessions before that were ended."),
            Happening.KeyAdded => ("security-key.added", "A security key was added to your account", "A security key was added to your account. It can be used to sign in as you from now on."),
            Happening.KeyRemoved => ("security-key.removed", "A security key was removed from your account", "A security key was removed from your account."),
            Happening.AppAdded => ("authenticator-app.added", "An authenticator app was added to your account", "An authenticator app was added to your account. Its codes can be used to sign in as you from now on."),
            Happening.AppRemoved => ("authenticator-app.removed", "The authenticator app was removed from your account", "The authenticator app was removed from your account."),
            Happening.RecoveryCodeUsed => ("recovery-code.used", "A recovery code was used to sign in", "One of your recovery codes was used to sign in. It does not work again."),
            Happening.RecoveryCodesMade => ("recovery-codes.made", "New recovery codes were made", "Ten new recovery codes were made. The old ones do not work any more."),
            Happening.CodesGuessed => ("codes.guessed", "Somebody knows your password and guesses your codes", "Somebody gave your password and then ten wrong codes. Change your password now; that ends it."),
            Happening.KeyMayBeCopied => ("security-key.may-be-copied", "One of your security keys may have been copied", "One of your security keys counted backwards and was refused: there may be a copy of it. Add another key, then remove the one that is marked."),
            Happening.DeviceMayBeCopied => ("device.may-be-copied", "Somebody may have copied a remembered device of yours", "A cookie that lets one of your devices in without a second factor was used after it had been replaced: two have it. All your sessions were ended and every device was forgotten. Change your password: whoever it was gave it."),
            Happening.AddressChanged => ("address.changed", "Your e-mail address was changed", "Mail about your account goes to another address from now on. This is the last one to this address."),
            _ => throw new ArgumentOutOfRangeException(nameof(what)),
        };
        return new MailContent(
            kind,
            subject,
            [text, At(at, where), "If this was you, there is nothing to do. If not, look at your keys, sessions and tokens now, and change your password."],
            new Uri(origin, "/account/security"),
            "Look at your account");
    }

    public static MailContent SignedIn(DateTimeOffset at, string where, Uri notMe) => new(
        "sign-in.new",
        "You signed in from a new device or place",
        [
            "Your account was used to sign in, with your password and a second factor, from a browser or a network that we have not seen you in lately.",
            At(at, where),
            "If this was you, there is nothing to do.",
        ],
        notMe,
        "This was not me: end all sessions");

    public static string At(DateTimeOffset at, string where) =>
        string.Create(CultureInfo.InvariantCulture, $"When: {at.UtcDateTime:yyyy-MM-dd HH:mm} UTC. From: {where}.");
}
