namespace Appliance.Web;

/// <summary>A bucket of requests: <paramref name="Burst"/> at once, refilled with <paramref name="PerSecond"/>.</summary>
public sealed record RequestRate(int Burst, double PerSecond);

/// <summary>How much one client, and all together, may take (W5). The defaults suit an appliance of some hundred people on a small machine.</summary>
public sealed record LimitSettings
{
    /// <summary>Connections at one time, all together. <c>APPLIANCE_MAX_CONNECTIONS</c>.</summary>
    public int Connections { get; init; } = 4096;

    /// <summary>Connections at one time from one address (IPv6: one /64). <c>APPLIANCE_MAX_CONNECTIONS_PER_ADDRESS</c>.</summary>
    public int ConnectionsPerAddress { get; init; } = 256;

    /// <summary>Bytes of a request's body, where the endpoint says no other number.</summary>
    public long Body { get; init; } = 1 << 20;

    /// <summary>Bytes of all header lines together.</summary>
    public int HeaderBytes { get; init; } = 16 << 10;

    public int HeaderCount { get; init; } = 64;

    /// <summary>Bytes of the request line: method, path and query.</summary>
    public int RequestLine { get; init; } = 4 << 10;

    /// <summary>How long a request's head may take to arrive.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection may wait for its next request.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Bytes per second below which, after a grace of five seconds, a sender or reader is cut off.</summary>
    public double BytesPerSecond { get; init; } = 240;

    /// <summary>Requests of one address, whoever it is: the outermost bound, before any cookie is looked at. <c>APPLIANCE_RATE_PER_ADDRESS</c>, per second.</summary>
    public RequestRate PerAddress { get; init; } = new(2000, 200);

    /// <summary>Requests of one address that is signed in to no account. <c>APPLIANCE_RATE_ANONYMOUS</c>.</summary>
    public RequestRate Anonymous { get; init; } = new(300, 10);

    /// <summary>Requests of one account. <c>APPLIANCE_RATE_PER_ACCOUNT</c>.</summary>
    public RequestRate PerAccount { get; init; } = new(1000, 50);

    /// <summary>Attempts to sign in, of one address. The delays of an account stand beside this.</summary>
    public RequestRate SignIn { get; init; } = new(30, 0.5);

    /// <summary>Requests of uploads, of one account: each carries a chunk. <c>APPLIANCE_RATE_UPLOADS</c>.</summary>
    public RequestRate Uploads { get; init; } = new(2000, 100);

    /// <summary>Archives (ZIP) under way at one time, of everybody, in one web process. <c>APPLIANCE_ARCHIVES</c>.</summary>
    public int Archives { get; init; } = 24;

    /// <summary>Archives under way at one time, of one person. <c>APPLIANCE_ARCHIVES_PER_PERSON</c>.</summary>
    public int ArchivesPerPerson { get; init; } = 3;
}
