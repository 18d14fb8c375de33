using System.Text.Json;
using Appliance.Ledger;
using Appliance.Teams;

namespace Appliance.Files;

/// <summary>
/// Something that happened to an entry, in words: "mara renamed it from “a”". <c>Icon</c>: its picture's name; <c>Token</c>: what the token is called that
/// made the change, null where the person did it in a browser.
/// </summary>
public sealed record ActivityLine(DateTimeOffset At, string Who, string What, string? Detail, string? Token, string Icon)
{
    /// <summary>Newest first, from the team's ledger.</summary>
    internal static async Task<IReadOnlyList<ActivityLine>> ReadAsync(TeamVisit visit, ListedEntry entry, int most, CancellationToken cancellationToken)
    {
        var rows = await visit.Session.SqlAsync<Row>(
            $"""
            select e.at as "At", u.username as "Who", e.action as "Action", e.details::text as "Details"
            from ledger_entries e left join users u on u.id = e.actor
            where e.tree = app_team() and e.subject = (select id::text from entries where team_id = app_team() and reference = {entry.Reference})
            order by e.id desc limit {most}
            """, cancellationToken);
        return [.. rows.Select(InWords)];
    }

    private static ActivityLine InWords(Row row)
    {
        var details = Read(row.Details);
        var (what, detail, icon) = row.Action switch
        {
            "file.uploaded" when details.GetValueOrDefault("version") is { } version and not "1" => ($"uploaded version {version}", null, "upload"),
            "file.uploaded" => ("uploaded it", null, "upload"),
            "folder.created" => ("made the folder", null, "plus"),
            "entry.renamed" => ("renamed it from", details.GetValueOrDefault("from"), "edit"),
            "entry.moved" => ("moved it to", details.GetValueOrDefault("to"), "move"),
            "entry.trashed" => ("moved it to the trash", null, "trash"),
            "entry.restored" => ("restored it from the trash", null, "restore"),
            "version.restored" => (details.GetValueOrDefault("from") is { } from ? $"restored version {from}" : "restored an earlier version", null, "restore"),
            "version.deleted" => (details.GetValueOrDefault("version") is { } gone ? $"deleted version {gone}" : "deleted a version", null, "trash"),
            "break-glass.read" => ("read it, as an operator", null, "info"),
            "break-glass.listed" => ("listed it, as an operator", null, "info"),
            _ => (row.Action.Replace('.', ' '), (string?)null, "info"),
        };
        return new ActivityLine(row.At, row.Who ?? details.GetValueOrDefault(OperatorName.NameDetail) ?? "The appliance", what, detail, details.GetValueOrDefault(TokenName.NameDetail), icon);
    }

    private static Dictionary<string, string?> Read(string details)
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string?>>(details) ?? [];
        }
        catch (JsonException)
        {
            return []; // tampered with: verification names it
        }
    }

    private sealed record Row(DateTimeOffset At, string? Who, string Action, string Details);
}
