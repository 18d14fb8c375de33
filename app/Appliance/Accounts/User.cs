using Appliance.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Accounts;

/// <summary>One person's account. Not tenant data: a person can be in several teams.</summary>
public sealed class User
{
    public UserId Id { get; init; } = UserId.New();

    public required string Username { get; set; }

    /// <summary>The username as it is looked up: NFKC, upper case.</summary>
    public required string UsernameKey { get; set; }

    public string? Email { get; set; }

    public string? EmailKey { get; set; }

    /// <summary>When the person showed that mail to <see cref="Email"/> reaches them; null: they did not, and nothing is sent there but the question.</summary>
    public DateTimeOffset? EmailConfirmedAt { get; set; }

    /// <summary>What every mail to the person carries, sealed for them alone.</summary>
    public byte[]? SealedPhrase { get; set; }

    /// <summary>Argon2id in PHC string form, parameters included.</summary>
    public string? PasswordHash { get; set; }

    public DateTimeOffset? PasswordChangedAt { get; set; }

    public required string SecurityStamp { get; set; }

    public required string ConcurrencyStamp { get; set; }

    public bool TwoFactorEnabled { get; set; }

    /// <summary>May let further people in. Gives no access to any team.</summary>
    public bool Owner { get; set; }

    /// <summary>Since when they are an owner; null: since there is the account, or a version before this one made them one.</summary>
    public DateTimeOffset? OwnerSince { get; set; }

    /// <summary>When they were last told that they are an owner no longer unless they sign in.</summary>
    public DateTimeOffset? OwnerWarnedAt { get; set; }

    /// <summary>When they ceased to be an owner because they did not come.</summary>
    public DateTimeOffset? OwnerEndedAt { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When they last signed in with what is their own, not by a team's identity provider; null: not since this is written down.</summary>
    public DateTimeOffset? LastSignInAt { get; set; }
}

internal sealed class UserConfiguration : IEntityTypeConfiguration<User>
{
    public void Configure(EntityTypeBuilder<User> builder)
    {
        builder.ToTable("users");
        builder.HasKey(u => u.Id);
        builder.Property(u => u.ConcurrencyStamp).IsConcurrencyToken();
    }
}
