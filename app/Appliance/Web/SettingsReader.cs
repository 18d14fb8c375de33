using System.Collections;
using System.Globalization;
using System.Net;
using Appliance.Accounts;
using Appliance.Admin;
using Appliance.Data;
using Appliance.Mail;
using Appliance.Objects;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys.Attestation;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.SignIn.Sms;
using MimeKit;

namespace Appliance.Web;

/// <summary>Reads <see cref="Settings"/> from the environment, and says everything that is wrong with it at once.</summary>
internal sealed class SettingsReader : EnvironmentReader
{
    private static readonly string[] s_databaseFiles = ["DATABASE_CA_FILE", "DATABASE_CERTIFICATE_FILE", "DATABASE_KEY_FILE"];

    private SettingsReader(IDictionary environment)
        : base(environment)
    {
    }

    /// <param name="environment">The variables.</param>
    /// <exception cref="SettingsException">Names each variable and what to put into it.</exception>
    public static Settings Read(IDictionary environment)
    {
        var reader = new SettingsReader(environment);
        var settings = reader.ReadAll();
        reader.RefuseUnknown();
        return reader.Problems.Count == 0 ? settings : throw new SettingsException(reader.Problems);
    }

    private Settings ReadAll()
    {
        var defaults = new Settings { DataFolder = "", DatabaseHost = "" };
        var data = Path.GetFullPath(Text("DATA") ?? "data");
        var settings = new Settings
        {
            DataFolder = data,
            Origin = Origin() ?? defaults.Origin,
            Attestation = Attestation(),
            KeyModels = KeyModels(defaults.KeyModels),
            SignIn = SignIn(defaults.SignIn),
            Sms = Sms(),
            Mail = Mail(),
            Listen = EndPoint("LISTEN", defaults.Listen),
            MetricsListen = EndPoint("METRICS_LISTEN", defaults.MetricsListen),
            Admin = Admin(),
            CertificateFile = File("TLS_CERTIFICATE"),
            CertificateKeyFile = File("TLS_KEY"),
            ProxyProtocolFrom = Networks("PROXY_PROTOCOL_FROM"),
            Drain = TimeSpan.FromSeconds(Number("DRAIN_SECONDS", (int)defaults.Drain.TotalSeconds, 0, 300)),
            DatabaseHost = DatabaseHost(Path.Combine(data, "run")),
            DatabasePort = Number("DATABASE_PORT", defaults.DatabasePort, 1, 65535),
            DatabaseName = DatabaseName() ?? defaults.DatabaseName,
            DatabaseTls = DatabaseTls(),
            Objects = Objects(data),
            MaxFileGibibytes = Number("MAX_FILE_GIB", defaults.MaxFileGibibytes, 1, 1024),
            OldKeyDays = Number("OLD_KEY_DAYS", defaults.OldKeyDays, 2, 3650),
            TeamQuotaGibibytes = NumberOrNone("TEAM_QUOTA_GIB", 1, 1 << 20),
            TeamQuotaFiles = NumberOrNone("TEAM_QUOTA_FILES", 1, 1_000_000_000),
            SamlSkew = TimeSpan.FromSeconds(Number("SAML_SKEW_SECONDS", (int)defaults.SamlSkew.TotalSeconds, 0, 300)),
            Limits = defaults.Limits with
            {
                Connections = Number("MAX_CONNECTIONS", defaults.Limits.Connections, 16, 1_000_000),
                ConnectionsPerAddress = Number("MAX_CONNECTIONS_PER_ADDRESS", defaults.Limits.ConnectionsPerAddress, 8, 1_000_000),
                PerAddress = Rate("RATE_PER_ADDRESS", defaults.Limits.PerAddress),
                Anonymous = Rate("RATE_ANONYMOUS", defaults.Limits.Anonymous),
                PerAccount = Rate("RATE_PER_ACCOUNT", defaults.Limits.PerAccount),
                Uploads = Rate("RATE_UPLOADS", defaults.Limits.Uploads),
                Archives = Number("ARCHIVES", defaults.Limits.Archives, 1, 10_000),
                ArchivesPerPerson = Number("ARCHIVES_PER_PERSON", defaults.Limits.ArchivesPerPerson, 1, 10_000),
            },
        };
        if (settings.CertificateFile is null != settings.CertificateKeyFile is null)
        {
            Problems.Add("APPLIANCE_TLS_CERTIFICATE and APPLIANCE_TLS_KEY go together: set both to PEM files, or neither.");
        }
        if (settings.Listen.Port == settings.MetricsListen.Port)
        {
            Problems.Add("APPLIANCE_LISTEN and APPLIANCE_METRICS_LISTEN need different ports.");
        }
        if (settings.Admin?.Listen.Port is { } port && (port == settings.Listen.Port || port == settings.MetricsListen.Port))
        {
            Problems.Add("APPLIANCE_ADMIN_LISTEN needs another port than APPLIANCE_LISTEN and APPLIANCE_METRICS_LISTEN.");
        }
        if (DatabaseOptions.IsSocket(settings.DatabaseHost) != settings.DatabaseTls is null)
        {
            Problems.Add(settings.DatabaseTls is null
                ? $"APPLIANCE_DATABASE_HOST is '{settings.DatabaseHost}', a host: it is spoken to by TLS with certificates alone. Set APPLIANCE_DATABASE_CA_FILE, APPLIANCE_DATABASE_CERTIFICATE_FILE and APPLIANCE_DATABASE_KEY_FILE to PEM files."
                : $"APPLIANCE_DATABASE_HOST is '{settings.DatabaseHost}', a socket's folder, which takes no certificates. Name a host, or unset APPLIANCE_DATABASE_CA_FILE, APPLIANCE_DATABASE_CERTIFICATE_FILE and APPLIANCE_DATABASE_KEY_FILE.");
        }
        return settings;
    }

