using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Npgsql;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>A team with a million files in one folder, and a database that writes down the plan of every statement.</summary>
public sealed class MillionFiles() : ApplianceHost(null, null, null), IAsyncLifetime
{
    public const int Count = 1_000_000;

    public Person Person { get; private set; } = null!;

    public string Team { get; private set; } = "";

    public string Folder { get; private set; } = "";

    public FilesClient Files => new(Person, Team);

    async Task IAsyncLifetime.InitializeAsync()
    {
        await InitializeAsync();
        Person = await Person.NewAsync(this);
        Team = await Person.TeamAsync();
        Folder = await Files.FolderAsync("Huge");
        await FillAsync();
        // Preloaded by the sessions of this database alone; the service opens new ones.
        await Cluster.SuperuserAsync(Settings.DatabaseName, $"""
            alter database {Settings.DatabaseName} set session_preload_libraries = 'auto_explain';
            alter database {Settings.DatabaseName} set auto_explain.log_min_duration = 0;
            alter database {Settings.DatabaseName} set auto_explain.log_nested_statements = on;
            alter database {Settings.DatabaseName} set auto_explain.log_analyze = on;
            """);
        await StopServiceAsync();
        await StartServiceAsync();
        await Person.SignInAgainAsync(this);
    }

    /// <summary>What the database planned and did for the statements that tell of entries, while something was asked.</summary>
    public async Task<string> PlansAsync(Func<Task> ask)
    {
        var from = new FileInfo(Cluster.Log).Length;
        await ask();
        await using var log = new FileStream(Cluster.Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        log.Position = from;
        using var reader = new StreamReader(log);
        // The way up from the folder is a statement of its own, short whatever is in it.
        var plans = (await reader.ReadToEndAsync()).Split("LOG:  duration:").Where(p => p.Contains("name_key", StringComparison.Ordinal) && !p.Contains("as start, id", StringComparison.Ordinal));
        return string.Concat(plans);
    }

    private async Task FillAsync()
    {
        await using var connection = new NpgsqlConnection($"Host={Cluster.Socket};Username=postgres;Database={Settings.DatabaseName};Pooling=false;Command Timeout=0");
        await connection.OpenAsync();
        // Indexes are made anew at the end, and foreign keys are not asked a million times: this is about reading.
        await using var fill = new NpgsqlCommand($"""
            set session_replication_role = replica;
            set maintenance_work_mem = '256MB';
            set synchronous_commit = off;
            do $$
            declare definitions text[]; definition text;
            begin
                select array_agg(indexdef), string_agg(indexname, ', ') into definitions, definition from pg_indexes
                    where tablename = 'entries' and indexname not in (select conname from pg_constraint);
                execute 'drop index ' || definition;
                insert into entries (id, team_id, reference, parent_id, kind, name, name_key, current_version_id, size, media_type, created_at, created_by, modified_at, modified_by)
                select gen_random_uuid(), f.team_id, 'r' || lpad(translate(i::text, '0189', 'abcd'), 25, 'a'), f.id, 'file', n.name, upper(n.name), gen_random_uuid(),
                       (i::bigint * 7919) % 1000003, 'audio/wav', f.created_at, f.created_by, f.created_at + ((i::bigint * 104729) % 1000003) * interval '1 second', f.created_by
                from entries f, generate_series(1, {Count}) i,
                     lateral (select (array['Harbour', 'Mountain', 'Summer', 'Interview', 'Raw', 'Final', 'Mix', 'Outtake'])[1 + i % 8] || ' take ' || i || '.wav' as name) n
                where f.reference = '{Folder}';
                foreach definition in array definitions loop
                    execute definition;
                end loop;
            end $$;
            analyze entries;
            """, connection);
        await fill.ExecuteNonQueryAsync();
    }
}

/// <summary>That no listing and no search costs more than what it answers, however much there is: told by the database's plans, not by time.</summary>
[Collection(AloneCollection.Name), Trait("Requirement", "F5")]
public sealed class MillionFilesTests(MillionFiles host) : IClassFixture<MillionFiles>
{
    [Theory]
    [InlineData("", "entries_listing|entries_name", "name_key")]
    [InlineData("&order=desc", "entries_listing|entries_name", "name_key desc")]
    [InlineData("&sort=size", "entries_size", "size, name_key")]
    [InlineData("&sort=size&order=desc", "entries_size", "size desc, name_key desc")]
    [InlineData("&sort=modified", "entries_modified", "modified_at, name_key")]
    [InlineData("&sort=modified&order=desc", "entries_modified", "modified_at desc, name_key desc")]
    public async Task A_page_of_a_million_reads_its_own_rows_from_the_index_of_its_order(string query, string index, string order)
    {
        var next = "";
        var seen = new List<string>();
        for (var page = 0; page < 3; page++)
        {
            var plans = await host.PlansAsync(async () =>
            {
                var answer = await host.Files.GetAsync($"/entries?folder={host.Folder}&limit=1000{query}{next}");
                seen.AddRange(FilesClient.Names(answer));
                next = "&after=" + answer.GetProperty("next").GetString();
            });
            plans.ShouldMatch($"using ({index}) on entries");
            plans.ShouldNotContain("Seq Scan on entries");
            plans.ShouldNotContain("Sort Key");
            MostRows(plans).ShouldBeLessThanOrEqualTo(1001);
        }
        var expected = (string)(await host.Cluster.SuperuserAsync(host.Settings.DatabaseName,
            $"select string_agg(name, '|') from (select name from entries where kind = 'file' order by {order} limit 3000) x"))!;
        seen.ShouldBe(expected.Split('|'));
    }

    /// <summary>With the usual limit of 50, 200 names for each of the 51 that it asks for; a rare word is found among those that its trigrams tell of.</summary>
    [Theory]
    [InlineData("take 77777", 19, "entries_search")]
    [InlineData("interview 99999", 1, "entries_prefix")]
    [InlineData("77777 take", 19, "entries_search")]
    [InlineData("harbour", 50, "entries_prefix")]
    [InlineData("take wav", 50, "entries_prefix")] // in every name
    [InlineData("ake wav", 50, "entries_prefix")]
    [InlineData("ummer", 50, "entries_team_id_reference_key")] // in every eighth, all of them at the end of the order
    [InlineData("ummer wav", 50, "entries_team_id_reference_key")]
    [InlineData("nothing here", 0, "entries_search")]
    [InlineData("h", 50, "entries_prefix")]
    [InlineData("su", 50, "entries_prefix")]
    [InlineData("q", 0, "entries_prefix")]
    [InlineData("harbour 4", 50, "entries_prefix")]
    public async Task A_search_among_a_million_looks_at_few_names_however_many_hold_the_words(string q, int found, string index)
    {
        var plans = await host.PlansAsync(async () =>
            FilesClient.Names(await host.Files.GetAsync($"/search?q={Uri.EscapeDataString(q)}")).Count.ShouldBe(found));
        plans.ShouldContain(index);
        plans.ShouldNotContain("Seq Scan on entries");
        MostRows(plans).ShouldBeLessThanOrEqualTo(200 * 51);
    }

    /// <summary>The largest count of rows that any step of these plans handed on.</summary>
    private static double MostRows(string plans) =>
        System.Text.RegularExpressions.Regex.Matches(plans, @"actual time=[\d.]+ rows=(?<rows>[\d.]+)", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5))
            .Max(m => double.Parse(m.Groups["rows"].Value, System.Globalization.CultureInfo.InvariantCulture));
}
