namespace Appliance.Mail;

/// <summary>Other people's words in a mail of ours.</summary>
public static class MailText
{
    /// <summary>
    /// A name that somebody chose, as letters, digits and blanks: mail programs make links of what looks like an address, and nobody's name shall lead anywhere.
    /// </summary>
    public static string Tame(string name) => string.Concat(name.EnumerateRunes().Select(r => System.Text.Rune.IsLetterOrDigit(r) ? r.ToString() : " ")).Trim();
}
