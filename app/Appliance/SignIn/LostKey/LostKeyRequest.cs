using Appliance.Accounts;
using Appliance.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn.LostKey;

/// <summary>A person lost their keys, one owner of the appliance says so, and another agrees. Gone as soon as it is over.</summary>
public sealed class LostKeyRequest
{
    /// <summary>Who lost them. There is one request for a person.</summary>
    public required UserId UserId { get; init; }

    public required string Reference { get; init; }

    public required UserId RequestedBy { get; init; }

    /// <summary>For the other owner, and the ledger.</summary>
    public required string Reason { get; init; }

    public required DateTimeOffset RequestedAt { get; init; }

    public UserId? ApprovedBy { get; init; }

    public DateTimeOffset? ApprovedAt { get; init; }

    /// <summary>Of the code, under a key that is not in the database, until it was given.</summary>
    public byte[]? CodeMac { get; init; }

    /// <summary>The half sign-in that the code was given in: the one that may enrol.</summary>
    public Guid? SignIn { get; init; }

    /// <summary>When the request runs out; once it is approved, its code; once that was given, its sign-in.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}

internal sealed class LostKeyRequestConfiguration : IEntityTypeConfiguration<LostKeyRequest>
{
    public void Configure(EntityTypeBuilder<LostKeyRequest> builder)
    {
        builder.ToTable("lost_key_requests");
        builder.HasKey(r => r.UserId);
        builder.HasOne<User>().WithMany().HasForeignKey(r => r.UserId);
        builder.HasOne<User>().WithMany().HasForeignKey(r => r.RequestedBy);
        builder.HasOne<User>().WithMany().HasForeignKey(r => r.ApprovedBy);
    }
}
