using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Appliance.Cli;

/// <summary>The commands (docs/operators.md). Tables for people; with <c>--json</c> the answer as it came, for machines.</summary>
internal static partial class Commands
{
    private static readonly Option<string?> s_server = new("--server", "-s") { Description = "The operators' port. $APPLIANCECTL_SERVER, or https://localhost:8444.", Recursive = true };
    private static readonly Option<string?> s_key = new("--key", "-k") { Description = "Your private key. $APPLIANCECTL_KEY, or ~/.config/appliancectl/operator.key.", Recursive = true };
    private static readonly Option<string?> s_authority = new("--ca") { Description = "Who vouches for the server (PEM). $APPLIANCECTL_CA, or whom this machine trusts.", Recursive = true };
    private static readonly Option<string?> s_settings = new("--config") { Description = "A file with server=, key=, ca=. By default ~/.config/appliancectl/config.", Recursive = true };
    private static readonly Option<bool> s_json = new("--json") { Description = "The answer as JSON.", Recursive = true };

    /// <summary>Answers the exit code (<see cref="ExitCodes"/>).</summary>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        var root = new RootCommand("Administers an appliance over its operators' port, with a private key.")
        {
            s_server, s_key, s_authority, s_settings, s_json,
        };
        root.Add(Keygen(output, error));
        root.Add(Export(output));
        root.Add(Asking("status", "How the appliance does; ends with 1 where it is not ready.", c => c.JsonAsync(HttpMethod.Get, "/admin/v1/status"), answer => Show.Status(output, answer), output));
        root.Add(Asking("teams", "Teams, their sizes and limits.", c => PagesAsync(c, "teams"), answer => Show.Teams(output, answer), output));
        root.Add(Asking("users", "People, and how they sign in.", c => PagesAsync(c, "users"), answer => Show.Users(output, answer), output));
        root.Add(Quota(output));
        root.Add(new Command("config", "The configuration.")
        {
            Asking("check", "Whether it works; ends with 1 where something does not.", c => c.JsonAsync(HttpMethod.Get, "/admin/v1/config"), answer => Show.Config(output, answer), output),
        });
        root.Add(Ledger(output));
        root.Add(Errors(output));
        root.Add(BreakGlass(output));
        root.Add(Keys(output));

        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var problem in parsed.Errors)
            {
                await error.WriteLineAsync(Printable.Line(problem.Message));
            }
            await error.WriteLineAsync("appliancectl --help says how.");
            return ExitCodes.Misused;
        }
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, Output = output, Error = error });
        }
        catch (CommandException e)
        {
            await error.WriteLineAsync(e.Message);
            return e.Code;
        }
    }

    private static Command Keygen(TextWriter output, TextWriter error)
    {
        var name = new Argument<string>("name") { Description = "What the list of keys and the ledger call you." };
        var file = new Option<string?>("--out", "-o") { Description = "The key's file. By default that of --key." };
        var actions = new Option<string>("--actions") { Description = "What the printed line permits.", DefaultValueFactory = _ => "status" };
        var command = new Command("keygen", "Makes a private key, and prints the line that allows it.") { name, file, actions };
        command.SetAction(parsed =>
        {
            var who = parsed.GetValue(name)!;
            if (!Names().IsMatch(who))
            {
                throw new CommandException(ExitCodes.Misused, "A name has 1 to 64 letters, digits, and . _ - @.");
            }
            var target = parsed.GetValue(file) ?? Target.Find(null, parsed.GetValue(s_key), null, parsed.GetValue(s_settings)).Key;
            var line = KeyFile.Make(target, who, parsed.GetValue(actions)!);
            error.WriteLine($"The private key is in '{target}'. It stays with you; this line goes into the appliance's list of keys, with the actions that you are to have:");
            output.WriteLine(line);
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Export(TextWriter output)
    {
        var name = new Argument<string>("name") { Description = "What the browser calls it." };
        var file = new Argument<string>("file") { Description = "The PKCS #12 file to make." };
        var password = new Option<string>("--password-file") { Description = "A file with the password that the browser will ask for.", Required = true };
        var command = new Command("export", "Puts the key into a file that a browser takes in.") { name, file, password };
        command.SetAction(parsed =>
        {
            var target = Target.Find(null, parsed.GetValue(s_key), null, parsed.GetValue(s_settings));
            string secret;
            try
            {
                secret = File.ReadAllText(parsed.GetValue(password)!).TrimEnd('\r', '\n');
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandException(ExitCodes.Misused, "The password's file cannot be read.");
            }
            if (secret.Length < 12)
            {
                throw new CommandException(ExitCodes.Misused, "The password must have 12 characters or more: whoever has file and password is you.");
            }
            if (!Names().IsMatch(parsed.GetValue(name)!))
            {
                throw new CommandException(ExitCodes.Misused, "A name has 1 to 64 letters, digits, and . _ - @.");
            }
            KeyFile.Export(target.Key, parsed.GetValue(name)!, parsed.GetValue(file)!, secret);
            output.WriteLine($"'{parsed.GetValue(file)}' is made. Take it in to the browser, then delete it.");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Quota(TextWriter output)
    {
        var team = new Argument<string>("team") { Description = "The team's reference." };
        var show = Asking("show", "What a team stores and may store.", (c, parsed) => c.JsonAsync(HttpMethod.Get, Of(parsed, team)), answer => Show.Quota(output, answer), output);
        show.Add(team);
        var bytes = new Option<string?>("--bytes") { Description = "A number, with KiB, MiB, GiB or TiB behind it if you like; none; or default." };
        var files = new Option<string?>("--files") { Description = "A number; none; or default." };
        var set = Asking("set", "Changes what a team may store.", (c, parsed) =>
        {
            var change = new Dictionary<string, string>(StringComparer.Ordinal);
            Put(change, "bytes", parsed.GetValue(bytes), sizes: true);
            Put(change, "files", parsed.GetValue(files), sizes: false);
            return change.Count == 0
                ? throw new CommandException(ExitCodes.Misused, "Say what to change: --bytes, --files or both.")
                : c.JsonAsync(HttpMethod.Put, Of(parsed, team), JsonSerializer.Serialize(change));
        }, answer => Show.Quota(output, answer), output);
        set.Add(team);
        set.Add(bytes);
        set.Add(files);
        return new Command("quota", "What a team may store.") { show, set };

        static string Of(ParseResult parsed, Argument<string> team) => $"/admin/v1/teams/{Uri.EscapeDataString(parsed.GetValue(team)!)}/quota";
    }

    private static void Put(Dictionary<string, string> change, string name, string? text, bool sizes)
    {
        if (text is null)
        {
            return;
        }
        change[name] = text is "none" or "default" ? text
            : Number(text, sizes)?.ToString(CultureInfo.InvariantCulture) ?? throw new CommandException(ExitCodes.Misused, $"--{name} is '{Printable.Line(text)}'; it must be a whole number{(sizes ? " such as 100GiB" : "")}, none or default.");
    }

    private static long? Number(string text, bool sizes)
    {
        var match = sizes ? Sizes().Match(text) : Counts().Match(text);
        var shift = match.Groups["unit"].Value switch { "KiB" => 10, "MiB" => 20, "GiB" => 30, "TiB" => 40, _ => 0 };
        return match.Success && long.TryParse(match.Groups["number"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= (1L << 50) >> shift ? number << shift : null;
    }

    private static Command Ledger(TextWriter output)
    {
        var tree = new Option<string?>("--tree") { Description = "One tree alone: a team's reference, or appliance." };
        var verify = Asking("verify", "Recomputes the ledger; ends with 1 where it was tampered with.",
            (c, parsed) => c.JsonAsync(HttpMethod.Post, "/admin/v1/ledger/verify" + (parsed.GetValue(tree) is { } one ? "?tree=" + Uri.EscapeDataString(one) : "")), answer => Show.Ledger(output, answer), output);
        verify.Add(tree);
        var heads = new Command("heads", "Prints the signed head of every tree. Keep them on another machine.");
        heads.SetAction(async (parsed, _) =>
        {
            using var connection = Connect(parsed);
            await output.WriteAsync(await connection.TextAsync(HttpMethod.Get, "/admin/v1/ledger/heads"));
            return ExitCodes.Done;
        });
        return new Command("ledger", "The tamper-evident ledger.") { verify, heads, LedgerFiles.Export(Connect), LedgerFiles.VerifyExport(output, s_json), LedgerFiles.VerifyProof(output, s_json) };
    }

    private static Command Errors(TextWriter output)
    {
        var all = new Option<bool>("--all") { Description = "Closed ones, too." };
        var given = new Option<string?>("--reference") { Description = "The one that a person was given." };
        var list = Asking("list", "Errors by kind and place, the last seen first.",
            (c, parsed) => c.JsonAsync(HttpMethod.Get, $"/admin/v1/errors?all={(parsed.GetValue(all) ? "true" : "false")}{(parsed.GetValue(given) is { } one ? "&reference=" + Uri.EscapeDataString(one) : "")}"),
            answer => Show.Errors(output, answer), output);
        list.Add(all);
        list.Add(given);
        var group = new Argument<string>("reference") { Description = "What the list calls it." };
        var close = new Command("close", "Closes one, until it happens again.") { group };
        close.SetAction(async (parsed, _) =>
        {
            using var connection = Connect(parsed);
            await connection.TextAsync(HttpMethod.Post, $"/admin/v1/errors/{Uri.EscapeDataString(parsed.GetValue(group)!)}/close");
            return ExitCodes.Done;
        });
        return new Command("errors", "Errors that people were given a reference for.") { list, close };
    }

    private static Command Keys(TextWriter output)
    {
        var team = new Argument<string>("team") { Description = "The team's reference." };
        var one = Rotation("team", "One team's key.", parsed => $"teams/{Uri.EscapeDataString(parsed.GetValue(team)!)}");
        one.Add(team);
        return new Command("keys", "Re-keying.")
        {
            Asking("status", "How the keys stand; ends with 1 where something is in the way.", c => c.JsonAsync(HttpMethod.Get, "/admin/v1/keys"), answer => Show.Keys(output, answer), output),
            new Command("rotate", "Asks for a new key, which takes the old one's place in the background.")
            {
                Rotation("appliance", "The appliance's own key.", _ => "appliance"), one, Rotation("teams", "Every team's key.", _ => "teams"),
            },
        };

        Command Rotation(string name, string description, Func<ParseResult, string> of) =>
            Asking(name, description, (c, parsed) => c.JsonAsync(HttpMethod.Post, $"/admin/v1/keys/{of(parsed)}/rotate"), answer => Show.Rotation(output, answer), output);
    }

    private static Command Asking(string name, string description, Func<Connection, Task<JsonElement>> ask, Func<JsonElement, int> show, TextWriter output) =>
        Asking(name, description, (connection, _) => ask(connection), show, output);

    private static Command Asking(string name, string description, Func<Connection, ParseResult, Task<JsonElement>> ask, Func<JsonElement, int> show, TextWriter output)
    {
        var command = new Command(name, description);
        command.SetAction(async (parsed, _) =>
        {
            using var connection = Connect(parsed);
            var answer = await ask(connection, parsed);
            if (!parsed.GetValue(s_json))
            {
                return show(answer);
            }
            await output.WriteLineAsync(answer.GetRawText());
            return Show.Code(answer);
        });
        return command;
    }

    private static Connection Connect(ParseResult parsed) =>
        new(Target.Find(parsed.GetValue(s_server), parsed.GetValue(s_key), parsed.GetValue(s_authority), parsed.GetValue(s_settings)));

    /// <summary>All pages as one answer.</summary>
    private static async Task<JsonElement> PagesAsync(Connection connection, string what)
    {
        var all = new List<JsonElement>();
        string? next = null;
        do
        {
            var page = await connection.JsonAsync(HttpMethod.Get, $"/admin/v1/{what}" + (next is null ? "" : "?after=" + Uri.EscapeDataString(next)));
            all.AddRange(page.GetProperty(what).EnumerateArray());
            next = page.GetProperty("next").GetString();
        }
        while (next is not null);
        return JsonSerializer.SerializeToElement(new Dictionary<string, List<JsonElement>>(StringComparer.Ordinal) { [what] = all });
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Names();

    [GeneratedRegex(@"\A(?<number>[0-9]{1,16})(?<unit>KiB|MiB|GiB|TiB)?\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Sizes();

    [GeneratedRegex(@"\A(?<number>[0-9]{1,16})\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Counts();
}
