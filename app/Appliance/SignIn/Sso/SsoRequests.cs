using System.Text.Json;
using Appliance.Data;
using Appliance.Saml;

namespace Appliance.SignIn.Sso;

/// <summary>A request that a browser was sent to the identity provider with.</summary>
public sealed record SsoRequest(Guid Id, string Reference, string RequestId, string Purpose, Guid? UserId, string ReturnPath, string? Outcome)
{
    public const string SignIn = "sign-in";
    public const string Test = "test";
    public const string Link = "link";
}

/// <summary>What a test or a link brought back, for its person to look at.</summary>
public sealed record SsoOutcome
{
    /// <summary>Why the answer was refused; null: it was good.</summary>
    public string? Problem { get; init; }

    public string? Refusal { get; init; }

    public string? Issuer { get; init; }

    public string? NameId { get; init; }

    public string? Email { get; init; }

    public string? Username { get; init; }

    public string? Role { get; init; }

    public string? Context { get; init; }

    public IReadOnlyDictionary<string, IReadOnlyList<string>> Attributes { get; init; } = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);

    internal string ToJson() => JsonSerializer.Serialize(this);

    internal static SsoOutcome? FromJson(string? json) => json is null ? null : JsonSerializer.Deserialize<SsoOutcome>(json);
}

/// <summary>
/// Requests, each bound to the browser that it was made in by a cookie of its own. The answer comes from another site by POST, so this one
/// cookie is SameSite=None: it names a browser and signs nobody in.
/// </summary>
public sealed class SsoRequests(TimeProvider clock)
{
    public const string Cookie = "__Host-appliance-sso";

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    /// <summary>Keeps the request and binds it to the browser. In the caller's transaction.</summary>
    public async Task AddAsync(TeamSession session, AuthnRequest request, string purpose, UserId? person, string returnPath, HttpContext http, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        await session.ExecuteAsync($"delete from saml_requests where team_id = app_team() and expires_at <= {now}", ct);
        // A second tab shares the browser's token, so both can come to their end.
        var token = http.Request.Cookies[Cookie] is { } own && Token.HashOf(own) is not null ? own : Token.New();
        await session.ExecuteAsync(
            $"""
            insert into saml_requests (id, team_id, reference, request_id, browser_hash, purpose, user_id, return_path, created_at, expires_at)
            values ({Guid.CreateVersion7(now)}, app_team(), {Reference.New()}, {request.Id}, {Token.Hash(token)}, {purpose}, {person?.Value}::uuid, {returnPath}, {now}, {now + Lifetime})
            """, ct);
        http.Response.Cookies.Append(Cookie, token, new CookieOptions
        {
            Secure = true,
            HttpOnly = true,
            SameSite = SameSiteMode.None,
            Path = "/",
            MaxAge = Lifetime,
            IsEssential = true,
        });
    }

    /// <summary>The browser's own request that waits under this id, and takes it: of two answers at once, one is looked at. Null: there is none.</summary>
    public async Task<SsoRequest?> TakeAsync(TeamSession session, string requestId, HttpContext http, CancellationToken ct)
    {
        if (SessionCookie.Read(http, Cookie) is not { } browser)
        {
            return null;
        }
        var now = clock.GetUtcNow();
        return (await session.SqlAsync<SsoRequest>(
            $"""
            select id as "Id", reference as "Reference", request_id as "RequestId", purpose as "Purpose", user_id as "UserId", return_path as "ReturnPath", outcome as "Outcome"
            from saml_requests
            where team_id = app_team() and request_id = {requestId} and browser_hash = {browser} and expires_at > {now} and answered_at is null for update
            """, ct)).SingleOrDefault();
    }

    public Task AnswerAsync(TeamSession session, SsoRequest request, SsoOutcome? outcome, CancellationToken ct) => session.ExecuteAsync(
        $"update saml_requests set answered_at = {clock.GetUtcNow()}, outcome = {outcome?.ToJson()} where team_id = app_team() and id = {request.Id}", ct);

    /// <summary>What came back to a person's own test or link.</summary>
    public async Task<SsoRequest?> FindAsync(TeamSession session, string? reference, UserId person, CancellationToken ct) => Reference.IsWellFormed(reference)
        ? (await session.SqlAsync<SsoRequest>(
            $"""
            select id as "Id", reference as "Reference", request_id as "RequestId", purpose as "Purpose", user_id as "UserId", return_path as "ReturnPath", outcome as "Outcome"
            from saml_requests
            where team_id = app_team() and reference = {reference} and user_id = {person.Value} and expires_at > {clock.GetUtcNow()} and outcome is not null
            """, ct)).SingleOrDefault()
        : null;

    public static Task RemoveAsync(TeamSession session, SsoRequest request, CancellationToken ct) =>
        session.ExecuteAsync($"delete from saml_requests where team_id = app_team() and id = {request.Id}", ct);
}
