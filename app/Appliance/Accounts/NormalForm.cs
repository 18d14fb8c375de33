using System.Text;

namespace Appliance.Accounts;

/// <summary>Unicode's compatibility normal form (NFKC, Unicode Standard Annex #15) of whatever a client sent.</summary>
internal static class NormalForm
{
    private const char NoCharacter = '\uFFFE';

    /// <summary>
    /// NFKC. The platform's own method throws at half a character and at U+FFFE; nobody types these, and a request that holds one must
    /// not become an error of ours, so they read as U+FFFD, as they would when written as UTF-8.
    /// </summary>
    public static string Compatible(string text)
    {
        var whole = text.Any(c => char.IsSurrogate(c) || c == NoCharacter)
            ? string.Concat(text.EnumerateRunes()).Replace(NoCharacter, (char)Rune.ReplacementChar.Value)
            : text;
        return whole.Normalize(NormalizationForm.FormKC);
    }
}
