using System.Globalization;
using Appliance.Data;
using Appliance.Files;
using Appliance.Ledger;
using Appliance.Web.Api;

namespace Appliance.Admin;

/// <summary>Teams by name and size, and what each may store. What they store is not here.</summary>
internal static class TeamsEndpoints
{
    private const int PageSize = 200;

    public static void MapTeamSizes(this IEndpointRouteBuilder admin)
    {
        admin.MapGet("/teams", ListAsync).Does(AdminActions.Teams);
        admin.MapGet("/teams/{team}/quota", async Task<IResult> (string team, HttpContext context, OperatorWork work, Quota quota) =>
            await FindAsync(context, work, quota, team) is { } found ? TypedResults.Ok(found) : ApiProblem.NothingHere).Does(AdminActions.Teams);
        admin.MapPut("/teams/{team}/quota", ChangeAsync).Does(AdminActions.Quota);
    }

    private static async Task<IResult> ListAsync(HttpContext context, OperatorWork work, Quota quota, string? after)
    {
        if (after is not null && !Reference.IsWellFormed(after))
        {
            return ApiProblem.Refused(context, StatusCodes.Status400BadRequest, "no-reference", "'after' is the reference of a team: what the page before said as 'next'.");
        }
        var rows = await work.LookAsync<Row>(context, "teams", Select(after ?? "", PageSize + 1, null));
        var more = rows.Count > PageSize;
        var page = more ? rows[..PageSize] : rows;
        return TypedResults.Ok(new TeamPage([.. page.Select(row => row.Told(quota))], more ? page[^1].Reference : null));
    }

    private static async Task<IResult> ChangeAsync(string team, QuotaChange change, HttpContext context, OperatorWork work, Quota quota)
    {
        if (!Limit.TryRead(change.Bytes, out var bytes) || !Limit.TryRead(change.Files, out var files) || (bytes is null && files is null))
        {
            return ApiProblem.Refused(context, StatusCodes.Status422UnprocessableEntity, "no-limit", "'bytes' and 'files' are whole numbers, 'none' or 'default', and one of the two must be there.");
        }
        if (!Reference.IsWellFormed(team))
        {
            return ApiProblem.NothingHere;
        }
        var details = OperatorWork.Details([.. new[] { ("bytes", change.Bytes), ("files", change.Files) }.Where(d => d.Item2 is not null)]);
        // Twice: the team's own ledger tells its members, the appliance's who did what.
        var told = LedgerAppend.PrepareForAppliance(new LedgerEvent("quota.changed", null, details), OperatorWork.OriginOf(context));
        var done = await work.DoAsync(context, new LedgerEvent("operator.quota-changed", team, details), async session =>
            (await session.SqlAsync<bool>(
                $"""
                select operator_set_quota({team}, {bytes is not null}, {bytes?.Value}::bigint, {files is not null}, {files?.Value}::bigint,
                    {told.Id}, {told.At}, {told.Address}, {told.Details}) as "Value"
                """, context.RequestAborted)).Single());
        return done && await FindAsync(context, work, quota, team) is { } found ? TypedResults.Ok(found) : ApiProblem.NothingHere;
    }

    private static async Task<TeamSize?> FindAsync(HttpContext context, OperatorWork work, Quota quota, string team) =>
        Reference.IsWellFormed(team) ? (await work.LookAsync<Row>(context, "quota", Select("", 1, team))).SingleOrDefault()?.Told(quota) : null;

    private static FormattableString Select(string after, int most, string? only) => $"""
        select reference as "Reference", name as "Name", created_at as "CreatedAt", members as "Members", bytes as "Bytes", files as "Files",
               max_bytes as "MaxBytes", max_files as "MaxFiles" from operator_teams({after}, {most}, {only})
        """;

    private sealed record Row(string Reference, string Name, DateTimeOffset CreatedAt, long Members, long Bytes, long Files, long? MaxBytes, long? MaxFiles)
    {
        public TeamSize Told(Quota quota)
        {
            var (bytes, files) = quota.Limits(MaxBytes, MaxFiles);
            return new TeamSize(Reference, Name, CreatedAt, Members, Bytes, Files, bytes, files, MaxBytes is null, MaxFiles is null);
        }
    }

    private sealed record TeamPage(IReadOnlyList<TeamSize> Teams, string? Next);

    /// <param name="Reference">What the team is called outside.</param>
    /// <param name="Name">What its people call it.</param>
    /// <param name="CreatedAt">When it was made.</param>
    /// <param name="Members">How many people are in it.</param>
    /// <param name="Bytes">Stored, every version and the trash included; what uploads have announced is not.</param>
    /// <param name="Files">Stored, likewise.</param>
    /// <param name="MaxBytes">Null: no limit.</param>
    /// <param name="MaxFiles">Null: no limit.</param>
    /// <param name="BytesByDefault">The limit is the appliance's, not the team's own.</param>
    /// <param name="FilesByDefault">Likewise.</param>
    private sealed record TeamSize(
        string Reference, string Name, DateTimeOffset CreatedAt, long Members, long Bytes, long Files, long? MaxBytes, long? MaxFiles, bool BytesByDefault, bool FilesByDefault);

    /// <summary>Each a whole number, <c>none</c>, <c>default</c>, or absent: as it is.</summary>
    private sealed record QuotaChange(string? Bytes = null, string? Files = null);

    private sealed record Limit(long? Value)
    {
        public static bool TryRead(string? text, out Limit? limit)
        {
            limit = text switch
            {
                null => null,
                "default" => new Limit((long?)null),
                "none" => new Limit(Quota.Unlimited),
                _ => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= 1L << 50 ? new Limit(number) : null,
            };
            return text is null || limit is not null;
        }
    }
}
