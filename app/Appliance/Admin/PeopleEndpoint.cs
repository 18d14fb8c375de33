using Appliance.Web.Api;

namespace Appliance.Admin;

/// <summary>Who has an account, and how well it is guarded. Nothing by which one could sign in as them or write to them.</summary>
internal static class PeopleEndpoint
{
    private const int PageSize = 200;

    private const int LongestName = 256;

    public static void MapPeople(this IEndpointRouteBuilder admin) => admin.MapGet("/users", ListAsync).Does(AdminActions.Users);

    private static async Task<IResult> ListAsync(HttpContext context, OperatorWork work, string? after)
    {
        if (after is { Length: > LongestName } || after?.Contains('\0', StringComparison.Ordinal) == true)
        {
            return ApiProblem.Refused(context, StatusCodes.Status400BadRequest, "no-name", "'after' is what the page before said as 'next'.");
        }
        var rows = await work.LookAsync<Row>(context, "users", $"""
            select username as "Username", username_key as "UsernameKey", created_at as "CreatedAt", owner as "Owner", teams as "Teams", keys as "Keys", app as "App",
                   last_seen_at as "LastSeenAt" from operator_people({after ?? ""}, {PageSize + 1})
            """);
        var more = rows.Count > PageSize;
        var page = more ? rows[..PageSize] : rows;
        return TypedResults.Ok(new PeoplePage(
            [.. page.Select(row => new Person(row.Username, row.CreatedAt, row.Owner, row.Teams, row.Keys, row.App, row.LastSeenAt))], more ? page[^1].UsernameKey : null));
    }

    private sealed record Row(string Username, string UsernameKey, DateTimeOffset CreatedAt, bool Owner, long Teams, long Keys, bool App, DateTimeOffset? LastSeenAt);

    private sealed record PeoplePage(IReadOnlyList<Person> Users, string? Next);

    /// <param name="Username">Theirs.</param>
    /// <param name="CreatedAt">When the account was made.</param>
    /// <param name="Owner">May let further people in.</param>
    /// <param name="Teams">How many teams they are in.</param>
    /// <param name="Keys">Security keys.</param>
    /// <param name="App">Has an authenticator app.</param>
    /// <param name="LastSeenAt">The last use of a session that is still open or was not swept away yet; null: there is none.</param>
    private sealed record Person(string Username, DateTimeOffset CreatedAt, bool Owner, long Teams, long Keys, bool App, DateTimeOffset? LastSeenAt);
}