    private string DatabaseHost(string otherwise)
    {
        if (Text("DATABASE_HOST") is not { } host)
        {
            return otherwise;
        }
        if (!DatabaseOptions.IsSocket(host) && (host.Length > 255 || Uri.CheckHostName(host) == UriHostNameType.Unknown))
        {
            Problems.Add($"APPLIANCE_DATABASE_HOST is '{host}'; it must be the folder of PostgreSQL's socket, such as /run/postgresql, or one host, such as postgres.example.org.");
        }
        return host;
    }

    private string? DatabaseName()
    {
        var name = Text("DATABASE_NAME");
        if (name is not null && (name.Length > 63 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')))
        {
            Problems.Add($"APPLIANCE_DATABASE_NAME is '{name}'; it must be at most 63 letters, digits, - and _.");
        }
        return name;
    }

    /// <summary>All three or none: a server across a network is verified, and so are we.</summary>
    private DatabaseTls? DatabaseTls()
    {
        var files = s_databaseFiles.Select(name => (Name: Prefix + name, File: Text(name))).ToArray();
        if (files.All(f => f.File is null))
        {
            return null;
        }
        Problems.AddRange(files.Where(f => f.File is null).Select(f => $"{f.Name} is missing: APPLIANCE_DATABASE_CA_FILE, APPLIANCE_DATABASE_CERTIFICATE_FILE and APPLIANCE_DATABASE_KEY_FILE go together."));
        if (files.Any(f => f.File is null))
        {
            return null;
        }
        var tls = new DatabaseTls(Path.GetFullPath(files[0].File!), Path.GetFullPath(files[1].File!), Path.GetFullPath(files[2].File!));
        Problems.AddRange(tls.Problems().Select(problem => $"APPLIANCE_DATABASE_CA_FILE, APPLIANCE_DATABASE_CERTIFICATE_FILE, APPLIANCE_DATABASE_KEY_FILE: {problem}"));
        return tls;
    }

    /// <summary>Null: no keys, so no port.</summary>
    private AdminSettings? Admin()
    {
        var defaults = new AdminSettings();
        var admin = defaults with
        {
            Listen = EndPoint("ADMIN_LISTEN", defaults.Listen),
            KeysFile = Text("OPERATOR_KEYS_FILE") is { } file ? Path.GetFullPath(file) : null,
            Keys = Text("OPERATOR_KEYS"),
            BreakGlassWait = TimeSpan.FromHours(Number("BREAKGLASS_WAIT", (int)defaults.BreakGlassWait.TotalHours, 1, 144)),
        };
        if (admin.KeysFile is null && admin.Keys is null)
        {
            return null;
        }
        Problems.AddRange(OperatorKeyList.Read(admin).Problems);
        return admin;
    }

    private AttestationPolicy Attestation()
    {
        switch (Text("ATTESTATION"))
        {
            case null or "known":
                return AttestationPolicy.Known;
            case "any":
                return AttestationPolicy.Any;
            case var text:
                Problems.Add($"APPLIANCE_ATTESTATION is '{text}'; it can be known (the default) or any.");
                return AttestationPolicy.Known;
        }
    }

    private KeyModelSettings KeyModels(KeyModelSettings defaults)
    {
        var models = new KeyModelSettings
        {
            Roots = Path("ATTESTATION_ROOTS"),
            Metadata = Path("FIDO_METADATA"),
            MetadataRoot = Path("FIDO_METADATA_ROOT"),
            MetadataSigner = Text("FIDO_METADATA_SIGNER") ?? defaults.MetadataSigner,
        };
        Problems.AddRange(models.Problems(TimeProvider.System.GetUtcNow()));
        return models;

        string? Path(string name) => Text(name) is { } path ? System.IO.Path.GetFullPath(path) : null;
    }

    private SignInSettings SignIn(SignInSettings defaults) => defaults with
    {
        IdleLock = TimeSpan.FromMinutes(Number("IDLE_LOCK_MINUTES", (int)defaults.IdleLock.TotalMinutes, 1, 24 * 60)),
        Lifetime = TimeSpan.FromHours(Number("SESSION_HOURS", (int)defaults.Lifetime.TotalHours, 1, 7 * 24)),
        PasswordLength = Number("PASSWORD_LENGTH", defaults.PasswordLength, 7, 128),
        PasswordAge = NumberOrNone("PASSWORD_DAYS", 1, 3650) is { } days ? TimeSpan.FromDays(days) : null,
        RememberDevice = NumberOrNone("REMEMBER_DEVICE_DAYS", 1, 90) is { } remember ? TimeSpan.FromDays(remember) : null,
    };

    /// <summary>Null: no gateway, so no text messages.</summary>
    private SmsSettings? Sms()
    {
        var (url, key, authority) = (Text("SMS_URL"), Text("SMS_KEY_FILE"), Text("SMS_CA_FILE"));
        if (url is null && key is null && authority is null)
        {
            return null;
        }
        if (url is null || key is null)
        {
            Problems.Add("APPLIANCE_SMS_URL and APPLIANCE_SMS_KEY_FILE go together, and APPLIANCE_SMS_CA_FILE with them alone: set both, or none of them.");
            return null;
        }
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || !SmsSettings.IsAllowed(address))
        {
            Problems.Add($"APPLIANCE_SMS_URL is '{url}'; it must be an https address, or http on this machine's loopback address, without a name or password in it, such as https://sms.example.org/send.");
            return null;
        }
        var sms = new SmsSettings(address, Path.GetFullPath(key), authority is null ? null : Path.GetFullPath(authority));
        Problems.AddRange(sms.Problems().Select(problem => $"APPLIANCE_SMS_KEY_FILE, APPLIANCE_SMS_CA_FILE: {problem}"));
        return sms;
    }

    /// <summary>Null: no server, so no mail.</summary>
    private MailSettings? Mail()
    {
        var (host, from, user, password, authority) = (Text("SMTP_HOST"), Text("MAIL_FROM"), Text("SMTP_USER"), Text("SMTP_PASSWORD_FILE"), Text("SMTP_CA_FILE"));
        var (port, tls) = (Number("SMTP_PORT", 465, 1, 65535), Text("SMTP_TLS"));
        if (host is null || from is null)
        {
            if ((host ?? from ?? user ?? password ?? authority ?? tls ?? Text("SMTP_PORT")) is not null)
            {
                Problems.Add("APPLIANCE_SMTP_HOST and APPLIANCE_MAIL_FROM go together, and the other APPLIANCE_SMTP_ settings with them alone: set both, or none of them.");
            }
            return null;
        }
        if (host.Length > 255 || Uri.CheckHostName(host) == UriHostNameType.Unknown)
        {
            Problems.Add($"APPLIANCE_SMTP_HOST is '{host}'; it must be the mail server's name, such as mail.example.org.");
        }
        if (!MailboxAddress.TryParse(from, out var sender) || NameKey.EmailProblem(sender.Address) is not null)
        {
            Problems.Add($"APPLIANCE_MAIL_FROM is '{from}'; it must be an address, such as files@example.org or \"Files\" <files@example.org>.");
            return null;
        }
        if (tls is not (null or "implicit" or "starttls"))
        {
            Problems.Add($"APPLIANCE_SMTP_TLS is '{tls}'; it can be implicit (the default, except on port 587) or starttls. Mail is never sent in clear.");
        }
        if (user is null != password is null)
        {
            Problems.Add("APPLIANCE_SMTP_USER and APPLIANCE_SMTP_PASSWORD_FILE go together: set both, or neither.");
            return null;
        }
        var mail = new MailSettings(host, port, tls == "starttls" || (tls is null && port == 587) ? SmtpTls.StartTls : SmtpTls.Implicit, sender)
        {
            AuthorityFile = authority is null ? null : Path.GetFullPath(authority),
            User = user,
            PasswordFile = password is null ? null : Path.GetFullPath(password),
        };
        Problems.AddRange(mail.Problems().Select(problem => $"APPLIANCE_SMTP_PASSWORD_FILE, APPLIANCE_SMTP_CA_FILE: {problem}"));
        return mail;
    }

    private ObjectStoreOptions Objects(string data)
    {
        var kind = Text("OBJECTS") ?? "disk";
        var options = new ObjectStoreOptions
        {
            Kind = kind == "s3" ? ObjectStoreKind.S3 : ObjectStoreKind.Disk,
            Folder = Path.GetFullPath(Text("OBJECTS_FOLDER") ?? Path.Combine(data, "objects")),
            Endpoint = Text("S3_ENDPOINT") is { } endpoint ? Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) ? uri : null : null,
            Bucket = Text("S3_BUCKET"),
            AccessKeyFile = Text("S3_ACCESS_KEY_FILE"),
            SecretKeyFile = Text("S3_SECRET_KEY_FILE"),
            CertificateAuthorityFile = Text("S3_CA_FILE"),
            ClientCertificateFile = Text("S3_CLIENT_CERTIFICATE_FILE"),
            ClientKeyFile = Text("S3_CLIENT_KEY_FILE"),
        };
        options.Region = Text("S3_REGION") ?? options.Region;
        options.ForcePathStyle = YesNo("S3_PATH_STYLE", options.ForcePathStyle);
        if (YesNo("S3_CHECKSUMS", false))
        {
            options.RequestChecksum = options.ResponseChecksum = ChecksumUse.WhenSupported;
        }
        if (kind is not ("disk" or "s3"))
        {
            Problems.Add($"APPLIANCE_OBJECTS is '{kind}'; it can be disk (the default) or s3.");
        }
        Problems.AddRange(options.Problems().Select(problem => $"APPLIANCE_OBJECTS={kind}: {problem} The variables begin with APPLIANCE_S3_, or APPLIANCE_OBJECTS_FOLDER."));
        return options;
    }

    private Uri? Origin()
    {
        if (Text("ORIGIN") is not { } text)
        {
            return null;
        }
        if (Uri.TryCreate(text, UriKind.Absolute, out var origin) && origin.Scheme == Uri.UriSchemeHttps
            && origin is { AbsolutePath: "/", Query: "", Fragment: "", UserInfo: "" })
        {
            return origin;
        }
        Problems.Add($"APPLIANCE_ORIGIN is '{text}'; it must be what people type, https:// with a host and perhaps a port and nothing behind it, such as https://files.example.org.");
        return null;
    }

    /// <summary>Requests per second; the burst stays in proportion to them.</summary>
    private RequestRate Rate(string name, RequestRate otherwise)
    {
        var perSecond = Number(name, (int)otherwise.PerSecond, 1, 1_000_000);
        return new RequestRate((int)(otherwise.Burst / otherwise.PerSecond * perSecond), perSecond);
    }

}

/// <summary>Something in the environment cannot be used. The message names each variable and what to put into it.</summary>
public sealed class SettingsException(IReadOnlyList<string> problems) : Exception(string.Join(Environment.NewLine, problems));
