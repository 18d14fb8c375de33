using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.Teams.BreakGlass;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Admin.BreakGlass;

/// <summary>
/// Tells a team's owners by mail what operators ask and do: they come over a port whose database role cannot write mails, and a grant that runs out does so by
/// itself. Nothing waits for this: a grant is over at its time whether anybody was told or not.
/// </summary>
internal sealed class BreakGlassCare(Database database, MailQueue mails, Settings settings, TimeProvider clock, ILogger<BreakGlassCare> log)
    : RepeatedWork(TimeSpan.FromSeconds(5), clock, log)
{
    private static readonly Origin Nobody = new(null, null);

    protected override async Task RoundAsync(CancellationToken cancellationToken)
    {
        List<Guid> teams;
        await using (var session = await database.ForApplianceAsync(cancellationToken))
        {
            teams = await session.SqlAsync<Guid>($"""select t as "Value" from app_break_glass_untold({Clock.GetUtcNow()}) t""", cancellationToken);
        }
        foreach (var team in teams)
        {
            await TellAsync(new TeamId(team), cancellationToken);
        }
    }

    private async Task TellAsync(TeamId team, CancellationToken ct)
    {
        await using var session = await database.ForJobAsync(team, ct);
        var now = Clock.GetUtcNow();
        // Locked before it is looked at: of several replicas the second finds nothing due.
        await session.SqlAsync<string>($"""select reference as "Value" from break_glass_grants where team_id = app_team() order by reference for update""", ct);
        var due = await session.SqlAsync<Due>(
            $"""
            select reference as "Reference", operator as "Operator", operator_key as "OperatorKey", ends_at as "EndsAt", ended_at as "EndedAt", answer as "Answer",
                   break_glass_due(g, {now}) as "What" from break_glass_grants g where team_id = app_team() and cardinality(break_glass_due(g, {now})) > 0 order by asked_at
            """, ct);
        if (due.Count == 0)
        {
            return;
        }
        var name = (await session.SqlAsync<string>($"""select name as "Value" from teams where id = app_team()""", ct)).Single();
        var reference = (await session.SqlAsync<string>($"""select reference as "Value" from teams where id = app_team()""", ct)).Single();
        var owners = await session.SqlAsync<Guid>($"""select user_id as "Value" from memberships where team_id = app_team() and role = 'owner'""", ct);
        foreach (var grant in due)
        {
            foreach (var content in grant.What.Select(what => Mail(what, grant, MailText.Tame(name), reference)))
            {
                owners.ForEach(owner => mails.ToPerson(session, new UserId(owner), content));
            }
            if (grant.What.Contains("ended") && grant.EndedAt is null)
            {
                session.Record(new LedgerEvent("break-glass.expired", null, OperatorWork.Details(("grant", grant.Reference), ("asked_by", grant.Operator), ("asked_by_key", grant.OperatorKey))), Nobody);
            }
            await session.ExecuteAsync($"update break_glass_grants set told = told || {grant.What} where team_id = app_team() and reference = {grant.Reference}", ct);
        }
        await session.CommitAsync(ct);
    }

    private MailContent Mail(string what, Due grant, string team, string reference)
    {
        var (host, who) = (settings.Origin.IdnHost, $"The operator {grant.Operator} (key {grant.OperatorKey[..16]})");
        var (subject, text) = what switch
        {
            "asked" => ("An operator asks to read your team’s files", new[]
            {
                $"{who} asks to read the files of the team “{team}” at {host}, for some hours.",
                "The reason is on the page. You can consent or refuse there, with your second factor; a refusal is final. If no owner answers in time, a second operator can approve it.",
            }),
            "refused" => ("An operator was refused your team’s files", [$"An owner of the team “{team}” at {host} refused: the operator {grant.Operator} reads nothing."]),
            "begun" => ("An operator can read your team’s files", new[]
            {
                $"{who} can read the files of the team “{team}” at {host} until {grant.EndsAt:yyyy-MM-dd HH:mm} UTC. {(grant.Answer == "approved" ? "No owner had answered in time, so a second operator approved it." : "An owner consented.")}",
                "They can change nothing. What they look at is on the page, and any owner can end it there at once.",
            }),
            "read" => ("An operator began to read your team’s files", [$"{who} began to look at files of the team “{team}” at {host}. What they look at is on the page; this is the only mail about it until they cannot any more."]),
            "ended" => ("An operator’s access to your team’s files has ended", [$"{who} cannot read the files of the team “{team}” at {host} any more. What they looked at is on the page, and in the team’s ledger."]),
            _ => throw new InvalidOperationException($"There is no mail about '{what}'."),
        };
        return new MailContent("break-glass." + what, subject, text, new Uri(settings.Origin, $"/teams/{reference}/break-glass"), "See it");
    }

    private sealed record Due(string Reference, string Operator, string OperatorKey, DateTimeOffset? EndsAt, DateTimeOffset? EndedAt, string? Answer, string[] What);
}
