using Appliance.Accounts;
using Appliance.Data;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>One of a person's security keys: a WebAuthn credential record (Level 3 §4) with a name.</summary>
public sealed class SecurityKey
{
    public required byte[] CredentialId { get; init; }

    public required string Reference { get; init; }

    public required UserId UserId { get; init; }

    /// <summary>What its owner calls it, 1 to 64 characters.</summary>
    public required string Name { get; set; }

    /// <summary>COSE_Key (RFC 9052 §7).</summary>
    public required byte[] PublicKey { get; init; }

    /// <summary>The last signature counter, 0 to 2³²−1. Changed by one conditional UPDATE only (<see cref="SignCounter"/>).</summary>
    public required long SignCount { get; init; }

    /// <summary>How browsers can reach it: usb, nfc, ble, internal, hybrid, smart-card.</summary>
    public required string[] Transports { get; init; }

    /// <summary>The key's model, nil where it does not say.</summary>
    public required Guid Aaguid { get; init; }

    public required string AttestationFormat { get; init; }

    public required bool IsUserVerified { get; init; }

    /// <summary>When it last verified its user; a key that was registered without can still be able to.</summary>
    public DateTimeOffset? UserVerifiedAt { get; init; }

    public required bool IsBackupEligible { get; init; }

    public required bool IsBackedUp { get; init; }

    public required byte[] AttestationObject { get; init; }

    public required byte[] ClientDataJson { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? LastUsedAt { get; init; }

    /// <summary>The last time it counted backwards, which a copy of it would explain.</summary>
    public DateTimeOffset? CounterRegressedAt { get; init; }

    /// <summary>As Identity sees it.</summary>
    public UserPasskeyInfo ToPasskey() => new(
        CredentialId, PublicKey, CreatedAt, (uint)SignCount, Transports, IsUserVerified, IsBackupEligible, IsBackedUp, AttestationObject, ClientDataJson)
    {
        Name = Name,
    };
}

/// <summary>What the security page's section of keys shows.</summary>
/// <param name="Keys">The person's, the oldest first.</param>
/// <param name="Removable">One of them may go: another factor stays.</param>
/// <param name="Allowed">Those that may be used: the others are of no allowed model, and sign nobody in.</param>
public sealed record SecurityKeySection(IReadOnlyList<SecurityKey> Keys, bool Removable, IReadOnlyCollection<SecurityKey> Allowed);

internal sealed class SecurityKeyConfiguration : IEntityTypeConfiguration<SecurityKey>
{
    public void Configure(EntityTypeBuilder<SecurityKey> builder)
    {
        builder.ToTable("security_keys");
        builder.HasKey(k => k.CredentialId);
        builder.HasOne<User>().WithMany().HasForeignKey(k => k.UserId);
    }
}
