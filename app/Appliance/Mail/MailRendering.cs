using System.Net;
using System.Text;
using MimeKit;
using MimeKit.Text;

namespace Appliance.Mail;

/// <summary>Who reads a mail.</summary>
/// <param name="Address">Where it goes.</param>
/// <param name="Username">Null: nobody that we know.</param>
/// <param name="Phrase">The person's own; null: they have none, or the address is not known to be theirs.</param>
internal sealed record MailReader(string Address, string? Username, string? Phrase);

/// <summary>A mail as text and as HTML that loads nothing, the same words in both.</summary>
internal static class MailRendering
{
    public static MimeMessage Render(string reference, DateTimeOffset at, MailHead head, MailBody body, MailReader reader, MailboxAddress from, Uri origin)
    {
        var message = new MimeMessage
        {
            Subject = head.Subject,
            Date = at,
            // The same for each try, so that a mail that was sent twice is seen to be one (RFC 5322 §3.6.4).
            MessageId = $"{reference}@{origin.IdnHost}",
        };
        message.From.Add(from);
        message.To.Add(new MailboxAddress("", reader.Address));
        // Nobody's holiday note answers it (RFC 3834 §5).
        message.Headers.Add("Auto-Submitted", "auto-generated");
        message.Headers.Add("X-Auto-Response-Suppress", "All");
        var closing = Closing(reference, reader, origin);
        message.Body = new MultipartAlternative
        {
            new TextPart(TextFormat.Plain) { Text = Plain(body, reader, closing) },
            new TextPart(TextFormat.Html) { Text = Html(head, body, reader, closing) },
        };
        return message;
    }

    private static List<string> Closing(string reference, MailReader reader, Uri origin)
    {
        var lines = new List<string>();
        if (reader.Phrase is { } phrase)
        {
            lines.Add($"Your phrase: {phrase}");
            lines.Add($"Every mail from us to you carries it, and is listed under “Messages we sent you”: {new Uri(origin, "/account/messages")}. Trust none that does not and is not.");
        }
        lines.Add($"Sent by {origin.Authority}. Reference: {reference}");
        return lines;
    }

    private static string Plain(MailBody body, MailReader reader, IEnumerable<string> closing)
    {
        var text = new StringBuilder();
        text.Append("Hello").Append(reader.Username is { } name ? " " + name : "").Append(",\n\n");
        foreach (var paragraph in body.Paragraphs)
        {
            text.Append(paragraph).Append("\n\n");
        }
        if (body.Link is { } link)
        {
            text.Append(body.LinkText).Append(":\n").Append(link).Append("\n\n");
        }
        text.Append("-- \n");
        foreach (var line in closing)
        {
            text.Append(line).Append('\n');
        }
        return text.ToString();
    }

    private static string Html(MailHead head, MailBody body, MailReader reader, IEnumerable<string> closing)
    {
        var html = new StringBuilder();
        html.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>").Append(Encoded(head.Subject))
            .Append("</title></head><body style=\"font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:1.5em auto;padding:0 1em\">");
        html.Append("<p>Hello").Append(reader.Username is { } name ? " " + Encoded(name) : "").Append(",</p>");
        foreach (var paragraph in body.Paragraphs)
        {
            html.Append("<p>").Append(Encoded(paragraph)).Append("</p>");
        }
        if (body.Link is { } link)
        {
            // The address is shown as well: a link whose text hides where it leads is how people are fooled.
            html.Append("<p><a href=\"").Append(Encoded(link.ToString())).Append("\"><strong>").Append(Encoded(body.LinkText ?? "")).Append("</strong></a><br><small>")
                .Append(Encoded(link.ToString())).Append("</small></p>");
        }
        html.Append("<hr><small>").AppendJoin("<br>", closing.Select(Encoded)).Append("</small></body></html>");
        return html.ToString();
    }

    private static string Encoded(string text) => WebUtility.HtmlEncode(text);
}
