using System.Net;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Ledger;

public sealed class LedgerPageTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    [Fact, Trait("Requirement", "W1")]
    public async Task An_owner_reads_the_ledger_and_verifies_it()
    {
        var owner = await SignedIn.AsAsync(host);
        var (team, page) = await TeamAsync(owner);
        await SealedAsync(team, 2);

        var html = await owner.Client.GetStringAsync(page);
        html.ShouldContain("Team created");
        html.ShouldContain("File uploaded");
        html.ShouldContain("&lt;b&gt;");
        html.ShouldNotContain("<b>");
        html.ShouldNotContain("Not sealed yet");
        html.IndexOf("File uploaded", StringComparison.Ordinal).ShouldBeLessThan(html.IndexOf("Team created", StringComparison.Ordinal), "newest first");

        (await VerifyAsync(owner, page)).ShouldContain("2 sealed entries, none changed");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
            $"set session_replication_role = replica; update ledger_entries set action = 'x' where tree = '{team}' and action = 'file.uploaded'");
        (await VerifyAsync(owner, page)).ShouldContain("was edited: it is not what was sealed");
    }

    [Fact, Trait("Requirement", "W1"), Trait("Requirement", "T1")]
    public async Task To_members_and_strangers_there_is_no_such_page()
    {
        var owner = await SignedIn.AsAsync(host);
        var member = await SignedIn.AsAsync(host);
        var stranger = await SignedIn.AsAsync(host, owner: true);
        var (team, page) = await TeamAsync(owner);
        await using (var session = await host.Database.ForTeamAsync(team, owner.Id, default))
        {
            session.Add(new Membership { TeamId = team, UserId = member.Id, Role = Membership.Member, Since = DateTimeOffset.UtcNow, AddedBy = owner.Id });
            await session.CommitAsync(default);
        }
        foreach (var person in new[] { member, stranger })
        {
            (await person.Client.GetAsync(page)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await person.Client.GetAsync(page + "/export")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await person.Client.GetAsync(page + "/proofs/0")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
            (await person.Client.PostAsync(page + "?handler=Verify", null)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        }
        (await owner.Client.GetAsync("/teams/nowhere/ledger")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        using var nobody = host.Client();
        (await nobody.GetAsync(page)).StatusCode.ShouldNotBe(HttpStatusCode.OK);
        (await nobody.GetAsync(page + "/export")).StatusCode.ShouldNotBe(HttpStatusCode.OK);
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_owner_takes_the_ledger_and_the_proof_of_an_entry_along()
    {
        var owner = await SignedIn.AsAsync(host);
        var (team, page) = await TeamAsync(owner);
        await SealedAsync(team, 2);
        var key = host.Services.GetRequiredService<LedgerKeys>().KeyId;

        using var export = await owner.Client.GetAsync(page + "/export");
        export.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
        OfflineVerification.Export(await export.Content.ReadAsStreamAsync(), [key], []).ShouldSatisfyAllConditions(v => v.Intact.ShouldBeTrue(v.What), v => v.Tree.ShouldBe(team.Value));
        await SealedAsync(team, 3);
        (await owner.Client.GetStringAsync(page)).ShouldContain("Ledger exported");

        OfflineVerification.Proof(await owner.Client.GetStreamAsync(page + "/proofs/1"), [key]).Entry!.Action.ShouldBe("file.uploaded");
        foreach (var nothing in new[] { "/proofs/3", "/proofs/-1", "/proofs/x", "/proofs/99999999999999999999", "/export?from=4", "/export?from=-1", "/export?from=x" })
        {
            (await owner.Client.GetAsync(page + nothing)).StatusCode.ShouldBe(HttpStatusCode.NotFound, nothing);
        }
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task An_owner_filters_without_script()
    {
        var owner = await SignedIn.AsAsync(host);
        var (_, page) = await TeamAsync(owner);
        (await owner.Client.GetStringAsync(page + "?action=file")).ShouldSatisfyAllConditions(h => h.ShouldContain("File uploaded"), h => h.ShouldNotContain(">Team created<"));
        (await owner.Client.GetStringAsync(page + "?person=nobody")).ShouldContain("No entries match");
        var today = DateTimeOffset.UtcNow;
        (await owner.Client.GetStringAsync($"{page}?from={today.AddDays(-1):yyyy-MM-dd}&to={today.AddDays(1):yyyy-MM-dd}")).ShouldContain("File uploaded");
        (await owner.Client.GetStringAsync($"{page}?from={today.AddDays(2):yyyy-MM-dd}")).ShouldContain("No entries match");
        (await owner.Client.GetStringAsync(page + "?to=2020-01-01")).ShouldContain("No entries match");
        (await owner.Client.GetStringAsync(page + "?from=yesterday")).ShouldContain("A day is written");
        (await owner.Client.GetStringAsync(page + "?action=%22%3E%3Cscript%3E")).ShouldNotContain("<script>");
    }

    [Fact, Trait("Requirement", "W1")]
    public async Task Days_find_entries_whose_ids_say_nothing_of_the_day_as_an_older_version_wrote_them()
    {
        var owner = await SignedIn.AsAsync(host);
        var (team, page) = await TeamAsync(owner);
        await host.Cluster.SuperuserAsync(
            host.Settings.DatabaseName,
            $"insert into ledger_entries (id, tree, at, action, details) values ('00000000-0001-7abc-8000-{Guid.NewGuid().ToString("N")[..12]}', '{team.Value}', now(), 'old.happened', '{{}}')");
        var today = DateTimeOffset.UtcNow;
        (await owner.Client.GetStringAsync($"{page}?from={today.AddDays(-1):yyyy-MM-dd}")).ShouldSatisfyAllConditions(h => h.ShouldContain("Old happened"), h => h.ShouldContain("File uploaded"));
        (await owner.Client.GetStringAsync($"{page}?from={today.AddDays(-1):yyyy-MM-dd}&action=old")).ShouldContain("Old happened");
        (await owner.Client.GetStringAsync($"{page}?from={today.AddDays(2):yyyy-MM-dd}")).ShouldContain("No entries match");
    }

    private async Task<(TeamId Team, string Page)> TeamAsync(SignedIn owner)
    {
        var (team, reference) = (TeamId.New(), Reference.New());
        await using var session = await host.Database.ForTeamAsync(team, owner.Id, default);
        session.Add(new Team { Id = team, Reference = reference, Name = "Team", CreatedAt = DateTimeOffset.UtcNow });
        session.Add(new Membership { TeamId = team, UserId = owner.Id, Role = Membership.Owner, Since = DateTimeOffset.UtcNow, AddedBy = owner.Id });
        session.Record(new LedgerEvent("team.created"), new Origin(owner.Id, null));
        session.Record(new LedgerEvent("file.uploaded", null, new Dictionary<string, string?> { ["name"] = "<b>" }), new Origin(owner.Id, "192.0.2.1"));
        await session.CommitAsync(default);
        return (team, $"/teams/{reference}/ledger");
    }

    private Task SealedAsync(TeamId team, long count) => SealerTests.Eventually(async () =>
        (long)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, $"select count(*) from ledger_leaves where tree = '{team}'"))! == count);

    private static async Task<string> VerifyAsync(SignedIn owner, string page)
    {
        using var answer = await owner.Client.PostAsync(page + "?handler=Verify", null);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await answer.Content.ReadAsStringAsync();
    }
}
