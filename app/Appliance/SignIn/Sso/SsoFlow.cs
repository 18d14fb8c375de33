using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Saml;
using Appliance.SignIn.Policy;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.SignIn.Sso;

/// <summary>Where the browser goes next: an address of ours, or the sentence that it is shown instead.</summary>
internal sealed record SsoAnswer(string? Address, string? Problem = null);

/// <summary>What the browser is sent to the identity provider with.</summary>
/// <param name="Address">Where to.</param>
/// <param name="Form">The field SAMLRequest of a form that posts there; null: the address says it all.</param>
internal sealed record SsoDeparture(string Address, string? Form)
{
    /// <summary>The page whose form leads to the provider; it says so in the response's policy.</summary>
    public string Page(HttpResponse response)
    {
        response.Headers.ContentSecurityPolicy = ResponseHeaders.FormsMayLeadTo(new Uri(Address));
        return $"""
            <!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Sign in · Appliance</title><script type="module" src="/js/sso-post.js"></script></head>
            <body><main><h1>Sign in</h1><p>You go on to your organisation’s sign-in.</p><form method="post" action="{HtmlEncoder.Default.Encode(Address)}" data-sso><input type="hidden" name="SAMLRequest" value="{Form}"><button type="submit">Continue</button></form></main></body></html>
            """;
    }
}

