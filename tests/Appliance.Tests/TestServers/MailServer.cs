using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading.Channels;
using Appliance.Mail;
using MimeKit;

namespace Appliance.Tests.TestServers;

/// <param name="To">Whom the server was told to give it to.</param>
/// <param name="Message">As it came over the wire.</param>
public sealed record ReceivedMail(string To, MimeMessage Message)
{
    public string Text => Message.TextBody!.ReplaceLineEndings("\n");

    public string Html => Message.HtmlBody!;

    public string Subject => Message.Subject!;

    /// <summary>The path of the first link of ours whose path begins so.</summary>
    public string Link(string path) => Regex.Match(Text, $"https://[^/]+(?<path>{Regex.Escape(path)}[A-Za-z0-9_-]+)", RegexOptions.None, TimeSpan.FromSeconds(5)).Groups["path"].Value;
}

/// <summary>An organisation's mail server: real SMTP, real TLS (tests/mail/smtpd.py).</summary>
public sealed class MailServer : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-mail-").FullName;
    private readonly SmtpTls? _tls;
    private readonly List<ReceivedMail> _mails = [];
    private readonly Channel<bool> _behaves = Channel.CreateUnbounded<bool>();
    private readonly SemaphoreSlim _came = new(0);
    private Process? _process;

    private MailServer(SmtpTls? tls) => _tls = tls;

    public const string User = "appliance", Password = "smtp secret of the test";

    public int Port { get; private set; }

    public IReadOnlyList<ReceivedMail> Mails
    {
        get
        {
            lock (_mails)
            {
                return [.. _mails];
            }
        }
    }

    /// <summary>What the appliance is told.</summary>
    public MailSettings Settings => new("localhost", Port, _tls ?? SmtpTls.StartTls, new MailboxAddress("Files", "files@example.org"))
    {
        AuthorityFile = Path.Combine(_folder, "ca.pem"),
        User = User,
        PasswordFile = Path.Combine(_folder, "password"),
        Timeout = TimeSpan.FromSeconds(5),
    };

    /// <param name="tls">null: it speaks in clear only.</param>
    public static async Task<MailServer> StartAsync(SmtpTls? tls = SmtpTls.Implicit)
    {
        var server = new MailServer(tls);
        var authority = new TestAuthority("Mail authority");
        var (pem, key) = authority.Issue("mail", "localhost");
        await File.WriteAllTextAsync(Path.Combine(server._folder, "ca.pem"), authority.Pem);
        await File.WriteAllTextAsync(Path.Combine(server._folder, "server.pem"), pem);
        await File.WriteAllTextAsync(Path.Combine(server._folder, "server.key"), key);
        await File.WriteAllTextAsync(Path.Combine(server._folder, "password"), Password + "\n");
        server.Port = Ports.Free();
        await server.StartAgainAsync();
        return server;
    }

    public async Task StartAgainAsync()
    {
        string[] account = _tls is null ? [] : [User, Password];
        _process = Process.Start(new ProcessStartInfo("/usr/bin/python3",
            [Script(), $"{Port}", Path.Combine(_folder, "server.pem"), Path.Combine(_folder, "server.key"), _tls switch { SmtpTls.Implicit => "implicit", SmtpTls.StartTls => "starttls", _ => "plain" }, .. account])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        if (await _process.StandardOutput.ReadLineAsync() != "ready")
        {
            throw new InvalidOperationException("The mail server did not start.");
        }
        _ = ReadAsync(_process.StandardOutput);
    }

    public async Task StopAsync()
    {
        if (_process is { } process)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
            _process = null;
        }
    }

    /// <summary>ok, refuse, later, slow or drop.</summary>
    public async Task BehaveAsync(string how)
    {
        await _process!.StandardInput.WriteLineAsync(how);
        await _process.StandardInput.FlushAsync();
        await _behaves.Reader.ReadAsync();
    }

    /// <summary>Waits for a mail.</summary>
    public async Task<ReceivedMail> WaitAsync(Func<ReceivedMail, bool> which, int seconds = 30)
    {
        var end = Stopwatch.StartNew();
        while (end.Elapsed < TimeSpan.FromSeconds(seconds))
        {
            if (Mails.LastOrDefault(which) is { } mail)
            {
                return mail;
            }
            await _came.WaitAsync(TimeSpan.FromMilliseconds(200));
        }
        throw new TimeoutException($"That mail did not come. There came: {string.Join("; ", Mails.Select(m => m.To + ": " + m.Subject))}");
    }

    public Task<ReceivedMail> WaitAsync(string to, string subject) =>
        WaitAsync(m => m.To == to && m.Subject.Contains(subject, StringComparison.Ordinal));

    public int Count(string to, string subject) => Mails.Count(m => m.To == to && m.Subject.Contains(subject, StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _came.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task ReadAsync(StreamReader lines)
    {
        while (await lines.ReadLineAsync() is { } line)
        {
            if (line == "behaves")
            {
                _behaves.Writer.TryWrite(true);
                continue;
            }
            using var json = JsonDocument.Parse(line);
            using var data = new MemoryStream(json.RootElement.GetProperty("data").GetBytesFromBase64());
            var message = await MimeMessage.LoadAsync(data);
            lock (_mails)
            {
                _mails.AddRange(json.RootElement.GetProperty("to").EnumerateArray().Select(to => new ReceivedMail(to.GetString()!, message)));
            }
            _came.Release();
        }
    }

    private static string Script()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Path.Combine(folder.FullName, "tests", "mail", "smtpd.py") is var script && File.Exists(script))
            {
                return script;
            }
        }
        throw new FileNotFoundException("tests/mail/smtpd.py is not above the test's folder.");
    }
}
