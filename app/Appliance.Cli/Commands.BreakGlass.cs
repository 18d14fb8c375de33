using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace Appliance.Cli;

/// <summary>Break-glass (docs/break-glass.md): asking a team for its files, approving what another asks, reading what was let.</summary>
internal static partial class Commands
{
    private static Command BreakGlass(TextWriter output)
    {
        var team = new Argument<string>("team") { Description = "The team's reference." };
        var reason = new Option<string>("--reason") { Description = "What the team is to know, in 10 to 200 characters.", Required = true };
        var hours = new Option<int>("--hours") { Description = "For how long, from the answer on: 1 to 24.", DefaultValueFactory = _ => 4 };
        var ask = Asking("ask", "Asks a team's owners to read its files.", (c, parsed) => c.JsonAsync(
            HttpMethod.Post, "/admin/v1/breakglass", JsonSerializer.Serialize(new { team = parsed.GetValue(team), reason = parsed.GetValue(reason), hours = parsed.GetValue(hours) })), answer => Show.Grant(output, answer), output);
        ask.Add(team);
        ask.Add(reason);
        ask.Add(hours);
        return new Command("breakglass", "Reads a team's files in an emergency, if its owner or two operators let it; the team sees it.")
        {
            ask,
            Asking("list", "Who asked which team why, and what came of it.", c => c.JsonAsync(HttpMethod.Get, "/admin/v1/breakglass"), answer => Show.Grants(output, answer), output),
            Changing("approve", "Approves what another operator asks, where no owner of the team answered in time.", output),
            Changing("end", "Ends one at once.", output),
            GrantedFiles(output),
            GrantedContent(output),
        };
    }

    private static Argument<string> Grant() => new("id") { Description = "What 'breakglass list' calls it." };

    private static Command Changing(string verb, string description, TextWriter output)
    {
        var grant = Grant();
        var command = Asking(verb, description, (c, parsed) => c.JsonAsync(HttpMethod.Post, $"{Of(parsed, grant)}/{verb}"), answer => Show.Grant(output, answer), output);
        command.Add(grant);
        return command;
    }

    private static Command GrantedFiles(TextWriter output)
    {
        var grant = Grant();
        var folder = new Option<string?>("--folder") { Description = "A folder's reference; the team's first level without it." };
        var command = Asking("files", "What is in a folder. The team sees that it was listed.", async (c, parsed) =>
        {
            var query = parsed.GetValue(folder) is { } one ? "&folder=" + Uri.EscapeDataString(one) : "";
            var (all, name, next) = (new List<JsonElement>(), "", (string?)null);
            do
            {
                var page = await c.JsonAsync(HttpMethod.Get, $"{Of(parsed, grant)}/files?{(next is null ? "" : "after=" + Uri.EscapeDataString(next))}{query}");
                all.AddRange(page.GetProperty("files").EnumerateArray());
                (name, next) = (page.GetProperty("folder").GetString()!, page.GetProperty("next").GetString());
            }
            while (next is not null);
            return JsonSerializer.SerializeToElement(new { folder = name, files = all });
        }, answer => Show.Files(output, answer), output);
        command.Add(grant);
        command.Add(folder);
        return command;
    }

    private static Command GrantedContent(TextWriter output)
    {
        var grant = Grant();
        var source = new Argument<string>("file") { Description = "What 'breakglass files' calls it." };
        var target = new Argument<string>("out") { Description = "The file to make; never one that is there." };
        var command = new Command("get", "Reads a file. The team sees that it was read.") { grant, source, target };
        command.SetAction(async (parsed, _) =>
        {
            var path = parsed.GetValue(target)!;
            try
            {
                await using var to = new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                });
                try
                {
                    using var connection = Connect(parsed);
                    await connection.CopyAsync($"{Of(parsed, grant)}/files/{Uri.EscapeDataString(parsed.GetValue(source)!)}", to);
                }
                catch
                {
                    File.Delete(path); // half a file is none
                    throw;
                }
                await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"'{Printable.Line(path)}': {Printable.Size(to.Length)}."));
                return ExitCodes.Done;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandException(ExitCodes.Misused, $"'{Printable.Line(path)}' is there already, or cannot be written.");
            }
        });
        return command;
    }

    private static string Of(ParseResult parsed, Argument<string> grant) => "/admin/v1/breakglass/" + Uri.EscapeDataString(parsed.GetValue(grant)!);
}
