using System.Globalization;
using Appliance.Mail;

namespace Appliance.Teams.UnusedAccess;

/// <summary>What people are told of their access.</summary>
internal static class AccessMails
{
    public static MailContent Ends(string team, DateTimeOffset at, Uri origin) => new(
        "access.ends",
        "Your access to a team is about to end",
        [
            $"You have not signed in for a while. Your access to the team “{MailText.Tame(team)}” at {origin.IdnHost} ends on {at.ToUniversalTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}, because access that nobody uses helps nobody but intruders.",
            "To keep it, sign in before that day. Nothing that you stored is removed.",
        ],
        new Uri(origin, "/"),
        "Sign in");

    public static MailContent Ended(string team, Uri origin) => new(
        "access.ended",
        "Your access to a team has ended",
        [
            $"You have not signed in for a long time, so your access to the team “{MailText.Tame(team)}” at {origin.IdnHost} has ended. Nothing that you stored was removed, and your account is as it was.",
            "If you need it again, ask an owner of the team: they can give it back as it was.",
        ]);

    public static MailContent Reinstated(string team, Uri origin) => new(
        "access.reinstated",
        "You have access to a team again",
        [$"An owner of the team “{MailText.Tame(team)}” at {origin.IdnHost} gave you your access back. Sign in within the next weeks, or it ends again."],
        new Uri(origin, "/teams"),
        "Your teams");
}
