using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.SignIn;

/// <summary>The whole service with a clock that the test moves, and an ear at its standard output.</summary>
public class SignInHost : ApplianceHost
{
    private readonly StringWriter _out = new();

    public MovableClock Clock { get; } = new();

    protected virtual SignInSettings SignInSettings => new();

    public string Output => _out.ToString();

    public SetUpLinks Links => Services.GetRequiredService<SetUpLinks>();

    public Visitor Visitor() => new(this);

    /// <summary>A person who came in by a set-up link as people do, signed in.</summary>
    public async Task<Visitor> PersonAsync(string username, string? password = null)
    {
        var visitor = Visitor();
        await visitor.SetUpAsync(await LinkAsync(), username, password ?? SignIn.Visitor.Password);
        return visitor;
    }

    /// <summary>The token of a link for a further person.</summary>
    public async Task<string> LinkAsync()
    {
        var owner = await SignedIn.PersonAsync(Services, owner: true);
        var http = new Microsoft.AspNetCore.Http.DefaultHttpContext
        {
            User = new(new System.Security.Claims.ClaimsIdentity([new(System.Security.Claims.ClaimTypes.NameIdentifier, owner.Id.ToString())], "test")),
        };
        return await Links.ForPersonAsync(http, default);
    }

    public async Task<List<LedgerEntry>> LedgerAsync(string action)
    {
        await using var session = await Database.ForApplianceAsync(default);
        return await session.Query<LedgerEntry>().AsNoTracking().Where(e => e.Action == action).ToListAsync();
    }

    /// <summary>Everything that the database holds, as text.</summary>
    public async Task<string> DumpAsync() =>
        (string)(await Cluster.SuperuserAsync(
            Settings.DatabaseName,
            "select string_agg(query_to_xml(format('select * from %I', tablename), true, false, '')::text, '') from pg_tables where schemaname = 'public'"))!;

    /// <summary>Everybody comes from one address here; the rates have tests of their own.</summary>
    protected override Settings Change(Settings settings) => settings with
    {
        Limits = settings.Limits with { PerAddress = Plenty, Anonymous = Plenty, PerAccount = Plenty, SignIn = Plenty },
    };

    protected static RequestRate Plenty => new(100_000, 10_000);

    protected override void Adapt(WebApplicationBuilder builder)
    {
        base.Adapt(builder);
        builder.Services.AddSingleton<TimeProvider>(Clock);
        builder.Services.AddSingleton(new Announcements(_out));
        builder.Services.AddSingleton(SignInSettings);
    }
}
