using Appliance.Accounts;
using Appliance.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Mail;

/// <summary>A mail that waits, was sent, or was given up.</summary>
public sealed class MailItem
{
    public required Guid Id { get; init; }

    public required string Reference { get; init; }

    /// <summary>Whom it is for; null: an address that belongs to nobody here.</summary>
    public UserId? UserId { get; init; }

    public required string Kind { get; init; }

    public required byte[] SealedHead { get; init; }

    public byte[]? SealedBody { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset NextAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public int Tries { get; init; }

    public DateTimeOffset? TriedAt { get; init; }

    public string? Problem { get; init; }

    public DateTimeOffset? SentAt { get; init; }

    public DateTimeOffset? FailedAt { get; init; }
}

internal sealed class MailItemConfiguration : IEntityTypeConfiguration<MailItem>
{
    public void Configure(EntityTypeBuilder<MailItem> builder)
    {
        builder.ToTable("mails");
        builder.HasKey(m => m.Id);
        builder.HasOne<User>().WithMany().HasForeignKey(m => m.UserId);
    }
}
