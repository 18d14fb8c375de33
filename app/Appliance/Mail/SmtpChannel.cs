using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Web;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace Appliance.Mail;

/// <summary>How it went.</summary>
internal enum MailOutcome
{
    Sent,

    /// <summary>The server will never take this mail (RFC 5321 §4.2.1, 5yz for the recipient or the message).</summary>
    Refused,

    /// <summary>Not now: this mail.</summary>
    Postponed,

    /// <summary>Not now: any mail. The server is away, cannot be trusted, or does not let us in.</summary>
    ServerAway,
}

/// <param name="Outcome">What is known of the mail.</param>
/// <param name="Problem">For the operator: what the server or the connection said, one bounded line.</param>
internal sealed record MailResult(MailOutcome Outcome, string? Problem = null);

/// <summary>
/// Hands a mail to the operator's server (RFC 5321), by TLS alone and to a server whose certificate holds, with MailKit. One connection for each mail, bounded
/// in time and in what the server may say. Asks nobody else: no revocation list, no other server.
/// </summary>
public sealed class SmtpChannel(Settings settings)
{
    private const int MostRead = 256 << 10;
    private const int LongestProblem = 200;

    internal async Task<MailResult> SendAsync(MimeMessage message, CancellationToken ct)
    {
        var server = settings.Mail ?? throw new InvalidOperationException("No mail server was named.");
        using var time = CancellationTokenSource.CreateLinkedTokenSource(ct);
        time.CancelAfter(server.Timeout);
        try
        {
            await SendAsync(server, message, time.Token);
            return new MailResult(MailOutcome.Sent);
        }
        catch (SmtpCommandException e)
        {
            var aboutThisMail = e.ErrorCode is SmtpErrorCode.RecipientNotAccepted or SmtpErrorCode.MessageNotAccepted;
            var outcome = !aboutThisMail ? MailOutcome.ServerAway : (int)e.StatusCode >= 500 ? MailOutcome.Refused : MailOutcome.Postponed;
            return new MailResult(outcome, OneLine($"{(int)e.StatusCode} {e.Message}"));
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new MailResult(MailOutcome.ServerAway, "The server did not answer in time.");
        }
        catch (Exception e) when (e is SocketException or IOException or ProtocolException or System.Security.Authentication.AuthenticationException or MailKit.Security.AuthenticationException
            or SslHandshakeException or NotSupportedException or InvalidDataException or UnauthorizedAccessException or CryptographicException or ServiceNotConnectedException
            or ServiceNotAuthenticatedException)
        {
            return new MailResult(MailOutcome.ServerAway, OneLine(e is SslHandshakeException ? "TLS: the server's certificate does not hold, or it offers nothing that we accept." : e.Message));
        }
    }

    private static async Task SendAsync(MailSettings server, MimeMessage message, CancellationToken ct)
    {
        using var client = new SmtpClient
        {
            SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CheckCertificateRevocation = false, // would ask a third party
            Timeout = (int)server.Timeout.TotalMilliseconds,
        };
        var authority = Authority(server);
        if (authority is not null)
        {
            client.ServerCertificateValidationCallback = (_, certificate, chain, errors) => Holds(certificate, chain, errors, authority);
        }
        await client.ConnectAsync(
            await OpenAsync(server, ct), server.Host, server.Port, server.Tls == SmtpTls.Implicit ? SecureSocketOptions.SslOnConnect : SecureSocketOptions.StartTls, ct);
        if (server.User is { } user)
        {
            await client.AuthenticateAsync(Encoding.UTF8, user, server.ReadPassword(), ct);
        }
        await client.SendAsync(message, ct);
        // It is sent. What the server says to a goodbye changes nothing.
        try
        {
            await client.DisconnectAsync(quit: true, ct);
        }
        catch (Exception e) when (e is IOException or ProtocolException or SmtpCommandException or OperationCanceledException or SocketException)
        {
        }
    }

    private static async Task<Stream> OpenAsync(MailSettings server, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            using var time = CancellationTokenSource.CreateLinkedTokenSource(ct);
            time.CancelAfter(server.ConnectTimeout);
            await socket.ConnectAsync(server.Host, server.Port, time.Token);
            return new BoundedStream(new NetworkStream(socket, ownsSocket: true), MostRead);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static X509Certificate2Collection? Authority(MailSettings server)
    {
        if (server.AuthorityFile is not { } file)
        {
            return null;
        }
        var authority = new X509Certificate2Collection();
        authority.ImportFromPemFile(file);
        return authority;
    }

    /// <summary>The operator's authority alone vouches; the name was compared by the framework.</summary>
    private static bool Holds(X509Certificate? certificate, X509Chain? sent, SslPolicyErrors errors, X509Certificate2Collection authority)
    {
        if (certificate is not X509Certificate2 leaf || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
        {
            return false;
        }
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1")); // server authentication
        chain.ChainPolicy.CustomTrustStore.AddRange(authority);
        foreach (var element in sent?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
        {
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        }
        return chain.Build(leaf);
    }

    private static string OneLine(string text)
    {
        var line = string.Concat(text.EnumerateRunes().Select(r => Rune.IsControl(r) ? " " : r.ToString())).Trim();
        return line.Length <= LongestProblem ? line : line[..LongestProblem];
    }
}
