using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn;

/// <summary>A person signed in with every factor, in one browser. Its token is known to that browser alone.</summary>
public sealed class Session
{
    public required Guid Id { get; init; }

    /// <summary>Names the session in its person's own list. Opens nothing.</summary>
    public required string Reference { get; init; }

    /// <summary>SHA-256 of the token in the cookie. Replaced at every change of privilege.</summary>
    public required byte[] TokenHash { get; set; }

    public required UserId UserId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Precise to a minute: not every request is worth a write.</summary>
    public required DateTimeOffset LastSeenAt { get; set; }

    /// <summary>The end, whatever happens.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    public DateTimeOffset? LockedAt { get; set; }

    /// <summary>When the second factor was last given.</summary>
    public DateTimeOffset? SteppedUpAt { get; set; }

    /// <summary>When a security key, and nothing less, was last given; null: never.</summary>
    public DateTimeOffset? KeyGivenAt { get; set; }

    public string? Address { get; init; }

    /// <summary>The one team that the session opens; null: no such limit. Set where a team's identity provider vouched for the person.</summary>
    public TeamId? OnlyTeam { get; init; }

    /// <summary>The public reference of <see cref="OnlyTeam"/>.</summary>
    public string? OnlyTeamReference { get; init; }

    /// <summary>What was given as the second factor; null: by a version that did not write it down.</summary>
    public string? Factor { get; set; }

    /// <summary>The key that was touched last; it may be gone by now.</summary>
    public byte[]? KeyId { get; set; }

    /// <summary>That key asked for PIN, fingerprint or face.</summary>
    public bool UserVerified { get; set; }

    /// <summary>The longest time without use since the person last proved who they are, in seconds.</summary>
    public int LongestIdleSeconds { get; set; }

    /// <summary>The browser's own words, cut.</summary>
    public string? Agent { get; init; }
}

internal sealed class SessionConfiguration : IEntityTypeConfiguration<Session>
{
    public void Configure(EntityTypeBuilder<Session> builder)
    {
        builder.ToTable("sessions");
        builder.HasKey(s => s.Id);
        builder.HasOne<User>().WithMany().HasForeignKey(s => s.UserId);
    }
}
