using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.SignIn;
using Appliance.SignIn.Alerts;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Accounts.Address;

/// <summary>
/// The address that mail about an account goes to. It is the person's when they have shown that mail reaches them there; until then nothing but that question is
/// sent to it, and nothing of theirs is told.
/// </summary>
public sealed class Addresses(MailQueue mails, MailLinks links, AccountAlerts alerts, Settings settings, TimeProvider clock)
{
    /// <summary>How long the link works.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);

    /// <summary>Questions to addresses that one person may cause within a day: nobody's mailbox is filled by us.</summary>
    public const int MostInADay = 5;

    public bool CanBeConfirmed => mails.IsConfigured;

    /// <summary>Asks at an address whether it is the person's. In the caller's transaction. False: enough was asked today.</summary>
    public async Task<bool> AskAsync(TeamSession session, User user, string address, bool welcome, CancellationToken ct)
    {
        if (!mails.IsConfigured)
        {
            return true;
        }
        var since = clock.GetUtcNow().AddDays(-1);
        if (await session.Query<MailLink>().CountAsync(l => l.UserId == user.Id && l.Purpose == MailLinks.ConfirmAddress && l.CreatedAt > since, ct) >= MostInADay)
        {
            return false;
        }
        var token = links.Make(session, user.Id, MailLinks.ConfirmAddress, Lifetime, address);
        mails.ToAddress(session, address, user.Id, new MailContent(
            "address.confirm",
            welcome ? "Welcome. Is this your address?" : "Is this your address?",
            [
                welcome
                    ? "An account was made with this address. Confirm it, and you hear at once when somebody signs in as you, and can choose a new password when you forget yours."
                    : "Somebody wants mail about their account to come to this address. If that is you, confirm it.",
                "If you know nothing of it, there is nothing to do: without the link nothing comes here again.",
            ],
            new Uri(settings.Origin, "/confirm-address/" + token),
            "Confirm this address")
        { Lifetime = Lifetime });
        return true;
    }

    /// <summary>Makes the link's address its person's, and tells the one before. Commits. False: the link does not work.</summary>
    public async Task<bool> ConfirmAsync(AccountSession accounts, string token, HttpContext http, CancellationToken ct)
    {
        var session = await accounts.OpenAsync(ct);
        if (await links.FindAsync(session, Token.HashOf(token), MailLinks.ConfirmAddress, ct) is not { } link || !await links.UseAsync(session, link, ct))
        {
            await accounts.DisposeAsync();
            return false;
        }
        var user = await session.Query<User>().SingleAsync(u => u.Id == link.UserId, ct);
        var address = links.Address(link);
        if (user is { EmailConfirmedAt: not null, Email: { } before } && user.EmailKey != NameKey.Of(address))
        {
            alerts.Tell(session, before, user.Id, Happening.AddressChanged, http);
        }
        (user.Email, user.EmailKey, user.EmailConfirmedAt, user.ConcurrencyStamp) = (address, NameKey.Of(address), clock.GetUtcNow(), Reference.New());
        // Links that went to the old address, or to others that were tried, are over.
        await session.ExecuteAsync($"delete from mail_links where user_id = {user.Id.Value} and used_at is null and purpose <> {MailLinks.NotMe}", ct);
        session.RecordForAppliance(new LedgerEvent("address.confirmed", user.Id.ToString()), new Origin(user.Id, http.Address()));
        await accounts.CommitAsync(ct);
        return true;
    }
}
