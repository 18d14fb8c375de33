using Appliance.Data;
using Appliance.Mail;
using Appliance.Web;

namespace Appliance.Teams.AccessRequests;

/// <summary>What both ends are told by mail: never the code nor the reason, and no link in it grants anything.</summary>
public sealed class AccessRequestMails(MailQueue mails, Settings settings)
{
    internal void Made(TeamSession session, IEnumerable<UserId> owners, Asker by, string username) => ToOwners(
        session, owners, by.Reference, "access-request.made", "Somebody asks for more access to a team",
        $"{username} {(by.Kind == AccessRequest.ToOwn ? "asks to be an owner of" : "asks to have their access back to")} the team “{MailText.Tame(by.TeamName)}” at {settings.Origin.IdnHost}.",
        "They have a code, which is not in this mail. If you speak with them, in person or by voice, and want it: let them say the code, type it on the members’ page, and touch your key. The request runs out after 24 hours. Whoever sends you a code by mail or message is to be called first.");

    internal void Refused(TeamSession session, UserId requester, string team) => mails.ToPerson(session, requester, new MailContent(
        "access-request.refused",
        "Your request for access was refused",
        [$"An owner of the team “{MailText.Tame(team)}” at {settings.Origin.IdnHost} refused your request. Your access is as it was, and your code works no more."],
        new Uri(settings.Origin, "/teams"),
        "Your teams"));

    internal void Void(TeamSession session, UserId requester, IEnumerable<UserId> owners, TeamVisit visit, string username)
    {
        mails.ToPerson(session, requester, new MailContent(
            "access-request.void",
            "Your request for access is void",
            [
                $"Three wrong codes were typed for your request to the team “{MailText.Tame(visit.Name)}” at {settings.Origin.IdnHost}. It is void, and your access is as it was.",
                "Speak with the owner who typed them. If it was a mistake, ask anew; if you asked for nothing, somebody uses your account: end your sessions and change your password.",
            ],
            new Uri(settings.Origin, "/teams"),
            "Your teams"));
        ToOwners(
            session, owners, visit.Reference, "access-request.void", "A request for access is void",
            $"Three wrong codes were typed for the request of {username} to the team “{MailText.Tame(visit.Name)}” at {settings.Origin.IdnHost}. It is void, and nothing was granted.",
            "Who typed them is in the team’s ledger. If it was a mistake, they can ask anew; if nobody knows of it, somebody guessed.");
    }

    private void ToOwners(TeamSession session, IEnumerable<UserId> owners, string team, string kind, string subject, params string[] text)
    {
        foreach (var owner in owners)
        {
            mails.ToPerson(session, owner, new MailContent(kind, subject, text, new Uri(settings.Origin, $"/teams/{team}/members"), "See the members") { Lifetime = TeamAccessRequests.Lifetime });
        }
    }
}
