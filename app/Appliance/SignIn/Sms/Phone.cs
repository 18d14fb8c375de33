using Appliance.Accounts;
using Appliance.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn.Sms;

/// <summary>The phone of a person who has neither key nor app.</summary>
public sealed class Phone
{
    public required UserId UserId { get; init; }

    /// <summary>Sealed by the appliance's protector for this person alone.</summary>
    public required byte[] SealedNumber { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? LastUsedAt { get; init; }
}

/// <summary>A code that was sent. Changed by conditional UPDATEs only.</summary>
public sealed class SmsCode
{
    public required byte[] ReferenceHash { get; init; }

    public required UserId UserId { get; init; }

    public required bool Enrols { get; init; }

    public required byte[] SealedNumber { get; init; }

    public required byte[] Binding { get; init; }

    public required byte[] Mac { get; init; }

    public required DateTimeOffset SentAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public required int Tries { get; init; }

    public DateTimeOffset? UsedAt { get; init; }
}

internal sealed class PhoneConfiguration : IEntityTypeConfiguration<Phone>, IEntityTypeConfiguration<SmsCode>
{
    public void Configure(EntityTypeBuilder<Phone> builder)
    {
        builder.ToTable("phones");
        builder.HasKey(p => p.UserId);
        builder.HasOne<User>().WithMany().HasForeignKey(p => p.UserId);
    }

    public void Configure(EntityTypeBuilder<SmsCode> builder)
    {
        builder.ToTable("sms_codes");
        builder.HasKey(c => c.ReferenceHash);
    }
}

/// <summary>Telephone numbers as the whole world dials them (ITU-T E.164): + and 7 to 15 digits, the first no zero.</summary>
internal static class PhoneNumber
{
    public const string Rule = "Write the number with + and its country, such as +41 79 123 45 67.";

    /// <summary>Without what people put between digits; null: not such a number.</summary>
    public static string? Normalise(string? text)
    {
        if (text is null or { Length: > 40 })
        {
            return null;
        }
        var number = string.Concat(text.Trim().Where(c => c is not (' ' or '-' or '.' or '(' or ')' or '/')));
        return number.Length is >= 8 and <= 16 && number[0] == '+' && number[1] is >= '1' and <= '9' && number.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0 ? number : null;
    }

    /// <summary>What may be shown before the person is signed in: the last two digits.</summary>
    public static string Mask(string number) => "••• " + number[^2..];
}
