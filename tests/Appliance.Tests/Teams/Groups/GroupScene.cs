using System.Net;
using Appliance.Teams.Groups;
using Appliance.Tests.Files;
using Appliance.Tests.TestServers;
using Shouldly;

namespace Appliance.Tests.Teams.Groups;

/// <summary>A team with three folders (open, secret, dull), a file in each and one beside them, and one member beside the owner.</summary>
internal sealed class GroupScene(ApplianceHost host, Person owner, Person member, string team)
{
    public Person Owner { get; } = owner;

    public Person Member { get; } = member;

    public string Team { get; } = team;

    public FilesClient Theirs { get; } = new(owner, team);

    public FilesClient Mine { get; } = new(member, team);

    public required string Open { get; init; }

    public required string Secret { get; init; }

    public required string Inner { get; init; }

    public required string OpenFile { get; init; }

    public required string SecretFile { get; init; }

    public required string InnerFile { get; init; }

    public required string Beside { get; init; }

    public async Task<string> GroupAsync(string name, params Person[] members)
    {
        var made = await Owner.PostAsync($"/teams/{Team}/groups", ("Name", name));
        made.StatusCode.ShouldBe(HttpStatusCode.Redirect, await made.Content.ReadAsStringAsync());
        var reference = made.Headers.Location!.ToString().Split('/')[^1];
        foreach (var one in members)
        {
            (await Owner.PostAsync($"/teams/{Team}/groups/{reference}?handler=Add", ("username", one.Username))).StatusCode.ShouldBe(HttpStatusCode.Redirect);
        }
        return reference;
    }

    public async Task<HttpResponseMessage> TryGrantAsync(Person by, string group, Level atTop, Level others, string permissions = "", params (string Folder, string Level)[] lines)
    {
        var revision = await host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
            $"select g.revision from team_groups g join teams t on t.id = g.team_id where t.reference = '{Team}' and g.reference = '{group}'");
        return await by.PostAsync($"/teams/{Team}/groups/{group}",
        [
            ("revision", revision!.ToString()!), ("atTop", ((int)atTop).ToString()), ("others", ((int)others).ToString()),
            .. permissions.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(p => ("permission", p)), .. lines.Select(l => ("folder." + l.Folder, l.Level)),
        ]);
    }

    public async Task GrantAsync(string group, Level atTop, Level others, string permissions = "", params (string Folder, string Level)[] lines)
    {
        var answer = await TryGrantAsync(Owner, group, atTop, others, permissions, lines);
        answer.StatusCode.ShouldBe(HttpStatusCode.Redirect, await answer.Content.ReadAsStringAsync());
    }

    public async Task<HttpStatusCode> StatusAsync(Person person, string path) => (await person.Http.GetAsync($"/teams/{Team}{path}")).StatusCode;

    public static async Task<GroupScene> BeginAsync(ApplianceHost host)
    {
        var owner = await Person.NewAsync(host, "owner");
        var member = await Person.NewAsync(host, "member");
        var team = await owner.TeamAsync();
        await owner.InviteAsync(team, member);
        var files = new FilesClient(owner, team);
        var (open, secret) = (await files.FolderAsync("Open"), await files.FolderAsync("Secret plans"));
        var inner = await files.FolderAsync("inner", secret);
        await files.FolderAsync("Dull");
        return new GroupScene(host, owner, member, team)
        {
            Open = open,
            Secret = secret,
            Inner = inner,
            OpenFile = await files.FileAsync("open.txt", "open"u8.ToArray(), open),
            SecretFile = await files.FileAsync("confidential.txt", "secret"u8.ToArray(), secret),
            InnerFile = await files.FileAsync("innermost.txt", "secret"u8.ToArray(), inner),
            Beside = await files.FileAsync("beside.txt"),
        };
    }
}
