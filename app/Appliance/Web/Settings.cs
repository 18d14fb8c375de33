using System.Net;
using Appliance.Admin;
using Appliance.Data;
using Appliance.Mail;
using Appliance.Objects;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys.Attestation;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.SignIn.Sms;

namespace Appliance.Web;

/// <summary>
/// What the operator decides, read once at the start from the environment (<c>APPLIANCE_…</c>); everything has a safe default.
/// Secrets are never values here, only the paths of files that hold them.
/// </summary>
public sealed record Settings
{
    /// <summary>The folder of keys, certificates and, embedded, objects. <c>APPLIANCE_DATA</c>.</summary>
    public required string DataFolder { get; init; }

    /// <summary>The origin people type. WebAuthn binds keys to its host. <c>APPLIANCE_ORIGIN</c>.</summary>
    public Uri Origin { get; init; } = new("https://localhost:8443");

    /// <summary>Which security keys may be added. <c>APPLIANCE_ATTESTATION</c>: <c>known</c> or <c>any</c>.</summary>
    public AttestationPolicy Attestation { get; init; } = AttestationPolicy.Known;

    /// <summary>
    /// Who proves a security key's model. <c>APPLIANCE_ATTESTATION_ROOTS</c>, <c>APPLIANCE_FIDO_METADATA</c>, <c>APPLIANCE_FIDO_METADATA_ROOT</c>,
    /// <c>APPLIANCE_FIDO_METADATA_SIGNER</c>.
    /// </summary>
    public KeyModelSettings KeyModels { get; init; } = new();

    /// <summary>Sessions and passwords.</summary>
    public SignInSettings SignIn { get; init; } = new();

    /// <summary>Who sends text messages; null: nobody, and none are offered. <c>APPLIANCE_SMS_URL</c>, <c>APPLIANCE_SMS_KEY_FILE</c>, <c>APPLIANCE_SMS_CA_FILE</c>.</summary>
    public SmsSettings? Sms { get; init; }

    /// <summary>
    /// Who sends mail; null: nobody. <c>APPLIANCE_SMTP_HOST</c>, <c>APPLIANCE_SMTP_PORT</c>, <c>APPLIANCE_SMTP_TLS</c>, <c>APPLIANCE_SMTP_CA_FILE</c>,
    /// <c>APPLIANCE_SMTP_USER</c>, <c>APPLIANCE_SMTP_PASSWORD_FILE</c>, <c>APPLIANCE_MAIL_FROM</c>.
    /// </summary>
    public MailSettings? Mail { get; init; }

    /// <summary>Where the service listens. <c>APPLIANCE_LISTEN</c>, an address and a port.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 8443);

    /// <summary>Where metrics are served; loopback unless told otherwise. <c>APPLIANCE_METRICS_LISTEN</c>.</summary>
    public IPEndPoint MetricsListen { get; init; } = new(IPAddress.Loopback, 9464);

    /// <summary>The operators' port; null: there is none. <c>APPLIANCE_ADMIN_LISTEN</c>, <c>APPLIANCE_OPERATOR_KEYS_FILE</c>, <c>APPLIANCE_OPERATOR_KEYS</c>.</summary>
    public AdminSettings? Admin { get; init; }

    /// <summary>The operator's certificate with its chain, PEM; unset, the appliance makes its own. <c>APPLIANCE_TLS_CERTIFICATE</c>.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>The key of <see cref="CertificateFile"/>, PEM. <c>APPLIANCE_TLS_KEY</c>.</summary>
    public string? CertificateKeyFile { get; init; }

    /// <summary>How often the certificate files are looked at.</summary>
    public TimeSpan CertificateCheckInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Proxies in front of us whose connections begin with a PROXY protocol header; no one else's do. None by default. <c>APPLIANCE_PROXY_PROTOCOL_FROM</c>, networks with commas between them.</summary>
    public IReadOnlyList<IPNetwork> ProxyProtocolFrom { get; init; } = [];

    /// <summary>How long a proxy may take for that header.</summary>
    public TimeSpan ProxyHeaderTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>At the end: how long to go on serving while readiness says no already, so that whoever spreads requests looks elsewhere first. <c>APPLIANCE_DRAIN_SECONDS</c>, 0 to 300.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.Zero;

    /// <summary>How long a client may take for its TLS handshake.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How much a client may take.</summary>
    public LimitSettings Limits { get; init; } = new();

    /// <summary>Days that an old generation of a team's key stays after a rotation, 2 to 3650: longer than backups of objects are kept. <c>APPLIANCE_OLD_KEY_DAYS</c>.</summary>
    public int OldKeyDays { get; init; } = 35;

    /// <summary>GiB that one file may have, 1 to 1024. <c>APPLIANCE_MAX_FILE_GIB</c>.</summary>
    public int MaxFileGibibytes { get; init; } = 50;

    /// <summary>GiB that a team may store unless the operator says otherwise for it (verb <c>quota</c>); null: no limit. <c>APPLIANCE_TEAM_QUOTA_GIB</c>.</summary>
    public int? TeamQuotaGibibytes { get; init; }

    /// <summary>Files that a team may store, likewise. <c>APPLIANCE_TEAM_QUOTA_FILES</c>.</summary>
    public int? TeamQuotaFiles { get; init; }

    /// <summary>How far an identity provider's clock and ours may be apart, 0 to 300 seconds. <c>APPLIANCE_SAML_SKEW_SECONDS</c>.</summary>
    public TimeSpan SamlSkew { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>The folder of PostgreSQL's socket, or a host, which then needs <see cref="DatabaseTls"/>. <c>APPLIANCE_DATABASE_HOST</c>.</summary>
    public required string DatabaseHost { get; init; }

    /// <summary><c>APPLIANCE_DATABASE_PORT</c>.</summary>
    public int DatabasePort { get; init; } = 5432;

    /// <summary><c>APPLIANCE_DATABASE_NAME</c>.</summary>
    public string DatabaseName { get; init; } = "appliance";

    /// <summary>
    /// For a server across a network: <c>APPLIANCE_DATABASE_CA_FILE</c>, <c>APPLIANCE_DATABASE_CERTIFICATE_FILE</c>, <c>APPLIANCE_DATABASE_KEY_FILE</c>.
    /// </summary>
    public DatabaseTls? DatabaseTls { get; init; }

    /// <summary>Where sealed objects lie; by default on this machine's disk.</summary>
    public ObjectStoreOptions Objects { get => field ?? new ObjectStoreOptions { Kind = ObjectStoreKind.Disk, Folder = ObjectFolder }; init; }

    public DatabaseOptions Database => new() { Host = DatabaseHost, Port = DatabasePort, Name = DatabaseName, Tls = DatabaseTls };

    /// <summary>What the environment says.</summary>
    /// <exception cref="SettingsException">Names each variable that cannot be used, and what to put into it.</exception>
    public static Settings FromEnvironment() => SettingsReader.Read(Environment.GetEnvironmentVariables());

    public string CertificateFolder => Path.Combine(DataFolder, "certificates");

    public string KeyFolder => Path.Combine(DataFolder, "keys");

    public string ApplianceKeyFile => Path.Combine(KeyFolder, "appliance.key");

    public string LedgerKeyFile => Path.Combine(KeyFolder, "ledger.key");

    public string TeamKeyFolder => Path.Combine(KeyFolder, "teams");

    public string ObjectFolder => Path.Combine(DataFolder, "objects");
}
