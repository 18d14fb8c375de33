using System.Globalization;
using System.Text.Json;

namespace Appliance.Cli;

/// <summary>Answers as people read them. Each answers the exit code.</summary>
internal static class Show
{
    private static readonly string[] s_wells = ["ready", "ok", "intact"];

    /// <summary>What an answer says of itself: ready, ok, intact; where it says none of it, it is well.</summary>
    public static int Code(JsonElement answer) =>
        s_wells.All(name => !answer.TryGetProperty(name, out var said) || said.ValueKind == JsonValueKind.True) ? ExitCodes.Done : ExitCodes.NotWell;

    public static int Status(TextWriter output, JsonElement answer)
    {
        output.WriteLine($"{(answer.GetProperty("ready").GetBoolean() ? "ready" : "NOT READY: " + Text(answer, "missing"))}, version {Text(answer, "version")}, since {Time(answer, "startedAt")}");
        var rows = new List<string[]>();
        if (answer.GetProperty("counts") is { ValueKind: JsonValueKind.Object } counts)
        {
            rows.Add(["teams", Text(counts, "teams")]);
            rows.Add(["people", Text(counts, "people")]);
            rows.Add(["files", $"{Text(counts, "files")}, {Size(counts, "bytes")}"]);
            rows.Add(["database", $"{Size(counts, "databaseBytes")}, schema {Text(counts, "schema")}"]);
            rows.Add(["ledger", $"{Text(counts, "ledgerWaiting")} entries to be sealed{(counts.GetProperty("ledgerWaitingSince").ValueKind == JsonValueKind.Null ? "" : " since " + Time(counts, "ledgerWaitingSince"))}, {Text(answer, "damagedLedgers")} trees damaged"]);
        }
        else
        {
            rows.Add(["database", "does not answer the operators' role"]);
        }
        rows.Add(["disk", $"{Size(answer, "diskFree")} free of {Size(answer, "diskSize")}"]);
        rows.Add(["certificate", "until " + Time(answer, "certificateEnds")]);
        Printable.Table(output, rows);
        return Code(answer);
    }

    public static int Teams(TextWriter output, JsonElement answer)
    {
        Printable.Table(output, [["REFERENCE", "NAME", "MEMBERS", "STORED", "OF", "FILES", "OF", "SINCE"], .. answer.GetProperty("teams").EnumerateArray().Select(team => new[]
        {
            Text(team, "reference"), Text(team, "name"), Text(team, "members"), Size(team, "bytes"), Size(team, "maxBytes"), Text(team, "files"), Text(team, "maxFiles"), Day(team, "createdAt"),
        })]);
        return ExitCodes.Done;
    }

    public static int Users(TextWriter output, JsonElement answer)
    {
        Printable.Table(output, [["USERNAME", "TEAMS", "KEYS", "APP", "OWNER", "SINCE", "LAST SEEN"], .. answer.GetProperty("users").EnumerateArray().Select(user => new[]
        {
            Text(user, "username"), Text(user, "teams"), Text(user, "keys"), YesNo(user, "app"), YesNo(user, "owner"), Day(user, "createdAt"), Day(user, "lastSeenAt"),
        })]);
        return ExitCodes.Done;
    }

    public static int Quota(TextWriter output, JsonElement team)
    {
        Printable.Table(output,
        [
            ["team", $"{Text(team, "name")} ({Text(team, "reference")})"],
            ["stored", $"{Size(team, "bytes")} of {Limit(Size(team, "maxBytes"), team, "bytesByDefault")}"],
            ["files", $"{Text(team, "files")} of {Limit(Text(team, "maxFiles"), team, "filesByDefault")}"],
        ]);
        return ExitCodes.Done;
    }

    public static int Config(TextWriter output, JsonElement answer)
    {
        Printable.Table(output, [.. answer.GetProperty("checks").EnumerateArray().Select(point => new[] { point.GetProperty("ok").GetBoolean() ? "ok" : "WRONG", Text(point, "check"), Text(point, "detail") })]);
        return Code(answer);
    }

    public static int Ledger(TextWriter output, JsonElement answer)
    {
        foreach (var tree in answer.GetProperty("trees").EnumerateArray())
        {
            output.WriteLine($"{Text(tree, "tree")}: {(tree.GetProperty("intact").GetBoolean() ? "intact" : "DAMAGED")}. {Text(tree, "sealed")} entries sealed under {Text(tree, "heads")} heads, {Text(tree, "waiting")} waiting.");
            foreach (var finding in tree.GetProperty("findings").EnumerateArray())
            {
                output.WriteLine("  - " + Printable.Line(finding.GetString()));
            }
            if (tree.GetProperty("moreFindings").GetInt64() is > 0 and var more)
            {
                output.WriteLine($"  - and {more} more");
            }
        }
        return Code(answer);
    }

