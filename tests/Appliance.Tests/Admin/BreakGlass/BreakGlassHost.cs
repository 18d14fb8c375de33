using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Appliance.Admin;
using Appliance.Tests.Mail;
using Appliance.Tests.SignIn;
using Appliance.Tests.SignIn.Policy;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Npgsql;

namespace Appliance.Tests.Admin.BreakGlass;

/// <summary>The whole service with people, mail and three operators: ada asks, ben approves, eve has no business in it.</summary>
public sealed class BreakGlassHost : MailHost
{
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-break-glass-").FullName;

    public BreakGlassHost()
    {
        ChildProcess.RemoveAtTheEnd(_folder);
        WriteKeys(Everybody);
    }

    public TestOperator Ada { get; } = new("ada");

    public TestOperator Ben { get; } = new("ben");

    public TestOperator Eve { get; } = new("eve");

    public string[] Everybody => [Ada.Line("actions=breakglass"), Ben.Line("actions=breakglass"), Eve.Line("actions=status")];

    public HttpClient Operator(TestOperator who)
    {
        var handler = Handler();
        handler.SslOptions.ClientCertificates = [who.Certificate];
        handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => who.Certificate;
        return new HttpClient(handler) { BaseAddress = new Uri($"https://localhost:{Settings.Admin!.Listen.Port}"), DefaultRequestVersion = HttpVersion.Version20, Timeout = TimeSpan.FromSeconds(60) };
    }

    public async Task AllowAsync(params string[] lines)
    {
        WriteKeys(lines);
        await Task.Delay(500);
    }

    public async Task<NpgsqlConnection> ConnectAsync(string role)
    {
        var connection = new NpgsqlConnection($"Host={Cluster.Socket};Username={role};Database={Settings.DatabaseName};Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>An owner with an address, their team with a folder and files in it.</summary>
    internal async Task<Glass> GlassAsync(string stem)
    {
        var (owner, address) = await WithAddressAsync("glass." + stem);
        var team = await owner.TeamAsync("Glass " + stem);
        return new Glass(this, owner, address, team, await owner.UploadAsync(team, "secret plan.txt", "the plan"u8.ToArray()));
    }

    protected override Settings Change(Settings settings) => base.Change(settings) with
    {
        Admin = new AdminSettings { Listen = new IPEndPoint(IPAddress.Loopback, Ports.Free()), KeysFile = Path.Combine(_folder, "operators"), CheckInterval = TimeSpan.FromMilliseconds(100), PerKey = Plenty },
    };

    private void WriteKeys(string[] lines)
    {
        var file = Path.Combine(_folder, "operators");
        File.WriteAllLines(file + ".new", lines);
        File.SetUnixFileMode(file + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(file + ".new", file, overwrite: true);
    }
}

/// <summary>A team, its owner, and what operators do with it.</summary>
internal sealed class Glass(BreakGlassHost host, Visitor owner, string address, string team, string file) : IDisposable
{
    public const string Reason = "Nobody reaches the owner, <b>court order</b> 12";

    public Visitor Owner => owner;

    public string Address => address;

    public string Team => team;

    public string File => file;

    public string Page => $"/teams/{team}/break-glass";

    /// <summary>Asks as ada; answers the reference.</summary>
    public async Task<string> AskAsync(int hours = 4, TestOperator? by = null)
    {
        using var client = host.Operator(by ?? host.Ada);
        using var answer = await client.PostAsJsonAsync("/admin/v1/breakglass", new { team, reason = Reason, hours });
        answer.StatusCode.ShouldBe(HttpStatusCode.OK, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("reference").GetString()!;
    }

    /// <summary>An ask that an owner has consented to.</summary>
    public async Task<string> OpenAsync(int hours = 4)
    {
        var grant = await AskAsync(hours);
        (await AnswerAsync(owner, grant)).Headers.Location?.ToString().ShouldBe(Page);
        return grant;
    }

    public Task<HttpResponseMessage> AnswerAsync(Visitor who, string grant, bool consent = true) => who.SendAsync($"{Page}/{grant}", $"{Page}/{grant}" + (consent ? "" : "?handler=Refuse"));

    public Task<HttpResponseMessage> EndAsync(Visitor who, string grant) => who.SendAsync(Page, Page + "?handler=End", ("Grant", grant));

    public Task<HttpResponseMessage> ReadAsync(TestOperator who, string grant, string? entry = null) => host.Operator(who).GetAsync($"/admin/v1/breakglass/{grant}/files/{entry ?? file}");

    public Task<HttpResponseMessage> ListAsync(TestOperator who, string grant, string query = "") => host.Operator(who).GetAsync($"/admin/v1/breakglass/{grant}/files{query}");

    public Task<HttpResponseMessage> ApproveAsync(TestOperator who, string grant) => host.Operator(who).PostAsync($"/admin/v1/breakglass/{grant}/approve", null);

    public Task<HttpResponseMessage> EndAsync(TestOperator who, string grant) => host.Operator(who).PostAsync($"/admin/v1/breakglass/{grant}/end", null);

    /// <summary>As if it had been asked so long ago.</summary>
    public Task AgeAsync(string grant, int hours) => host.Cluster.SuperuserAsync(
        host.Settings.DatabaseName,
        $"set session_replication_role = replica; update break_glass_grants set asked_at = asked_at - interval '{hours} hours', approvable_at = approvable_at - interval '{hours} hours', lapses_at = lapses_at - interval '{hours} hours', answered_at = answered_at - interval '{hours} hours', ends_at = ends_at - interval '{hours} hours' where reference = '{grant}'");

    /// <summary>In the team's ledger, by an operator or about one: the oldest first.</summary>
    public Task<string[]> ActionsAsync() => host.ScalarAsync<string[]>(
        $"select coalesce(array_agg(e.action::text order by e.id), '{{}}') from ledger_entries e join teams t on t.id = e.tree where t.reference = '{team}' and e.action like 'break-glass.%'");

    public Task<string> StateAsync(string grant) => host.ScalarAsync<string>($"select break_glass_state(g, now()) from break_glass_grants g where reference = '{grant}'");

    public void Dispose() => owner.Dispose();
}

internal static class BreakGlassJourneys
{
    public static async Task<string> UploadAsync(this Visitor owner, string team, string name, byte[] bytes)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/teams/{team}/files?name={Uri.EscapeDataString(name)}") { Content = new ByteArrayContent(bytes) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        request.Headers.Add("RequestVerificationToken", (await owner.HtmlAsync("/teams")).Split("<meta name=\"csrf\" content=\"")[1].Split('"')[0]);
        using var made = await owner.Client.SendAsync(request);
        made.StatusCode.ShouldBe(HttpStatusCode.Created, await made.Content.ReadAsStringAsync());
        return (await made.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("reference").GetString()!;
    }

    public static async Task ShouldRefuseAsync(this Task<HttpResponseMessage> step, HttpStatusCode status, string? code = null)
    {
        using var answer = await step;
        var text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(status, text);
        if (code is not null)
        {
            JsonDocument.Parse(text).RootElement.GetProperty("code").GetString().ShouldBe(code);
        }
    }
}
