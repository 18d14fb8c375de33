using System.Text;
using System.Text.Json;
using Appliance.Files;
using Appliance.Tests.Teams;
using Appliance.Tests.TestServers;
using Npgsql;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>
/// Search against a loop over all names. With a limit of one it looks at 400 names before it changes its way of looking, so that a few thousand
/// names take it through all of them.
/// </summary>
[Trait("Requirement", "F5"), Trait("Requirement", "T1")]
public sealed class SearchTests(ApplianceHost host) : IClassFixture<ApplianceHost>
{
    private const int Count = 6000;

    private static readonly string[] s_pieces =
    [
        "alpha", "Alphabet", "report", "Überblick", "straße", "东京塔", "москва", "a", "to", "100%", "snake_case", "it's", "(1)", "--", "e\u0301te", "👩‍👩‍👧", "v2", "ΣΊΣΥΦΟΣ", "x;y", "...z",
    ];

    [Fact]
    public async Task Every_answer_is_what_a_loop_over_all_names_would_give()
    {
        var random = new Random(20261125);
        using var person = await Person.NewAsync(host);
        var (team, other) = (await person.TeamAsync(), await person.TeamAsync());
        var (files, others) = (new FilesClient(person, team), new FilesClient(person, other));
        var live = await files.FolderAsync("live");
        var outer = await files.FolderAsync("outer");
        var inner = await files.FolderAsync("inner", outer);
        var foreign = await others.FolderAsync("foreign");
        var names = Enumerable.Range(0, Count).Select(i => Name(random, i)).ToList();
        await FillAsync(live, names, deleted: false);
        await FillAsync(live, [.. Enumerable.Range(0, 300).Select(i => Name(random, i) + " deleted")], deleted: true);
        await FillAsync(inner, [.. Enumerable.Range(0, 300).Select(i => Name(random, i) + " below")], deleted: false);
        await FillAsync(foreign, [.. Enumerable.Range(0, 300).Select(i => Name(random, i) + " foreign")], deleted: false);
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "analyze entries");
        await files.TrashAsync(outer);
        names.Add("live");

