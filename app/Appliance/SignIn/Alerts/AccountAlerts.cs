using Appliance.Accounts;
using Appliance.Data;
using Appliance.Mail;
using Appliance.Web;

namespace Appliance.SignIn.Alerts;

/// <summary>Tells a person by mail what happens to their account, in the transaction in which it happens.</summary>
public sealed class AccountAlerts(MailQueue mails, KnownOrigins known, MailLinks links, Settings settings, TimeProvider clock)
{
    /// <summary>How long "this was not me" can be said.</summary>
    public static readonly TimeSpan NotMeLifetime = TimeSpan.FromDays(7);

    public void Tell(TeamSession session, UserId user, Happening what, HttpContext http) =>
        mails.ToPerson(session, user, AlertTexts.Of(what, clock.GetUtcNow(), Where(http), settings.Origin));

    /// <summary>The same to an address that is not, or no longer, the person's.</summary>
    public void Tell(TeamSession session, string address, UserId user, Happening what, HttpContext http) =>
        mails.ToAddress(session, address, user, AlertTexts.Of(what, clock.GetUtcNow(), Where(http), settings.Origin));

    /// <summary>A session has just begun: where the browser or the network is new, the person is told at once.</summary>
    internal async Task SignedInAsync(TeamSession session, UserId user, HttpContext http, CancellationToken ct)
    {
        if (await known.SeenAsync(session, user, http, ct) != Familiarity.New || !mails.IsConfigured)
        {
            return;
        }
        var token = links.Make(session, user, MailLinks.NotMe, NotMeLifetime);
        mails.ToPerson(session, user, AlertTexts.SignedIn(clock.GetUtcNow(), Where(http), new Uri(settings.Origin, "/not-me/" + token)));
    }

    internal static string Where(HttpContext http) => $"{http.Address() ?? "an unknown address"}, {Device.Name(http.Agent())}";
}
