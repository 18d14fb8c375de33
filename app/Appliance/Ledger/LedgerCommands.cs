using System.Text.Json;
using System.Text.Json.Serialization;
using Appliance.Data;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Ledger;

/// <summary>
/// <c>appliance ledger verify</c>, <c>heads</c> and <c>export</c>, for the operator at the machine. Exit codes: 0 intact (or exported), 1
/// damaged, 2 could not be done (with the reason on standard error).
/// </summary>
public static class LedgerCommands
{
    public const int Intact = 0;
    public const int Damaged = 1;
    public const int Unchecked = 2;

    private const string Usage = """
        appliance ledger verify [--tree REF] [--heads FILE] [--json]
            Recomputes every tree (or one: a team's reference, or 'appliance') and names what was changed.
            --heads FILE  also compares with heads printed earlier and kept elsewhere
            --json        one JSON object for each tree, on a line of its own
        appliance ledger heads [--tree REF]
            Prints the current signed head of every tree, a JSON object on each line. Keep them on another machine.
        appliance ledger export [--tree REF] [--from INDEX]
            Prints a tree (a team's; the appliance's own unless one is named) as JSON lines that 'appliancectl ledger
            verify-export' verifies anywhere. --from goes on where an export was interrupted.
        """;

    /// <summary>Runs one of them; <paramref name="args"/> is what follows <c>ledger</c>. Answers the exit code.</summary>
    public static async Task<int> RunAsync(string[] args, Settings settings, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        try
        {
            var options = Options.Read(args);
            await using var services = new ServiceCollection()
                .AddDatabase(settings.Database, typeof(LedgerCommands).Assembly)
                .BuildServiceProvider();
            using var keys = LedgerKeys.Open(settings.LedgerKeyFile);
            var database = services.GetRequiredService<Database>();
            var trees = await SelectAsync(database, options.Verb == "export" ? options.Tree ?? LedgerTrees.ApplianceName : options.Tree, cancellationToken);
            if (options.Verb == "export")
            {
                return await ExportAsync(database, keys, trees[0], options.From, output, cancellationToken);
            }
            var verification = new LedgerVerification(database, keys);
            return options.Verb == "heads"
                ? await PrintHeadsAsync(verification, keys, trees, output, error, cancellationToken)
                : await VerifyAsync(verification, trees, await ReadHeadsAsync(options.Heads, keys, cancellationToken), options, output, cancellationToken);
        }
        catch (Exception e) when (e is CommandException or KeyFileException or DatabaseUnavailableException)
        {
            await error.WriteLineAsync(e.Message);
            return Unchecked;
        }
    }

    private static async Task<int> ExportAsync(Database database, LedgerKeys keys, LedgerTree tree, long from, TextWriter output, CancellationToken cancellationToken)
    {
        using var exporter = new LedgerExporter(keys);
        try
        {
            SignedHead? head;
            await using (var session = await database.ForTreeAsync(tree.Id, cancellationToken))
            {
                head = await exporter.HeadAsync(session, tree.Id, cancellationToken);
            }
            if (head is null || from > head.Head.Size)
            {
                throw new CommandException(head is null ? $"Nothing is sealed in '{tree.Name}' yet." : $"'{tree.Name}' has {head.Head.Size} sealed entries; there is nothing from {from} on.");
            }
            await foreach (var line in exporter.LinesAsync(head, from, () => database.ForTreeAsync(tree.Id, cancellationToken), cancellationToken))
            {
                await output.WriteAsync(line);
            }
            return Intact;
        }
        catch (LedgerDamagedException e)
        {
            throw new CommandException(e.Message);
        }
    }

    private static async Task<int> VerifyAsync(
        LedgerVerification verification, IReadOnlyList<LedgerTree> trees, List<SignedHead> kept, Options options, TextWriter output, CancellationToken cancellationToken)
    {
        var worst = Intact;
        foreach (var tree in trees)
        {
            var report = await verification.VerifyAsync(tree.Id, kept, cancellationToken);
            worst = report.Intact ? worst : Damaged;
            await output.WriteLineAsync(options.Json
                ? JsonSerializer.Serialize(new NamedReport(tree.Name, report.Intact, report), ReportJson.Default.NamedReport)
                : Describe(tree.Name, report));
        }
        // A tree that is gone as a whole is not among those that were walked.
        foreach (var gone in options.Tree is null ? kept.Where(k => trees.All(t => t.Id != k.Head.Tree)).DistinctBy(k => k.Head.Tree) : [])
        {
            worst = Damaged;
            await output.WriteLineAsync(options.Json
                ? JsonSerializer.Serialize(new MissingTree(gone.Head.Tree, false, gone.Head.Size), ReportJson.Default.MissingTree)
                : $"{gone.Head.Tree}: DAMAGED. A head of this tree, of size {gone.Head.Size}, was kept elsewhere; here there is no such tree.");
        }
        return worst;
    }

