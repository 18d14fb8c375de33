using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Appliance.Vault;

namespace Appliance.Cli;

/// <summary>
/// The ledger as files: exporting the appliance's own tree, and verifying exports and proofs of any, which needs no server (docs/ledger-format.md).
/// </summary>
internal static class LedgerFiles
{
    private const int MostHeads = 16 << 20;

    public static Command Export(Func<ParseResult, Connection> connect)
    {
        var file = new Argument<string>("file") { Description = "Where to. If an export is there already, it goes on where that one ended or was interrupted." };
        var command = new Command("export", "Copies the appliance's own tree into a file that can be verified anywhere.") { file };
        command.SetAction(async (parsed, _) =>
        {
            try
            {
                await using var to = new FileStream(parsed.GetValue(file)!, new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                });
                var next = Resume(to);
                using var connection = connect(parsed);
                await connection.CopyAsync("/admin/v1/ledger/export?from=" + next.ToString(CultureInfo.InvariantCulture), to);
                return ExitCodes.Done;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandException(ExitCodes.Misused, $"'{parsed.GetValue(file)}' cannot be written.");
            }
        });
        return command;
    }

    public static Command VerifyExport(TextWriter output, Option<bool> json)
    {
        var (file, keys) = (File("An export; or several, one after the other."), Keys());
        var heads = new Option<string?>("--heads") { Description = "Heads that were kept elsewhere ('ledger heads'): the export must hold what they were signed over." };
        var command = new Command("verify-export", "Verifies an export without a server; ends with 1 where it was changed, with 6 where no key was named to compare with.") { file, keys, heads };
        command.SetAction(parsed =>
        {
            var (trusted, kept) = (Trusted(parsed.GetValue(keys)!), Heads(parsed.GetValue(heads)));
            return Say(output, parsed.GetValue(json), Read(parsed.GetValue(file)!, stream => OfflineVerification.Export(stream, trusted, kept)));
        });
        return command;
    }

    public static Command VerifyProof(TextWriter output, Option<bool> json)
    {
        var (file, keys) = (File("The proof of one entry."), Keys());
        var command = new Command("verify-proof", "Verifies the proof of one entry without a server; ends as verify-export does.") { file, keys };
        command.SetAction(parsed =>
        {
            var trusted = Trusted(parsed.GetValue(keys)!);
            return Say(output, parsed.GetValue(json), Read(parsed.GetValue(file)!, stream => OfflineVerification.Proof(stream, trusted)));
        });
        return command;
    }

    private static Argument<string> File(string description) => new("file") { Description = description };

    private static Option<string[]> Keys() => new("--signed-by") { Description = "The key that must have signed: its id (64 hexadecimal digits) or a file with the public key in PEM. May be repeated." };

    private static T Read<T>(string file, Func<Stream, T> read)
    {
        try
        {
            using var stream = System.IO.File.OpenRead(file);
            return read(stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Misused, $"'{file}' cannot be read.");
        }
    }

    /// <summary>Cuts off a line that was begun, stands at the end, and answers which entry is next.</summary>
    private static long Resume(FileStream file)
    {
        try
        {
            var (next, end) = OfflineVerification.Resume(file);
            file.SetLength(end);
            file.Position = end;
            return next;
        }
        catch (FormatException)
        {
            throw new CommandException(ExitCodes.Misused, $"'{file.Name}' holds something else than an export of the appliance's own tree. It is left as it is.");
        }
    }

    private static string[] Trusted(string[] named) => [.. named.Select(key =>
    {
        if (key.Length == 64 && key.All(char.IsAsciiHexDigit))
        {
            return key.ToLowerInvariant();
        }
        try
        {
            using var read = ECDsa.Create();
            read.ImportFromPem(Read(key, Text));
            return Convert.ToHexStringLower(SHA256.HashData(read.ExportSubjectPublicKeyInfo()));
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new CommandException(ExitCodes.Misused, $"'{key}' is neither a key's id (64 hexadecimal digits) nor a file with a public key in PEM.");
        }
    })];

    private static List<SignedHead> Heads(string? file)
    {
        if (file is null)
        {
            return [];
        }
        try
        {
            return [.. Read(file, Text).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(SignedHead.Parse)];
        }
        catch (FormatException)
        {
            throw new CommandException(ExitCodes.Misused, $"'{file}' is not a list of tree heads as 'ledger heads' prints it.");
        }
    }

    private static string Text(Stream stream)
    {
        if (stream.Length > MostHeads)
        {
            throw new IOException("Too large.");
        }
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static int Say(TextWriter output, bool json, OfflineVerdict verdict)
    {
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(new
            {
                intact = verdict.Intact, keyKnown = verdict.Key == KeyStanding.Known, what = verdict.What, tree = verdict.Tree, size = verdict.Size, signedAt = verdict.SignedAt,
                key = verdict.KeyId, index = verdict.Index, line = verdict.Line, headsCompared = verdict.Compared,
            }));
        }
        else if (!verdict.Intact)
        {
            output.WriteLine($"WRONG{(verdict.Line is { } line ? $", line {line}" : "")}: {Printable.Line(verdict.What)}");
        }
        else
        {
            output.WriteLine($"{Printable.Line(verdict.What)}: under the head of size {verdict.Size}, signed {verdict.SignedAt:u} by key {verdict.KeyId}{(verdict.Compared > 0 ? $"; {verdict.Compared} heads kept elsewhere fit" : "")}.");
            if (verdict.Entry is { } entry)
            {
                output.WriteLine(Printable.Line($"{entry.At:u} {entry.Action}, by {entry.Actor?.ToString() ?? "nobody"}, of {entry.Subject ?? "-"}, from {entry.Address ?? "-"}: {entry.Details}"));
            }
            if (verdict.Key == KeyStanding.Unknown)
            {
                output.WriteLine("NOT KNOWN: whether that is the appliance's key. Whoever made the file may have made the key. Name the one you know with --signed-by.");
            }
        }
        return !verdict.Intact ? ExitCodes.NotWell : verdict.Key == KeyStanding.Known ? ExitCodes.Done : ExitCodes.Failed;
    }
}
