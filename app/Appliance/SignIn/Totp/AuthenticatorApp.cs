using Appliance.Accounts;
using Appliance.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn.Totp;

/// <summary>A person's authenticator app, confirmed by a code.</summary>
public sealed class AuthenticatorApp
{
    public required UserId UserId { get; init; }

    /// <summary>The shared secret, sealed by the appliance's protector for this person alone.</summary>
    public required byte[] SealedSecret { get; init; }

    /// <summary>The time step of the last code that was accepted. Changed by one conditional UPDATE only.</summary>
    public required long LastStep { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? LastUsedAt { get; init; }
}

internal sealed class AuthenticatorAppConfiguration : IEntityTypeConfiguration<AuthenticatorApp>
{
    public void Configure(EntityTypeBuilder<AuthenticatorApp> builder)
    {
        builder.ToTable("authenticator_apps");
        builder.HasKey(a => a.UserId);
        builder.HasOne<User>().WithMany().HasForeignKey(a => a.UserId);
    }
}
