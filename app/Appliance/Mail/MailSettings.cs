using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using MimeKit;

namespace Appliance.Mail;

/// <summary>How TLS begins. There is no third way: nothing is ever sent in clear.</summary>
public enum SmtpTls
{
    /// <summary>With the connection (RFC 8314 §3.3), as on port 465.</summary>
    Implicit,

    /// <summary>By STARTTLS (RFC 3207), as on port 587; a server that does not offer it is not used.</summary>
    StartTls,
}

/// <summary>The organisation's mail server (docs/mail.md).</summary>
/// <param name="Host">Its name, as its certificate has it. <c>APPLIANCE_SMTP_HOST</c>.</param>
/// <param name="Port"><c>APPLIANCE_SMTP_PORT</c>; 465 unless set.</param>
/// <param name="Tls"><c>APPLIANCE_SMTP_TLS</c>: <c>implicit</c> (the default, except on port 587) or <c>starttls</c>.</param>
/// <param name="From">Whom the mails come from. <c>APPLIANCE_MAIL_FROM</c>.</param>
public sealed record MailSettings(string Host, int Port, SmtpTls Tls, MailboxAddress From)
{
    /// <summary>Who vouches for the server's certificate, PEM; null: who the system trusts. <c>APPLIANCE_SMTP_CA_FILE</c>.</summary>
    public string? AuthorityFile { get; init; }

    /// <summary>The account at the server; null: it knows us by our address. <c>APPLIANCE_SMTP_USER</c>.</summary>
    public string? User { get; init; }

    /// <summary>The file with that account's password, read for each connection. <c>APPLIANCE_SMTP_PASSWORD_FILE</c>.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>At most so long for one mail, connecting included.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>At most so long until the server answers at all.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <exception cref="InvalidDataException">Empty, or too long to be one.</exception>
    internal string ReadPassword()
    {
        const int Longest = 1024;
        var text = new FileInfo(PasswordFile!).Length <= Longest ? File.ReadAllText(PasswordFile!).TrimEnd('\r', '\n') : "";
        return text.Length > 0 ? text : throw new InvalidDataException($"{PasswordFile} must hold the password, 1 to {Longest} bytes.");
    }

    /// <summary>What is wrong with the files, as sentences.</summary>
    internal IEnumerable<string> Problems()
    {
        var problems = new List<string>();
        try
        {
            if (PasswordFile is not null)
            {
                ReadPassword();
            }
            if (AuthorityFile is not null)
            {
                var authority = new X509Certificate2Collection();
                authority.ImportFromPemFile(AuthorityFile);
                if (authority.Count == 0)
                {
                    problems.Add($"{AuthorityFile} holds no certificate.");
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or CryptographicException)
        {
            problems.Add(e.Message);
        }
        return problems;
    }
}
