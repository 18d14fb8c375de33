using System.Text;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.Teams;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace Appliance.Accounts;

/// <summary>One rule, and whether the password meets it.</summary>
/// <param name="Id"><c>length</c>, <c>personal</c>, <c>common</c> or <c>strength</c>.</param>
/// <param name="Ok">Met.</param>
/// <param name="Text">The rule in words.</param>
public sealed record PasswordReason(string Id, bool Ok, string Text);

/// <param name="Ok">Every rule is met.</param>
/// <param name="Reasons">Every rule, met or not, always in the same order.</param>
/// <param name="Bits">The estimated strength: log2 of the guesses that an attacker needs.</param>
public sealed record PasswordVerdict(bool Ok, IReadOnlyList<PasswordReason> Reasons, double Bits);

/// <summary>What a new password must be (NIST SP 800-63B §5.1.1.2: length and lists of what is common or expected, no rules of composition).</summary>
public sealed class PasswordPolicy(SignInSettings settings, Database database) : IPasswordValidator<User>
{
    public const double LeastBits = 50;

    /// <summary>The estimate takes longer than linear time; what comes after so many characters can only make a password stronger.</summary>
    private const int EstimatedCharacters = 72;

    /// <summary>Shorter personal words would refuse half of the dictionary.</summary>
    private const int ShortestPersonal = 4;

    private static readonly HashSet<string> Common = MostUsed(10_000);

    /// <summary>Checks a password for a person of whom these words are known: names, addresses, teams.</summary>
    public PasswordVerdict Check(string password, IEnumerable<string?> personal)
    {
        var bounded = PasswordHasher.IsBounded(password);
        // What is hashed is judged: "ｐａｓｓｗｏｒｄ" opens what "password" opens.
        password = bounded ? NormalForm.Compatible(password) : password;
        var words = Words(personal);
        var bits = bounded ? Estimate(password, words) : 0;
        PasswordReason[] reasons =
        [
            password.EnumerateRunes().Count() >= settings.PasswordLength && !bounded
                ? new("length", false, $"At most {PasswordHasher.LongestBytes} bytes")
                : new("length", bounded && password.EnumerateRunes().Count() >= settings.PasswordLength, $"At least {settings.PasswordLength} characters"),
            new("personal", bounded && !IsPersonal(password, words), "Not your name, username, e-mail or team name"),
            new("common", bounded && !Common.Contains(password.ToLowerInvariant()), "Not one of the 10,000 most used passwords"),
            new("strength", bits >= LeastBits, $"Hard to guess: {LeastBits} bits or more"),
        ];
        return new PasswordVerdict(reasons.All(r => r.Ok), reasons, Math.Round(bits, 1));
    }

    /// <summary>The same for an account, whose teams are looked up.</summary>
    public async Task<PasswordVerdict> CheckAsync(string password, User user, CancellationToken cancellationToken) =>
        Check(password, [user.Username, user.Email, .. await TeamNamesAsync(user.Id, cancellationToken)]);

    /// <summary>For Identity: the rules that are not met, in words.</summary>
    public async Task<IdentityResult> ValidateAsync(UserManager<User> manager, User user, string? password)
    {
        var verdict = await CheckAsync(password ?? "", user, CancellationToken.None);
        return verdict.Ok
            ? IdentityResult.Success
            : IdentityResult.Failed([.. verdict.Reasons.Where(r => !r.Ok).Select(r => new IdentityError { Code = r.Id, Description = r.Text })]);
    }

    private async Task<List<string>> TeamNamesAsync(UserId user, CancellationToken cancellationToken)
    {
        await using var session = await database.ForUserAsync(user, cancellationToken);
        return await session.Query<Team>().Select(t => t.Name).ToListAsync(cancellationToken);
    }

    /// <summary>Each as a whole, and its parts: <c>mara.sommer@nordlicht.example</c> is also mara, sommer and nordlicht.</summary>
    private static List<string> Words(IEnumerable<string?> personal) =>
    [
        .. personal.OfType<string>()
            .SelectMany(text => text.Split([' ', '.', '@', '-', '_', '+', ','], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Where(part => part.Length >= ShortestPersonal).Append(text.Trim()))
            .Where(text => text.Length > 0)
            .Select(text => text.ToLowerInvariant())
            .Distinct(StringComparer.Ordinal),
    ];

    /// <summary>As it is, backwards, and with the usual digits and signs for letters.</summary>
    private static bool IsPersonal(string password, List<string> words)
    {
        var lower = password.ToLowerInvariant();
        string[] readings = [lower, Backwards(lower), Unleet(lower, 'i'), Unleet(lower, 'l'), Unleet(Backwards(lower), 'i'), Unleet(Backwards(lower), 'l')];
        return words.Any(word => readings.Any(reading =>
            reading == word || (word.Length >= ShortestPersonal && reading.Contains(word, StringComparison.Ordinal))));
    }

    private static string Backwards(string text) => string.Concat(text.EnumerateRunes().Reverse());

    private static string Unleet(string text, char one)
    {
        var result = new StringBuilder(text);
        foreach (var (sign, letter) in new[] { ('0', 'o'), ('1', one), ('!', one), ('|', one), ('3', 'e'), ('4', 'a'), ('@', 'a'), ('5', 's'), ('$', 's'), ('7', 't'), ('8', 'b'), ('9', 'g') })
        {
            result.Replace(sign, letter);
        }
        return result.ToString();
    }

    private static double Estimate(string password, List<string> words)
    {
        var start = password.Length <= EstimatedCharacters ? password : password[..EstimatedCharacters];
        return Zxcvbn.Zxcvbn.MatchPassword(start, words).Entropy;
    }

    /// <summary>The estimator's own list, most used first.</summary>
    private static HashSet<string> MostUsed(int count)
    {
        using var stream = typeof(Zxcvbn.Zxcvbn).Assembly.GetManifestResourceStream("zxcvbn-core.Dictionaries.passwords.lst")
            ?? throw new InvalidOperationException("The estimator's list of passwords is missing.");
        using var reader = new StreamReader(stream);
        var list = new HashSet<string>(count, StringComparer.Ordinal);
        while (list.Count < count && reader.ReadLine() is { } line)
        {
            list.Add(line.Trim().ToLowerInvariant());
        }
        return list;
    }
}
