using Appliance.Accounts;
using Appliance.Data;
using Appliance.Teams;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Sharing;

/// <summary>Opens one file or folder to whoever has it, until it expires.</summary>
public sealed class ShareLink : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    public required Guid Id { get; init; }

    /// <summary>Names the link in lists. Opens nothing.</summary>
    public required string Reference { get; init; }

    public required byte[] TokenHash { get; init; }

    /// <summary>The entry's reference.</summary>
    public required string Entry { get; init; }

    public required string EntryName { get; init; }

    public required UserId MadeBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Argon2id in PHC string form; null: none is asked for.</summary>
    public string? PasswordHash { get; init; }

    public int? MaxDownloads { get; init; }

    public int Downloads { get; init; }

    public DateTimeOffset? LastUsedAt { get; init; }

    public DateTimeOffset? RevokedAt { get; init; }
}

/// <summary>A download by a link.</summary>
public sealed class ShareUse : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    public required Guid LinkId { get; init; }

    public required Guid Id { get; init; }

    public required DateTimeOffset At { get; init; }

    public string? Address { get; init; }
}

internal sealed class ShareLinkConfiguration : IEntityTypeConfiguration<ShareLink>, IEntityTypeConfiguration<ShareUse>
{
    public void Configure(EntityTypeBuilder<ShareLink> builder)
    {
        builder.ToTable("share_links");
        builder.HasKey(l => new { l.TeamId, l.Id });
        builder.HasOne<Team>().WithMany().HasForeignKey(l => l.TeamId);
        builder.HasOne<User>().WithMany().HasForeignKey(l => l.MadeBy);
    }

    public void Configure(EntityTypeBuilder<ShareUse> builder)
    {
        builder.ToTable("share_uses");
        builder.HasKey(u => new { u.TeamId, u.Id });
        builder.HasOne<ShareLink>().WithMany().HasForeignKey(u => new { u.TeamId, u.LinkId });
    }
}
