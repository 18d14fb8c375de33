using System.Security.Claims;
using System.Text.Encodings.Web;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.Extensions.Options;

namespace Appliance.SignIn;

/// <summary>A one-time link that lets one person in, and what they have entered so far. There is no account before its first key.</summary>
public sealed class SetUpLink
{
    public required Guid Id { get; init; }

    /// <summary>Names the link in the list of whoever made it. Opens nothing.</summary>
    public required string Reference { get; init; }

    public required byte[] TokenHash { get; init; }

    /// <summary>Makes the first owner.</summary>
    public required bool Owner { get; init; }

    public UserId? MadeBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public DateTimeOffset? UsedAt { get; init; }

    /// <summary>The id that the account will have, so that the first key can be made for it.</summary>
    public required UserId UserId { get; init; }

    public string? Username { get; set; }

    public string? UsernameKey { get; set; }

    public string? Email { get; set; }

    public string? EmailKey { get; set; }

    public string? PasswordHash { get; set; }

    /// <summary>The address that the link was mailed to. The account gets it, confirmed, and no other; null: it was handed over in another way.</summary>
    public string? BoundEmail { get; init; }

    /// <summary>The account as it will be; null: not entered yet.</summary>
    internal User? ToUser(DateTimeOffset now) => Username is null || UsernameKey is null || PasswordHash is null ? null : new User
    {
        Id = UserId,
        Username = Username,
        UsernameKey = UsernameKey,
        Email = BoundEmail ?? Email,
        EmailKey = BoundEmail is null ? EmailKey : NameKey.Of(BoundEmail),
        EmailConfirmedAt = BoundEmail is null ? null : now,
        PasswordHash = PasswordHash,
        PasswordChangedAt = now,
        SecurityStamp = Data.Reference.New(),
        ConcurrencyStamp = Data.Reference.New(),
        TwoFactorEnabled = true,
        Owner = Owner,
        CreatedAt = now,
    };
}

internal sealed class SetUpLinkConfiguration : IEntityTypeConfiguration<SetUpLink>
{
    public void Configure(EntityTypeBuilder<SetUpLink> builder)
    {
        builder.ToTable("set_up_links");
        builder.HasKey(l => l.Id);
    }
}

/// <summary>A link that still works, as the list of whoever may make links shows it.</summary>
public sealed record OpenLink(string Reference, string MadeBy, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt);

public sealed class SetUpLinks(Database database, MailQueue mails, Settings settings, TimeProvider clock, SignInSettings signIn)
{
    /// <summary>At the start: a link for the first owner where there is nobody yet. Links of earlier starts stop working. Null: there is somebody.</summary>
    public async Task<string?> ForFirstOwnerAsync(CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        if (await session.Query<User>().AnyAsync(ct))
        {
            return null;
        }
        await session.ExecuteAsync($"delete from set_up_links where owner", ct);
        var (_, token) = Add(session, owner: true, madeBy: null);
        await session.CommitAsync(ct);
        return token;
    }

    /// <summary>A link for a further person. Its token is told once; the ledger hears of the link.</summary>
    public async Task<string> ForPersonAsync(HttpContext http, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        var (link, token) = Add(session, owner: false, http.User.Id());
        session.RecordForAppliance(new LedgerEvent("set-up-link.made", link.Reference), http.Origin());
        await session.CommitAsync(ct);
        return token;
    }

    /// <summary>Mails a link to an address, to which the account is then bound. In the caller's transaction.</summary>
    public void Mail(TeamSession session, string address, HttpContext http)
    {
        var (link, token) = Add(session, owner: false, http.User.Id(), address);
        mails.ToAddress(session, address, null, new MailContent(
            "set-up-link",
            $"An account for you at {settings.Origin.IdnHost}",
            [
                $"{http.User.Identity!.Name} lets you in. Choose your name and password, and have a security key or an authenticator app at hand.",
                "The link works once, for 24 hours, and for this address alone. If you know nothing of it, there is nothing to do.",
            ],
            new Uri(settings.Origin, "/set-up/" + token),
            "Make your account")
        { Lifetime = signIn.SetUpLink });
        session.RecordForAppliance(new LedgerEvent("set-up-link.mailed", link.Reference), http.Origin());
    }