        List<string> queries =
        [
            "alpha", "alpha zulu", "alpha q7", "zulu", "ulu", "ulu q7", "lu q7", "zz", "z", "q7 zulu", "q7", "number", "number 17", "umber 4711", "mber", "below", "deleted", "foreign", "live",
            "%", "_", "%%%", "___", "0%", "e_c", "'s", "--", "...", "(1)", "东京塔", "京塔", "京", "МОСК", "оскв", "ÉTE", "e\u0301t", "straße", "STRASSE", "👩‍👩‍👧", "\u200D", "σίσυφος", "ίσυ", ";", "a a a", "to alpha to",
            string.Join(' ', Enumerable.Repeat("a", 100)), string.Join(' ', s_pieces), new string('a', 200),
        ];
        for (var i = 0; i < 150; i++)
        {
            queries.Add(Query(random, names));
        }
        foreach (var query in queries)
        {
            foreach (var limit in new[] { 1, 3, 50, 200 })
            {
                var answer = await files.GetAsync($"/search?limit={limit}&q={Uri.EscapeDataString(query)}");
                Check(answer, Expected(names, query), limit, $"“{query}” by {limit}");
            }
        }
    }

    /// <summary>Half of the names are early in the order; what comes late is common there alone; some pieces are in many, some in a handful.</summary>
    private static string Name(Random random, int i)
    {
        var name = new StringBuilder();
        name.Append(i % 2 == 0 ? "alpha " : i % 5 == 0 ? "zulu " : s_pieces[random.Next(s_pieces.Length)] + " ");
        for (var n = random.Next(3); n >= 0; n--)
        {
            name.Append(s_pieces[random.Next(s_pieces.Length)]).Append(random.Next(4) == 0 ? "" : " ");
        }
        return name.Append(random.Next(150) == 0 ? "q7 " : "").Append("number ").Append(i).ToString().Normalize(NormalizationForm.FormC);
    }

    /// <summary>One to three words out of names and pieces, some of them cut.</summary>
    private static string Query(Random random, List<string> names)
    {
        var words = Enumerable.Range(0, 1 + random.Next(3)).Select(_ =>
        {
            var from = random.Next(2) == 0 ? s_pieces[random.Next(s_pieces.Length)] : names[random.Next(names.Count)];
            var runes = from.EnumerateRunes().ToArray();
            var start = random.Next(2) == 0 ? 0 : random.Next(runes.Length);
            return string.Concat(runes.Skip(start).Take(1 + random.Next(8)).Select(r => r.ToString()));
        });
        var query = string.Join(' ', words);
        return string.IsNullOrWhiteSpace(query) ? "alpha" : query;
    }

    private static (List<string> Begin, List<string> Hold) Expected(List<string> names, string query)
    {
        var words = Search.Words(query)!;
        var all = names.Select(n => n.ToUpperInvariant()).Where(key => words.All(w => key.Contains(w, StringComparison.Ordinal))).Order(s_order).ToList();
        var begin = all.Where(key => key.StartsWith(words[0], StringComparison.Ordinal)).ToList();
        return (begin, words.Any(w => w.EnumerateRunes().Count() >= 3) ? [.. all.Where(key => !key.StartsWith(words[0], StringComparison.Ordinal))] : []);
    }

    private static void Check(JsonElement answer, (List<string> Begin, List<string> Hold) expected, int limit, string message)
    {
        var keys = FilesClient.Names(answer).Select(n => n.ToUpperInvariant()).ToList();
        var total = expected.Begin.Count + expected.Hold.Count;
        answer.GetProperty("more").GetBoolean().ShouldBe(total > limit, message);
        keys.Count.ShouldBe(Math.Min(limit, total), message);
        var begin = keys.Take(expected.Begin.Count).ToList();
        begin.ShouldBe(expected.Begin.Take(limit), ignoreOrder: false, message);
        var hold = keys.Skip(begin.Count).ToList();
        hold.ShouldBe(hold.Order(s_order), ignoreOrder: false, message);
        hold.ShouldBeUnique(message);
        if (total <= limit)
        {
            hold.ShouldBe(expected.Hold, ignoreOrder: false, message);
        }
        hold.Except(expected.Hold, StringComparer.Ordinal).ShouldBeEmpty(message);
    }

    /// <summary>As the database orders: by code point.</summary>
    private static readonly Comparer<string> s_order = Comparer<string>.Create((a, b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b)));

    private async Task FillAsync(string folder, List<string> names, bool deleted)
    {
        await using var connection = new NpgsqlConnection($"Host={host.Cluster.Socket};Username=postgres;Database={host.Settings.DatabaseName};Pooling=false");
        await connection.OpenAsync();
        await using var fill = new NpgsqlCommand(
            """
            insert into entries (id, team_id, reference, parent_id, kind, name, name_key, current_version_id, size, created_at, created_by, modified_at, modified_by, deleted_at)
            select gen_random_uuid(), f.team_id, md5(n.name || $1 || random()), f.id, 'file', n.name, n.key, gen_random_uuid(), 1, now(), f.created_by, now(), f.created_by, case when $4 then now() end
            from entries f, unnest($2, $3) n (name, key) where f.reference = $1
            """, connection)
        {
            Parameters = { new() { Value = folder }, new() { Value = names.ToArray() }, new() { Value = names.Select(n => n.ToUpperInvariant()).ToArray() }, new() { Value = deleted } },
        };
        await using (var replica = new NpgsqlCommand("set session_replication_role = replica", connection)) // no foreign keys: this is about names
        {
            await replica.ExecuteNonQueryAsync();
        }
        (await fill.ExecuteNonQueryAsync()).ShouldBe(names.Count);
    }
}
