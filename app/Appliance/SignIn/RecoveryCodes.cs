using System.Security.Cryptography;
using System.Text;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn;

/// <summary>A code that stands in for a security key, once. Kept as a MAC under a key that is not in the database.</summary>
public sealed class RecoveryCode
{
    public required Guid Id { get; init; }

    public required UserId UserId { get; init; }

    public required byte[] Mac { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? UsedAt { get; init; }
}

internal sealed class RecoveryCodeConfiguration : IEntityTypeConfiguration<RecoveryCode>
{
    public void Configure(EntityTypeBuilder<RecoveryCode> builder)
    {
        builder.ToTable("recovery_codes");
        builder.HasKey(c => c.Id);
        builder.HasOne<User>().WithMany().HasForeignKey(c => c.UserId);
    }
}

/// <summary>
/// Ten codes of 80 random bits each (NIST SP 800-63B §5.1.2 asks for 64 where guesses are limited), four groups of four characters
/// that cannot be taken for one another.
/// </summary>
public sealed class RecoveryCodes(BlobProtector protector, TimeProvider clock)
{
    public const int Count = 10;

    private const int Characters = 16;

    private const string Purpose = "recovery-code";

    /// <summary>32 of them, five bits each; neither 0, O, 1 nor I.</summary>
    private const string Alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

    /// <summary>Ten new codes as they are printed, <c>XXXX-XXXX-XXXX-XXXX</c>. Nothing can show them again.</summary>
    public static IReadOnlyList<string> Make() =>
        [.. Enumerable.Range(0, Count).Select(_ => MakeOne())];

    /// <summary>One code of the same alphabet, for something else than signing in.</summary>
    internal static string MakeOne(int characters = Characters, int group = 4) =>
        string.Join('-', RandomNumberGenerator.GetString(Alphabet, characters).Chunk(group).Select(g => new string(g)));

    /// <summary>Whether it can be a code of so many characters at all.</summary>
    internal static bool IsWellFormed(string? code, int characters) => Normalise(code, characters) is not null;

    /// <summary>The last factor is gone: nothing is left that they would stand for.</summary>
    public static Task RemoveAllAsync(TeamSession session, UserId user, CancellationToken cancellationToken) =>
        session.ExecuteAsync($"delete from recovery_codes where user_id = {user.Value}", cancellationToken);

    /// <summary>The given codes are the person's only ones from now on.</summary>
    public async Task ReplaceAsync(TeamSession session, UserId user, IEnumerable<string> codes, CancellationToken cancellationToken)
    {
        await session.ExecuteAsync($"delete from recovery_codes where user_id = {user.Value}", cancellationToken);
        var now = clock.GetUtcNow();
        foreach (var code in codes)
        {
            session.Add(new RecoveryCode { Id = Guid.CreateVersion7(now), UserId = user, Mac = Mac(Purpose, user, code), CreatedAt = now });
        }
        await session.SaveAsync(cancellationToken);
    }

    /// <summary>Uses the code up. Of two that come with the same code at once, one succeeds: the row's lock decides.</summary>
    public async Task<bool> RedeemAsync(TeamSession session, UserId user, string code, CancellationToken cancellationToken)
    {
        // What has not a code's form goes the same way, so that it takes the same time.
        var mac = Mac(Purpose, user, code);
        return await session.ExecuteAsync(
            $"update recovery_codes set used_at = {clock.GetUtcNow()} where user_id = {user.Value} and mac = {mac} and used_at is null", cancellationToken) == 1;
    }

    /// <summary>How many are left.</summary>
    public async Task<int> CountAsync(TeamSession session, UserId user, CancellationToken cancellationToken) =>
        await session.Query<RecoveryCode>().CountAsync(c => c.UserId == user && c.UsedAt == null, cancellationToken);

    /// <summary>Without separators, in upper case; null: not a code's form.</summary>
    private static string? Normalise(string? code, int characters)
    {
        if (code is null or { Length: > 100 })
        {
            return null;
        }
        var text = string.Concat(code.Where(c => c is not ('-' or ' ')).Select(char.ToUpperInvariant));
        return text.Length == characters && text.All(Alphabet.Contains) ? text : null;
    }

    /// <summary>Of the person's code, however it is written; of what has not a code's form, one that no code has.</summary>
    internal byte[] Mac(string purpose, UserId user, string? code, int characters = Characters) =>
        protector.Mac(purpose, [.. user.Value.ToByteArray(), .. Encoding.ASCII.GetBytes(Normalise(code, characters) ?? "")]);
}