    public static int Errors(TextWriter output, JsonElement answer)
    {
        Printable.Table(output, [["REFERENCE", "TIMES", "LAST SEEN", "KIND", "PLACE", "GIVEN", "CLOSED"], .. answer.GetProperty("errors").EnumerateArray().Select(error => new[]
        {
            Text(error, "reference"), Text(error, "count"), Time(error, "lastAt"), Text(error, "kind"), Text(error, "place"),
            string.Join(' ', error.GetProperty("latest").EnumerateArray().Take(3).Select(given => Printable.Line(given.GetString()))), Day(error, "closedAt"),
        })]);
        return ExitCodes.Done;
    }

    public static int Grants(TextWriter output, JsonElement answer)
    {
        Printable.Table(output, [["ID", "TEAM", "NAME", "OPERATOR", "STATE", "ASKED", "APPROVABLE", "ENDS", "READ", "REASON"], .. answer.GetProperty("grants").EnumerateArray().Select(grant => new[]
        {
            Text(grant, "reference"), Text(grant, "team"), Text(grant, "teamName"), Text(grant, "operator"), Text(grant, "state"), Time(grant, "askedAt"), Time(grant, "approvableAt"),
            Time(grant, "endsAt"), Text(grant, "downloads"), Text(grant, "reason"),
        })]);
        return ExitCodes.Done;
    }

    public static int Grant(TextWriter output, JsonElement grant)
    {
        Printable.Table(output,
        [
            ["id", Text(grant, "reference")],
            ["team", $"{Text(grant, "teamName")} ({Text(grant, "team")})"],
            ["state", Text(grant, "state")],
            ["approvable", "from " + Time(grant, "approvableAt")],
            ["ends", Time(grant, "endsAt")],
        ]);
        return ExitCodes.Done;
    }

    public static int Files(TextWriter output, JsonElement answer)
    {
        Printable.Table(output, [["REFERENCE", "KIND", "SIZE", "CHANGED", "NAME"], .. answer.GetProperty("files").EnumerateArray().Select(file => new[]
        {
            Text(file, "reference"), Text(file, "kind"), Size(file, "size"), Time(file, "modifiedAt"), Text(file, "name"),
        })]);
        return ExitCodes.Done;
    }

    public static int Keys(TextWriter output, JsonElement answer)
    {
        var keys = answer.GetProperty("keys");
        Printable.Table(output,
        [
            ["appliance key", $"{Text(keys, "applianceKey")}, older ones kept under it: {Text(keys, "kept")}"],
            ["team keys", $"{Text(keys, "teamKeys")}: under an older appliance key {Text(keys, "underOlder")}, with older generations {Text(keys, "withOlder")}, damaged {Text(keys, "damaged")}"],
        ]);
        if (answer.GetProperty("rotations").GetArrayLength() > 0)
        {
            output.WriteLine();
            Printable.Table(output, [["KEY", "STAGE", "BY", "STARTED", "REWRAPPED", "NEXT", "FINISHED", "SEALED ANEW", "PROBLEM"], .. answer.GetProperty("rotations").EnumerateArray().Select(one => new[]
            {
                Text(one, "team") is var team && team == "-" ? "appliance" : team, Text(one, "stage"), Text(one, "askedBy"), Time(one, "startedAt"), Time(one, "rewrappedAt"),
                Text(one, "stage") == "keeping" ? Time(one, "nextAt") : "-", Time(one, "finishedAt"), Text(one, "rewrapped"), Text(one, "problem"),
            })]);
        }
        return Code(answer);
    }

    public static int Rotation(TextWriter output, JsonElement answer)
    {
        output.WriteLine($"Asked for: {Text(answer, "asked")}. It begins within seconds; \"keys status\" shows how far it is. Then make a new copy of the key folder.");
        return ExitCodes.Done;
    }

    private static string Limit(string limit, JsonElement team, string byDefault) =>
        (limit == "-" ? "any" : limit) + (team.GetProperty(byDefault).GetBoolean() ? " (the appliance's default)" : "");

    private static string Text(JsonElement of, string name) => of.GetProperty(name) is { ValueKind: not JsonValueKind.Null } value ? Printable.Line(value.ToString()) : "-";

    private static string Size(JsonElement of, string name) => Printable.Size(of.GetProperty(name) is { ValueKind: JsonValueKind.Number } number ? number.GetInt64() : null);

    private static string YesNo(JsonElement of, string name) => of.GetProperty(name).GetBoolean() ? "yes" : "no";

    private static string Day(JsonElement of, string name) => Written(of, name, "yyyy-MM-dd");

    private static string Time(JsonElement of, string name) => Written(of, name, "yyyy-MM-dd HH:mm:ss 'UTC'");

    private static string Written(JsonElement of, string name, string format) =>
        of.GetProperty(name) is { ValueKind: JsonValueKind.String } time ? time.GetDateTimeOffset().ToUniversalTime().ToString(format, CultureInfo.InvariantCulture) : "-";
}
