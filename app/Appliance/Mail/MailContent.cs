namespace Appliance.Mail;

/// <summary>What a mail says, before it is known how its reader is called and what their phrase is.</summary>
/// <param name="Kind">What it is about: a word for the ledger and the operator, never a name.</param>
/// <param name="Subject">Without line breaks.</param>
/// <param name="Paragraphs">Plain text.</param>
/// <param name="Link">Where to go, an address of ours.</param>
/// <param name="LinkText">What happens there.</param>
public sealed record MailContent(string Kind, string Subject, IReadOnlyList<string> Paragraphs, Uri? Link = null, string? LinkText = null)
{
    /// <summary>Long enough for a server that is away for a long weekend (RFC 5321 §4.5.4.1 asks for 4 to 5 days).</summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromDays(5);
}
