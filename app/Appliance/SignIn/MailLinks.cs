using System.Text;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn;

/// <summary>A one-time link that was mailed to somebody who has an account.</summary>
public sealed class MailLink
{
    public required Guid Id { get; init; }

    public required byte[] TokenHash { get; init; }

    public required UserId UserId { get; init; }

    /// <summary>One of <see cref="MailLinks"/>' purposes.</summary>
    public required string Purpose { get; init; }

    /// <summary>The address that the link confirms.</summary>
    public byte[]? SealedAddress { get; init; }

    /// <summary>The password that was chosen with it. It is nobody's until a second factor was given.</summary>
    public string? PasswordHash { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public DateTimeOffset? UsedAt { get; init; }
}

internal sealed class MailLinkConfiguration : IEntityTypeConfiguration<MailLink>
{
    public void Configure(EntityTypeBuilder<MailLink> builder)
    {
        builder.ToTable("mail_links");
        builder.HasKey(l => l.Id);
        builder.HasOne<User>().WithMany().HasForeignKey(l => l.UserId);
    }
}

/// <summary>
/// One-time links: 256 random bits each, kept as their hash, good for one purpose and for a while. Looking at where one leads changes nothing, so a mail
/// scanner's visit uses none up. All in the caller's transaction.
/// </summary>
public sealed class MailLinks(BlobProtector protector, TimeProvider clock)
{
    /// <summary>Shows that mail to an address reaches the person.</summary>
    public const string ConfirmAddress = "confirm-address";

    /// <summary>Lets the person choose a new password. Never takes the second factor's place.</summary>
    public const string NewPassword = "new-password";

    /// <summary>The person did not sign in themself: everything ends.</summary>
    public const string NotMe = "not-me";

    /// <summary>The person has lost no keys, and nobody is to be let in without them.</summary>
    public const string StopLostKey = "stop-lost-key";

    internal static string AddressPurpose(UserId user) => "mail-link " + user;

    /// <summary>Makes a link; answers its token, which is told once.</summary>
    public string Make(TeamSession session, UserId user, string purpose, TimeSpan lifetime, string? address = null)
    {
        var (now, token) = (clock.GetUtcNow(), Token.New());
        session.Add(new MailLink
        {
            Id = Guid.CreateVersion7(now),
            TokenHash = Token.Hash(token),
            UserId = user,
            Purpose = purpose,
            SealedAddress = address is null ? null : protector.Protect(AddressPurpose(user), Encoding.UTF8.GetBytes(address)),
            CreatedAt = now,
            ExpiresAt = now + lifetime,
        });
        return token;
    }

    /// <summary>The link, if it works: for this purpose, not used, not too old.</summary>
    public async Task<MailLink?> FindAsync(TeamSession session, byte[]? tokenHash, string purpose, CancellationToken ct)
    {
        var link = tokenHash is null ? null : await session.Query<MailLink>().AsNoTracking().SingleOrDefaultAsync(l => l.TokenHash == tokenHash && l.Purpose == purpose, ct);
        return link is not null && Works(link, clock.GetUtcNow()) ? link : null;
    }

    /// <summary>Uses the link up. Of two at once, one wins.</summary>
    public async Task<bool> UseAsync(TeamSession session, MailLink link, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        return await session.ExecuteAsync($"update mail_links set used_at = {now} where id = {link.Id} and used_at is null and expires_at > {now}", ct) == 1;
    }

    public string Address(MailLink link) => Encoding.UTF8.GetString(protector.Unprotect(AddressPurpose(link.UserId), link.SealedAddress!));

    internal static bool Works(MailLink link, DateTimeOffset now) => link.UsedAt is null && now < link.ExpiresAt && link.CreatedAt <= now + Sessions.ClockTolerance;
}
