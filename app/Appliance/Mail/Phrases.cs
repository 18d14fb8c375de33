using System.Globalization;
using System.Text;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;

namespace Appliance.Mail;

/// <summary>The phrase that every mail to a person carries, known to them and to us alone. Sealed under the appliance key, so that a stolen database forges no mail.</summary>
public sealed class Phrases(BlobProtector protector)
{
    public const int Shortest = 4;

    public const int Longest = 80;

    private const int Words = 3;

    /// <summary>The person's phrase; where they have none yet, three random words become it. In the caller's transaction.</summary>
    public async Task<string> ReadAsync(TeamSession session, UserId user, CancellationToken ct)
    {
        if (await FindAsync(session, user, ct) is { } found)
        {
            return found;
        }
        var made = Seal(user, string.Join(' ', Passphrases.Make().Split(' ')[..Words]));
        await session.ExecuteAsync($"update users set sealed_phrase = {made} where id = {user.Value} and sealed_phrase is null", ct);
        return (await FindAsync(session, user, ct))!;
    }

    /// <summary>Answers what is wrong with it; null: it is the person's from the commit on.</summary>
    public async Task<string?> ChooseAsync(TeamSession session, UserId user, string? phrase, CancellationToken ct)
    {
        var text = NormalForm.Compatible((phrase ?? "").Trim());
        if (text.Length is < Shortest or > Longest || text.EnumerateRunes().Any(IsRefused))
        {
            return $"A phrase has {Shortest} to {Longest} characters, on one line.";
        }
        await session.ExecuteAsync($"update users set sealed_phrase = {Seal(user, text)} where id = {user.Value}", ct);
        return null;
    }

    private async Task<string?> FindAsync(TeamSession session, UserId user, CancellationToken ct) =>
        (await session.SqlAsync<byte[]>($"""select sealed_phrase as "Value" from users where id = {user.Value} and sealed_phrase is not null""", ct)) is [var blob]
            ? Encoding.UTF8.GetString(protector.Unprotect(Purpose(user), blob))
            : null;

    private byte[] Seal(UserId user, string text) => protector.Protect(Purpose(user), Encoding.UTF8.GetBytes(text));

    internal static string Purpose(UserId user) => "mail-phrase " + user;

    private static bool IsRefused(Rune rune) => rune == Rune.ReplacementChar || Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