    /// <summary>A link for whoever holds an invitation and has no account. In the caller's transaction; its token is told once.</summary>
    internal string ForInvited(TeamSession session, UserId invitedBy, string address) => Add(session, owner: false, invitedBy, address).Token;

    /// <summary>The links for further persons that still work, the newest first, and who made each.</summary>
    public async Task<IReadOnlyList<OpenLink>> OpenAsync(CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        var now = clock.GetUtcNow();
        return await (from link in session.Query<SetUpLink>().AsNoTracking()
                      join user in session.Query<User>().AsNoTracking() on link.MadeBy equals user.Id
                      where link.UsedAt == null && link.ExpiresAt > now && !link.Owner
                      orderby link.CreatedAt descending
                      select new OpenLink(link.Reference, user.Username, link.CreatedAt, link.ExpiresAt)).ToListAsync(ct);
    }

    /// <summary>Voids a link for a further person. False: there is no such link, or it was used.</summary>
    public async Task<bool> RevokeAsync(string reference, HttpContext http, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        if (await session.ExecuteAsync($"delete from set_up_links where reference = {reference} and used_at is null and not owner", ct) != 1)
        {
            return false;
        }
        session.RecordForAppliance(new LedgerEvent("set-up-link.revoked", reference), http.Origin());
        await session.CommitAsync(ct);
        return true;
    }

    /// <summary>The link, if it works: not used, not too old.</summary>
    public async Task<SetUpLink?> FindAsync(TeamSession session, byte[]? tokenHash, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var link = tokenHash is null ? null : await session.Query<SetUpLink>().SingleOrDefaultAsync(l => l.TokenHash == tokenHash, ct);
        return link is { UsedAt: null } && now < link.ExpiresAt && link.CreatedAt <= now + Sessions.ClockTolerance
            // Once there is an owner, no other first owner is made.
            && !(link.Owner && await session.Query<User>().AnyAsync(ct)) ? link : null;
    }

    /// <summary>Uses the link up. Of two at once, one wins: the row's lock decides, and the other sees it used.</summary>
    public async Task<bool> UseAsync(TeamSession session, SetUpLink link, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        return await session.ExecuteAsync(
            $"update set_up_links set used_at = {now} where id = {link.Id} and used_at is null and expires_at > {now}", ct) == 1;
    }

    private (SetUpLink Link, string Token) Add(TeamSession session, bool owner, UserId? madeBy, string? boundEmail = null)
    {
        var now = clock.GetUtcNow();
        var token = Token.New();
        var link = new SetUpLink
        {
            Id = Guid.CreateVersion7(now),
            Reference = Reference.New(),
            TokenHash = Token.Hash(token),
            Owner = owner,
            MadeBy = madeBy,
            CreatedAt = now,
            ExpiresAt = now + signIn.SetUpLink,
            UserId = UserId.New(),
            BoundEmail = boundEmail,
        };
        session.Add(link);
        return (link, token);
    }
}

/// <summary>Tells who holds a set-up link that works. The token is in a cookie by then, out of the address.</summary>
internal sealed class SetUpHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logs, UrlEncoder encoder, Database database, SetUpLinks links)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logs, encoder)
{
    public new const string Scheme = "set-up";
    public const string Cookie = "__Host-appliance-set-up";
    public const string LinkClaim = "set-up-link";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (SessionCookie.Read(Context, Cookie) is not { } hash)
        {
            return AuthenticateResult.NoResult();
        }
        await using var session = await database.ForApplianceAsync(Context.RequestAborted);
        if (await links.FindAsync(session, hash, Context.RequestAborted) is not { } link)
        {
            return AuthenticateResult.Fail("The set-up link does not work.");
        }
        var identity = new ClaimsIdentity(Scheme);
        identity.AddClaim(new Claim(LinkClaim, link.Id.ToString("D")));
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        // Where an endpoint takes signed-in people as well, the session's scheme has answered already.
        if (Response.StatusCode == StatusCodes.Status200OK)
        {
            Response.Redirect("/set-up/over");
        }
        return Task.CompletedTask;
    }
}