    private static async Task<int> PrintHeadsAsync(
        LedgerVerification verification, LedgerKeys keys, IReadOnlyList<LedgerTree> trees, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        var result = Intact;
        foreach (var tree in trees)
        {
            if (await verification.LatestHeadAsync(tree.Id, cancellationToken) is not { } head)
            {
                continue;
            }
            if (keys.Verify(head))
            {
                await output.WriteLineAsync(head.ToJson());
            }
            else
            {
                await error.WriteLineAsync($"{tree.Name}: the signature of the latest head, of size {head.Head.Size}, is wrong; it is not printed.");
                result = Damaged;
            }
        }
        return result;
    }

    /// <summary>A report in words, for people.</summary>
    internal static string Describe(string name, LedgerReport report)
    {
        var size = $"{report.Sealed} entries sealed under {report.Heads} heads"
            + (report.Waiting > 0 ? $", {report.Waiting} waiting since {report.OldestWaiting:u}" : "")
            + (report.KeptHeads > 0 ? $", compared with {report.KeptHeads} kept elsewhere" : "");
        return report.Intact
            ? $"{name}: intact. {size}."
            : $"{name}: DAMAGED. {size}." + string.Concat(report.Findings.Select(f => $"\n  - {f.What}"))
                + (report.MoreFindings > 0 ? $"\n  - and {report.MoreFindings} more" : "");
    }

    private static async Task<IReadOnlyList<LedgerTree>> SelectAsync(Database database, string? name, CancellationToken cancellationToken)
    {
        var trees = await database.LedgerTreesAsync(cancellationToken);
        if (name is null)
        {
            return trees;
        }
        return trees.FirstOrDefault(t => t.Name == name) is { } tree ? [tree] : throw new CommandException($"There is no tree called '{name}'.");
    }

    private static async Task<List<SignedHead>> ReadHeadsAsync(string? file, LedgerKeys keys, CancellationToken cancellationToken)
    {
        var heads = new List<SignedHead>();
        if (file is null)
        {
            return heads;
        }
        try
        {
            var number = 0;
            await foreach (var line in File.ReadLinesAsync(file, cancellationToken))
            {
                number++;
                if (string.IsNullOrWhiteSpace(line))
                {
                    continue;
                }
                var head = SignedHead.Parse(line);
                heads.Add(keys.Verify(head) ? head : throw new CommandException($"Line {number} of '{file}' is not signed by a key of this appliance."));
            }
        }
        catch (FormatException)
        {
            throw new CommandException($"'{file}' is not a list of tree heads as 'ledger heads' prints it.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"'{file}' cannot be read.");
        }
        return heads;
    }

    private sealed record Options(string Verb, string? Tree, string? Heads, bool Json, long From = 0)
    {
        public static Options Read(string[] args)
        {
            if (args is not ["verify" or "heads" or "export", .. var rest])
            {
                throw new CommandException(Usage);
            }
            var options = new Options(args[0], null, null, false);
            while (rest.Length > 0)
            {
                (options, rest) = (options.Verb, rest) switch
                {
                    (_, ["--tree", var tree, .. var more]) => (options with { Tree = tree }, more),
                    ("verify", ["--heads", var file, .. var more]) => (options with { Heads = file }, more),
                    ("export", ["--from", var text, .. var more]) when LedgerDownloads.Index(text, out var from) => (options with { From = from }, more),
                    ("verify", ["--json", .. var more]) => (options with { Json = true }, more),
                    _ => throw new CommandException(Usage),
                };
            }
            return options;
        }
    }

    /// <summary>The message is all there is to say.</summary>
    private sealed class CommandException(string message) : Exception(message);
}

internal sealed record NamedReport(string Name, bool Intact, LedgerReport Report);

internal sealed record MissingTree(Guid Tree, bool Intact, long KeptSize);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NamedReport))]
[JsonSerializable(typeof(MissingTree))]
internal sealed partial class ReportJson : JsonSerializerContext;
