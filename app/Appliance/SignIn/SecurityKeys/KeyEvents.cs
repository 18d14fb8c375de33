using System.Globalization;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;

namespace Appliance.SignIn.SecurityKeys;

/// <summary>What the appliance's ledger hears of security keys.</summary>
internal static class KeyEvents
{
    public static LedgerEvent Added(SecurityKey key) => About("security-key.added", key, new(StringComparer.Ordinal)
    {
        ["name"] = key.Name,
        ["model"] = key.Aaguid.ToString("D"),
        ["attestation"] = key.AttestationFormat,
    });

    public static LedgerEvent Removed(SecurityKey key) => About("security-key.removed", key, new(StringComparer.Ordinal) { ["name"] = key.Name });

    public static LedgerEvent Renamed(SecurityKey key, string before) => About("security-key.renamed", key, new(StringComparer.Ordinal)
    {
        ["name"] = key.Name,
        ["before"] = before,
    });

    /// <summary>An incident: there may be a copy of the key.</summary>
    public static LedgerEvent CounterRegressed(SecurityKey key, uint count) => About("security-key.counter-regressed", key, new(StringComparer.Ordinal)
    {
        ["expected-above"] = key.SignCount.ToString(CultureInfo.InvariantCulture),
        ["count"] = count.ToString(CultureInfo.InvariantCulture),
    });

    public static LedgerEvent Refused(UserId user, CeremonyPurpose purpose, string rule) => new(
        "security-key.refused",
        user.ToString(),
        new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["for"] = purpose == CeremonyPurpose.Registration ? "registration" : "assertion",
            ["rule"] = rule,
        });

    private static LedgerEvent About(string action, SecurityKey key, Dictionary<string, string?> details)
    {
        details["user"] = key.UserId.ToString();
        return new LedgerEvent(action, key.Reference, details);
    }
}

/// <summary>What a person may call a key.</summary>
internal static class KeyName
{
    public const int MaxLength = 64;

    public const string Rule = "Give the key a name of 1 to 64 characters.";

    /// <summary>What a first key is called whose owner gave it no name.</summary>
    public const string Usual = "Security key";

    public static string OrUsual(string? name) => string.IsNullOrWhiteSpace(name) ? Usual : name.Trim();

    /// <summary>Trimmed; no control, formatting or unpaired characters, which could make one name look like another.</summary>
    public static bool TryClean(string? name, out string clean)
    {
        clean = name is null ? "" : NormalForm.Compatible(name.Trim());
        return clean.Length is >= 1 and <= MaxLength && clean.EnumerateRunes().All(IsPlain);
    }

    private static bool IsPlain(System.Text.Rune rune) => rune != System.Text.Rune.ReplacementChar && System.Text.Rune.GetUnicodeCategory(rune)
        is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
