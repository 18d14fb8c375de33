using System.Net;

namespace Appliance.Objects;

public enum ObjectStoreKind
{
    /// <summary>A folder of this machine.</summary>
    Disk,

    /// <summary>Any server that speaks Amazon's S3 protocol.</summary>
    S3,
}

/// <summary>When to send (and ask for) the additional checksums that S3 has had since 2024. Older stores need <see cref="WhenRequired"/>.</summary>
public enum ChecksumUse
{
    WhenRequired,
    WhenSupported,
}

/// <summary>Where the objects lie. <see cref="Problems"/> says what is wrong with it.</summary>
public sealed class ObjectStoreOptions
{
    public ObjectStoreKind Kind { get; set; }

    /// <summary>Disk: the absolute path of a folder that belongs to the store alone. It is created where its parent exists.</summary>
    public string? Folder { get; set; }

    /// <summary>S3: where the server is, such as <c>https://objects.internal:9000</c>. Plain http is taken for a loopback address only.</summary>
    public Uri? Endpoint { get; set; }

    /// <summary>S3: a bucket that belongs to the store alone. It is created when it is not there and the credentials may.</summary>
    public string? Bucket { get; set; }

    /// <summary>S3: a file that holds the access key id.</summary>
    public string? AccessKeyFile { get; set; }

    /// <summary>S3: a file that holds the secret access key.</summary>
    public string? SecretKeyFile { get; set; }

    /// <summary>S3: the region that requests are signed for.</summary>
    public string Region { get; set; } = "us-east-1";

    /// <summary>S3: address the bucket in the path, not in the host name.</summary>
    public bool ForcePathStyle { get; set; } = true;

    /// <summary>S3: PEM file of the authorities to trust. When set, only these are.</summary>
    public string? CertificateAuthorityFile { get; set; }

    /// <summary>S3: PEM file of the certificate to present to the server, with <see cref="ClientKeyFile"/>.</summary>
    public string? ClientCertificateFile { get; set; }

    /// <summary>S3: PEM file of the private key of <see cref="ClientCertificateFile"/>.</summary>
    public string? ClientKeyFile { get; set; }

    /// <summary>S3: checksums sent with requests.</summary>
    public ChecksumUse RequestChecksum { get; set; } = ChecksumUse.WhenRequired;

    /// <summary>S3: checksums asked for with answers.</summary>
    public ChecksumUse ResponseChecksum { get; set; } = ChecksumUse.WhenRequired;

    /// <summary>S3: bytes in a part of an upload, 5 MiB to 1 GiB; bigger objects than that go up in parts. A write holds at most two in memory.</summary>
    public long PartSize { get; set; } = 8 << 20;

    /// <summary>S3: how long one request, or one wait for more bytes of an answer, may take.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Every problem that can be seen without using the store, as a sentence that names the setting and the fix.</summary>
    public IEnumerable<string> Problems() => Kind == ObjectStoreKind.Disk ? DiskProblems() : S3Problems();

    IEnumerable<string> DiskProblems()
    {
        if (Folder is null || !Path.IsPathFullyQualified(Folder))
        {
            yield return $"{nameof(Folder)} must be the absolute path of the folder that holds the objects; it is '{Folder}'.";
        }
    }

    IEnumerable<string> S3Problems()
    {
        if (Endpoint is null || !Endpoint.IsAbsoluteUri || Endpoint.Scheme is not ("https" or "http") || Endpoint.UserInfo.Length > 0)
        {
            yield return $"{nameof(Endpoint)} must be the address of the S3 server, such as https://objects.internal:9000, without a user name.";
        }
        else if (Endpoint.Scheme == "http" && !IsLoopback(Endpoint))
        {
            yield return $"{nameof(Endpoint)} must begin with https://: without TLS, only a server on this machine's loopback address is used.";
        }
        if (string.IsNullOrWhiteSpace(Bucket))
        {
            yield return $"{nameof(Bucket)} must name the bucket that holds the objects.";
        }
        foreach (var (name, file, needed) in Files())
        {
            if (file is null ? needed : !Readable(file))
            {
                yield return $"{name} must name a file that the service can read; it is '{file}'.";
            }
            else if (file is not null && new FileInfo(file).Length == 0)
            {
                yield return $"{name} names '{file}', which is empty.";
            }
            else if (file is not null && IsSecret(name) && (File.GetUnixFileMode(file) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite)) != UnixFileMode.None)
            {
                yield return $"{name} names '{file}', which every account of this machine can read. Take that away: chmod o= '{file}'.";
            }
        }
        if (ClientCertificateFile is null != ClientKeyFile is null)
        {
            yield return $"{nameof(ClientCertificateFile)} and {nameof(ClientKeyFile)} go together: set both or neither.";
        }
        if (PartSize is < 5 << 20 or > 1 << 30)
        {
            yield return $"{nameof(PartSize)} must be between 5 MiB (5242880) and 1 GiB (1073741824) bytes; it is {PartSize}.";
        }
        if (Timeout < TimeSpan.FromSeconds(1) || Timeout > TimeSpan.FromHours(1))
        {
            yield return $"{nameof(Timeout)} must be between a second and an hour; it is {Timeout}.";
        }
    }

    IEnumerable<(string Name, string? File, bool Needed)> Files() =>
    [
        (nameof(AccessKeyFile), AccessKeyFile, true),
        (nameof(SecretKeyFile), SecretKeyFile, true),
        (nameof(CertificateAuthorityFile), CertificateAuthorityFile, false),
        (nameof(ClientCertificateFile), ClientCertificateFile, false),
        (nameof(ClientKeyFile), ClientKeyFile, false),
    ];

    static bool IsSecret(string name) => name is nameof(AccessKeyFile) or nameof(SecretKeyFile) or nameof(ClientKeyFile);

    static bool Readable(string file)
    {
        try
        {
            using var opened = File.OpenHandle(file);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false;
        }
    }

    /// <summary>By address, or the name localhost: any other name is somebody's answer to a question (RFC 6761 section 6.3).</summary>
    static bool IsLoopback(Uri endpoint) =>
        IPAddress.TryParse(endpoint.DnsSafeHost, out var address)
            ? IPAddress.IsLoopback(address)
            : endpoint.DnsSafeHost.Equals("localhost", StringComparison.OrdinalIgnoreCase);
}