/// <summary>
/// To the identity provider and back (docs/saml.md). What an answer does depends on what was asked in this browser: it signs in, or it waits for the person
/// who tests or links to look at it. An answer to nothing signs nobody in: where the team allows it, it makes the browser ask.
/// </summary>
internal sealed class SsoFlow(
    Database database, Settings settings, SsoKeys keys, SsoRequests requests, SsoPeople people, Sessions sessions, SignInSettings signIn, TimeProvider clock)
{
    public const string NotStartedHere = "This sign-in was not started in this browser, or it took more than ten minutes. Nothing was changed. Open the team's sign-in address again.";

    /// <summary>The team of a sign-in address; null: there is none, or it has no connection.</summary>
    public async Task<TeamId?> FindAsync(string? reference, CancellationToken ct)
    {
        if (!Reference.IsWellFormed(reference))
        {
            return null;
        }
        await using var session = await database.ForApplianceAsync(ct);
        return await session.SqlAsync<Guid?>($"""select app_sso_team({reference}) as "Value" """, ct) is [{ } id] ? new TeamId(id) : null;
    }

    /// <summary>A request of this browser. Null: the team does not sign anybody in this way (yet).</summary>
    public async Task<SsoDeparture?> LeaveAsync(TeamId team, string reference, string purpose, UserId? person, string? returnPath, HttpContext http, CancellationToken ct)
    {
        await using var session = await database.ForJobAsync(team, ct);
        if (await session.ConnectionAsync(ct) is not { HasProvider: true } connection || (purpose != SsoRequest.Test && !connection.IsBinding))
        {
            return null;
        }
        var addresses = SsoAddresses.Of(settings.Origin, reference);
        var request = AuthnRequest.Create(connection.SignOnUrl!, addresses.EntityId, addresses.Acs, clock.GetUtcNow());
        await requests.AddAsync(session, request, purpose, person, Within(reference, returnPath), http, ct);
        var own = await keys.OpenAsync(session, ct);
        try
        {
            var departure = connection.IsRedirect
                ? new SsoDeparture(request.ToRedirect(own[0], null), null)
                : new SsoDeparture(connection.SignOnUrl!, request.ToPost(own[0]));
            await session.CommitAsync(ct);
            return departure;
        }
        finally
        {
            Dispose(own);
        }
    }

    /// <summary>Where the team's members are sent; null: nowhere (yet).</summary>
    public async Task<Uri?> ProviderAsync(TeamId team, CancellationToken ct)
    {
        await using var session = await database.ForJobAsync(team, ct);
        return await session.ConnectionAsync(ct) is { HasProvider: true, IsBinding: true } connection ? new Uri(connection.SignOnUrl!) : null;
    }

    public async Task<byte[]?> MetadataAsync(TeamId team, string reference, CancellationToken ct)
    {
        await using var session = await database.ForJobAsync(team, ct);
        var own = await keys.OpenAsync(session, ct);
        try
        {
            var addresses = SsoAddresses.Of(settings.Origin, reference);
            return own.Count == 0 ? null : SpMetadata.Write(addresses.EntityId, addresses.Acs, own);
        }
        finally
        {
            Dispose(own);
        }
    }

    /// <summary>An answer that a browser brought.</summary>
    public async Task<SsoAnswer> ReceiveAsync(TeamId team, string reference, string? encoded, HttpContext http, CancellationToken ct)
    {
        SamlResponse response;
        try
        {
            response = SamlResponse.Parse(encoded);
        }
        catch (SamlRefusedException)
        {
            // Anybody can send this; it leaves no trace but in the log.
            return new SsoAnswer(null, "What came from the identity provider cannot be read. Nothing was changed. Open the team's sign-in address again.");
        }
        await using var session = await database.ForJobAsync(team, ct);
        if (await session.ConnectionAsync(ct) is not { HasProvider: true } connection)
        {
            return new SsoAnswer(null, NotStartedHere);
        }
        var request = response.ClaimedInResponseTo is { } claimed ? await requests.TakeAsync(session, claimed, http, ct) : null;
        if (request is null && (response.ClaimedInResponseTo is not null || !connection.IdpInitiated || !connection.IsBinding))
        {
            return new SsoAnswer(null, NotStartedHere);
        }
        try
        {
            var said = await VerifiedAsync(session, connection, response, reference, request?.RequestId, ct);
            return request is null ? await UnaskedAsync(session, reference, ct) : await AnsweredAsync(session, connection, request, reference, said, http, ct);
        }
        catch (SamlRefusedException e)
        {
            await session.DisposeAsync(); // what the answer began is forgotten, and its locks with it
            return await RefusedAsync(team, request, reference, e, http, ct);
        }
    }

    private async Task<SamlAssertion> VerifiedAsync(
        TeamSession session, SsoConnection connection, SamlResponse response, string reference, string? requestId, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var addresses = SsoAddresses.Of(settings.Origin, reference);
        var own = await keys.OpenAsync(session, ct);
        SamlAssertion said;
        try
        {
            said = response.Verify(new SamlExpectation
            {
                IdpEntityId = connection.IdpEntityId!,
                IdpKeys = connection.KeysAt(now),
                SpEntityId = addresses.EntityId,
                AcsUrl = addresses.Acs,
                RequestId = requestId,
                Now = now,
                Skew = settings.SamlSkew,
                OwnKeys = own,
            });
        }
        finally
        {
            Dispose(own);
        }
        await session.ExecuteAsync($"delete from saml_assertions where team_id = app_team() and expires_at <= {now}", ct);
        // One of two that come at once waits for the other here, and finds it.
        var fresh = await session.ExecuteAsync(
            $"""
            insert into saml_assertions (team_id, id_hash, expires_at)
            values (app_team(), {SHA256.HashData(Encoding.UTF8.GetBytes(said.Id))}, {said.ValidUntil}) on conflict do nothing
            """, ct);
        return fresh == 1 ? said : throw new SamlRefusedException(SamlRefusal.Replay, "This assertion was used before.");
    }

    /// <summary>
    /// The person came from the identity provider's own page. Whose browser this is nobody knows: an attacker may have sent it here with an answer of
    /// theirs (login CSRF). So the answer signs nobody in; the person goes on from our own page, and is asked nothing where they are signed in there.
    /// </summary>
    private static async Task<SsoAnswer> UnaskedAsync(TeamSession session, string reference, CancellationToken ct)
    {
        await session.CommitAsync(ct);
        return new SsoAnswer($"/sso/{reference}");
    }

    private async Task<SsoAnswer> AnsweredAsync(
        TeamSession session, SsoConnection connection, SsoRequest request, string reference, SamlAssertion said, HttpContext http, CancellationToken ct)
    {
        if (request.Purpose != SsoRequest.SignIn)
        {
            var outcome = Outcome(connection, said, await session.RolesAsync(ct));
            await requests.AnswerAsync(session, request, outcome, ct);
            await session.CommitAsync(ct);
            return new SsoAnswer($"/teams/{reference}/sso/result?request={request.Reference}");
        }
        if (!connection.IsBinding)
        {
            return new SsoAnswer(null, NotStartedHere);
        }
        await SsoRequests.RemoveAsync(session, request, ct);
        var (user, problem) = await people.FindOrMakeAsync(session, connection, said, http, ct);
        if (user is null)
        {
            session.Record(new LedgerEvent("sso.refused", null, SsoPeople.Details(("name", said.NameId), ("reason", "account"))), new Origin(null, http.Address()));
            await session.CommitAsync(ct);
            return new SsoAnswer(null, problem);
        }
        var limit = new SessionLimit(session.TeamOrThrow, reference, said.SessionEndsAt);
        session.Record(new LedgerEvent("sso.succeeded", user.Id.ToString(), SsoPeople.Details(("username", user.Username), ("context", said.Context))), new Origin(user.Id, http.Address()));
        // The provider's word counts as a second factor, never as a security key: where the policies ask for one, it is asked for here.
        var policy = (await session.AppliancePolicyAsync(ct)).Factors.And((await session.TeamPolicyAsync(ct)).Factors);
        if (connection.SecondFactor == SsoConnection.ByAppliance || !policy.IsMetBy(new GivenFactor(SessionFactor.Provider, null)))
        {
            return await HalfSignInAsync(session, user, limit, request.ReturnPath, http, ct);
        }
        await sessions.StartAsync(session, user, http, limit, steppedUp: false, new SessionFactor(SessionFactor.Provider), ct);
        session.RecordForAppliance(new LedgerEvent("sign-in.succeeded", user.Id.ToString(), SsoPeople.Details(("factor", "identity-provider"))), new Origin(user.Id, http.Address()));
        await session.CommitAsync(ct);
        return new SsoAnswer(request.ReturnPath);
    }

    /// <summary>The provider stands for the password; the second factor is asked for as after any password.</summary>
    private async Task<SsoAnswer> HalfSignInAsync(TeamSession session, User user, SessionLimit limit, string returnPath, HttpContext http, CancellationToken ct)
    {
        var (now, token) = (clock.GetUtcNow(), Token.New());
        session.Add(new PendingSignIn
        {
            Id = Guid.CreateVersion7(now),
            TokenHash = Token.Hash(token),
            UserId = user.Id,
            CreatedAt = now,
            ExpiresAt = now + signIn.HalfSignedIn,
            OnlyTeam = limit.Team,
            OnlyTeamReference = limit.Reference,
            SessionEndsAt = limit.EndsAt,
        });
        await session.CommitAsync(ct);
        SessionCookie.Write(http, token, HalfSignedInHandler.Cookie);
        return new SsoAnswer($"/sign-in/key?return={Uri.EscapeDataString(returnPath)}");
    }

    /// <summary>In a transaction of its own.</summary>
    private async Task<SsoAnswer> RefusedAsync(TeamId team, SsoRequest? request, string reference, SamlRefusedException refused, HttpContext http, CancellationToken ct)
    {
        if (request is null)
        {
            return new SsoAnswer(null, NotStartedHere);
        }
        await using var session = await database.ForJobAsync(team, ct);
        session.Record(
            new LedgerEvent("sso.refused", null, SsoPeople.Details(("reason", refused.Refusal.ToString()), ("purpose", request.Purpose))),
            new Origin(request.UserId is { } id ? new UserId(id) : null, http.Address()));
        if (request.Purpose == SsoRequest.SignIn)
        {
            await session.CommitAsync(ct);
            return new SsoAnswer(null, refused.Refusal == SamlRefusal.Status
                ? "Your organisation did not sign you in. Try again; if it goes on, ask whoever runs its sign-in."
                : "Your organisation's answer was not accepted, and nobody was signed in. An owner of the team finds the reason in its ledger and can test the connection.");
        }
        await requests.AnswerAsync(session, request, new SsoOutcome { Problem = refused.Message, Refusal = refused.Refusal.ToString() }, ct);
        await session.CommitAsync(ct);
        return new SsoAnswer($"/teams/{reference}/sso/result?request={request.Reference}");
    }

    private static SsoOutcome Outcome(SsoConnection connection, SamlAssertion said, IReadOnlyList<SsoRole> roles) => new()
    {
        Issuer = said.Issuer,
        NameId = said.NameId,
        Email = SsoPeople.First(said, connection.EmailAttribute),
        Username = SsoPeople.Username(said, connection)[..^5],
        Role = SsoPeople.Role(said, connection, roles),
        Context = said.Context,
        Attributes = said.Attributes,
    };

    private static string Within(string reference, string? path) =>
        ReturnPath.IsLocal(path) && path!.StartsWith($"/teams/{reference}/", StringComparison.Ordinal) ? path : $"/teams/{reference}/files";

    private static void Dispose(IEnumerable<SpKey> own)
    {
        foreach (var key in own)
        {
            key.Dispose();
        }
    }
}
