using Appliance.Data;
using Appliance.Mail;
using Appliance.SignIn.Alerts;
using Appliance.Web;

namespace Appliance.SignIn.LostKey;

/// <summary>What the person, and the owners who ask and agree, are told by mail. Never the code, nor the reason.</summary>
public sealed class LostKeyMails(MailQueue mails, MailLinks links, Settings settings, TimeProvider clock)
{
    private const string Old = "Until a new key or app is added with it, yours go on working. If you still have one, sign in with it: that stops this as well.";

    private const string NotYou = "If you have lost nothing, or do not know of this, stop it now, change your password, and talk to whoever runs the appliance.";

    internal void Requested(TeamSession session, UserId person, string by, HttpContext http) => Stoppable(
        session, person, LostKeys.RequestLifetime, "lost-key.requested", "Your keys were reported lost",
        [$"{by}, an owner of the appliance, asks that you be let in without your security keys. Another owner has 24 hours to agree. You then get a code from them, in person or by voice, which takes your password as well.", Old, At(http), NotYou]);

    internal void Approved(TeamSession session, UserId person, string by, HttpContext http) => Stoppable(
        session, person, LostKeys.CodeLifetime, "lost-key.approved", "You may replace your lost keys",
        [$"{by}, an owner of the appliance, agreed that you replace your lost security keys. They hand you a code in person or by voice: it works once, within an hour, after your password.", Old, At(http), NotYou]);

    internal void Used(TeamSession session, UserId person, IEnumerable<UserId> owners, string username, HttpContext http)
    {
        mails.ToPerson(session, person, new MailContent(
            "lost-key.used",
            "Your lost keys were replaced",
            [
                "A new key or app was added to your account with your password and a code from two owners of the appliance. Every earlier key, app, phone, recovery code, remembered device, session and token of yours has stopped working.",
                At(http),
                "If this was not you, somebody has your account: talk to whoever runs the appliance at once.",
            ],
            new Uri(settings.Origin, "/account/security"),
            "Look at your account"));
        ToOwners(session, owners, "lost-key.used", "Lost keys were replaced", $"{username} gave their password and the code, and replaced their lost keys.", http);
    }

    internal void Over(TeamSession session, UserId person, IEnumerable<UserId> owners, string username, string why, HttpContext http)
    {
        mails.ToPerson(session, person, new MailContent(
            "lost-key.over",
            "Your keys are not replaced",
            [$"The request to replace your lost keys is over: {why}. Your keys are as they were, and a code that you may have been given does not work any more.", At(http), "If this was not you, change your password, and talk to whoever runs the appliance."],
            new Uri(settings.Origin, "/account/security"),
            "Look at your account"));
        ToOwners(session, owners, "lost-key.over", "A request for lost keys is over", $"The request to replace the lost keys of {username} is over: {why}. If you do not know why, talk to them.", http);
    }

    private void ToOwners(TeamSession session, IEnumerable<UserId> owners, string kind, string subject, string text, HttpContext http)
    {
        foreach (var owner in owners)
        {
            mails.ToPerson(session, owner, new MailContent(kind, subject, [text, At(http)], new Uri(settings.Origin, "/people/lost-key"), "Look at the requests"));
        }
    }

    private void Stoppable(TeamSession session, UserId person, TimeSpan lifetime, string kind, string subject, IReadOnlyList<string> text)
    {
        if (mails.IsConfigured)
        {
            var token = links.Make(session, person, MailLinks.StopLostKey, lifetime);
            mails.ToPerson(session, person, new MailContent(kind, subject, text, new Uri(settings.Origin, "/lost-key/stop/" + token), "Stop this") { Lifetime = lifetime });
        }
    }

    private string At(HttpContext http) => AlertTexts.At(clock.GetUtcNow(), AccountAlerts.Where(http));
}
