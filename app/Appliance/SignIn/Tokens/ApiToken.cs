using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn.Tokens;

/// <summary>What a program signs in with, in a person's name. It opens files, never pages or the account.</summary>
public sealed class ApiToken
{
    public required Guid Id { get; init; }

    /// <summary>What addresses call it: <see cref="Data.Reference"/>.</summary>
    public required string Reference { get; init; }

    /// <summary>SHA-256 of the secret's text.</summary>
    public required byte[] TokenHash { get; init; }

    public required UserId UserId { get; init; }

    /// <summary><see cref="Bearer"/> or <see cref="AppPassword"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>What the person calls it: the program, the machine.</summary>
    public required string Name { get; init; }

    /// <summary>The one team that it opens; null: every team that the person is in.</summary>
    public TeamId? TeamId { get; init; }

    public required bool MayWrite { get; init; }

    /// <summary>What the session that it was made in had been opened with (<see cref="Session.Factor"/>); null: nothing is known of it.</summary>
    public string? Factor { get; init; }

    public byte[]? KeyId { get; init; }

    public bool UserVerified { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>To the minute.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    public string? LastAddress { get; init; }

    /// <summary>Sent as <c>Authorization: Bearer</c> (RFC 6750 section 2.1).</summary>
    public const string Bearer = "token";

    /// <summary>Sent as <c>Authorization: Basic</c> with the username (RFC 7617), for programs that know nothing else.</summary>
    public const string AppPassword = "app-password";
}

internal sealed class ApiTokenConfiguration : IEntityTypeConfiguration<ApiToken>
{
    public void Configure(EntityTypeBuilder<ApiToken> builder)
    {
        builder.ToTable("api_tokens");
        builder.HasKey(t => t.Id);
        builder.HasOne<User>().WithMany().HasForeignKey(t => t.UserId);
    }
}
