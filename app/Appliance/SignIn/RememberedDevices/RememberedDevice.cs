using Appliance.Accounts;
using Appliance.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn.RememberedDevices;

/// <summary>A browser in which its person asked not to be asked for the second factor for some days.</summary>
public sealed class RememberedDevice
{
    public required Guid Id { get; init; }

    /// <summary>Names the device in its person's own list. Opens nothing.</summary>
    public required string Reference { get; init; }

    public required UserId UserId { get; init; }

    public required byte[] SelectorHash { get; init; }

    public required byte[] ValidatorHash { get; init; }

    /// <summary>Of the validator before; null: this is the first.</summary>
    public byte[]? PreviousHash { get; init; }

    /// <summary>When the second factor was given in it.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it last stood in for the second factor, or <see cref="CreatedAt"/>.</summary>
    public required DateTimeOffset RotatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public string? Address { get; init; }

    /// <summary>The browser's own words, cut.</summary>
    public string? Agent { get; init; }
}

internal sealed class RememberedDeviceConfiguration : IEntityTypeConfiguration<RememberedDevice>
{
    public void Configure(EntityTypeBuilder<RememberedDevice> builder)
    {
        builder.ToTable("remembered_devices");
        builder.HasKey(d => d.Id);
        builder.HasOne<User>().WithMany().HasForeignKey(d => d.UserId);
    }
}
