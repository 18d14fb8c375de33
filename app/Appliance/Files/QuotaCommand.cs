using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Files;

/// <summary>
/// <c>appliance quota</c>, for the operator at the machine: what a team may store. The team's own ledger tells its members of every change. Exit codes: 0
/// done, 2 not done (with the reason on standard error).
/// </summary>
public static class QuotaCommand
{
    private const int Done = 0;
    private const int NotDone = 2;

    private const string Usage = """
        appliance quota TEAM [--gib N|none|default] [--files N|none|default]
            Says what the team of this reference stores and may store; with options, changes the limit first.
            none     no limit, whatever the appliance's settings say
            default  what APPLIANCE_TEAM_QUOTA_GIB and APPLIANCE_TEAM_QUOTA_FILES say
        """;

    /// <summary><paramref name="args"/> is what follows <c>quota</c>. Answers the exit code.</summary>
    public static async Task<int> RunAsync(string[] args, Settings settings, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(error);
        try
        {
            var asked = Asked.Read(args) ?? throw new CommandException(Usage);
            await using var services = new ServiceCollection().AddDatabase(settings.Database, typeof(QuotaCommand).Assembly).BuildServiceProvider();
            var database = services.GetRequiredService<Database>();
            var team = await FindAsync(database, asked.Team, cancellationToken) ?? throw new CommandException($"There is no team '{asked.Team}'.");
            if (asked.Changes)
            {
                await ChangeAsync(database, team, asked, cancellationToken);
            }
            await using var session = await database.ForJobAsync(team, cancellationToken);
            var usage = await new Quota(settings).ReadAsync(session, cancellationToken);
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{asked.Team}: {ByteSize.Text(usage.Bytes)} of {(usage.MaxBytes is { } bytes ? ByteSize.Text(bytes) : "any size")}, {usage.Files} of {(usage.MaxFiles is { } files ? $"{files}" : "any number of")} files"));
            return Done;
        }
        catch (Exception e) when (e is CommandException or DatabaseUnavailableException)
        {
            await error.WriteLineAsync(e.Message);
            return NotDone;
        }
    }

    private static async Task<TeamId?> FindAsync(Database database, string reference, CancellationToken cancellationToken)
    {
        foreach (var id in await database.AllTeamsAsync(cancellationToken))
        {
            await using var session = await database.ForJobAsync(id, cancellationToken);
            if (await session.Query<Team>().AnyAsync(t => t.Reference == reference, cancellationToken))
            {
                return id;
            }
        }
        return null;
    }

    private static async Task ChangeAsync(Database database, TeamId team, Asked asked, CancellationToken cancellationToken)
    {
        await using var session = await database.ForJobAsync(team, cancellationToken);
        var now = (await session.SqlAsync<Limits>(
            $"""select max_bytes as "MaxBytes", max_files as "MaxFiles" from team_usage where team_id = app_team()""", cancellationToken)).SingleOrDefault() ?? new Limits(null, null);
        var (bytes, files) = (asked.Bytes is { } b ? b.Value : now.MaxBytes, asked.Files is { } f ? f.Value : now.MaxFiles);
        await session.ExecuteAsync($"select app_set_quota({bytes}, {files})", cancellationToken);
        session.Record(new LedgerEvent("quota.changed", team.ToString(), EntryEvents.Details(("bytes", Text(bytes)), ("files", Text(files)))), new Origin(null, null));
        await session.CommitAsync(cancellationToken);
    }

    private static string Text(long? limit) => limit switch { null => "default", Quota.Unlimited => "none", { } number => number.ToString(CultureInfo.InvariantCulture) };

    private sealed record Limits(long? MaxBytes, long? MaxFiles);

    /// <summary>A limit that was asked for: a number, <see cref="Quota.Unlimited"/>, or null for the appliance's.</summary>
    private sealed record AskedLimit(long? Value)
    {
        public static AskedLimit? Read(string text, long unit) => text switch
        {
            "default" => new AskedLimit((long?)null),
            "none" => new AskedLimit(Quota.Unlimited),
            _ => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= (1L << 50) / unit
                ? new AskedLimit(number * unit)
                : null,
        };
    }

    private sealed record Asked(string Team, AskedLimit? Bytes, AskedLimit? Files)
    {
        public bool Changes => Bytes is not null || Files is not null;

        public static Asked? Read(string[] args)
        {
            if (args is not [var team, .. var rest])
            {
                return null;
            }
            var asked = new Asked(team, null, null);
            for (; rest.Length > 0; rest = rest[2..])
            {
                var read = rest switch
                {
                    ["--gib", var text, ..] when AskedLimit.Read(text, 1L << 30) is { } limit => asked with { Bytes = limit },
                    ["--files", var text, ..] when AskedLimit.Read(text, 1) is { } limit => asked with { Files = limit },
                    _ => null,
                };
                if (read is null)
                {
                    return null;
                }
                asked = read;
            }
            return asked;
        }
    }

    /// <summary>The message is all there is to say.</summary>
    private sealed class CommandException(string message) : Exception(message);
}
