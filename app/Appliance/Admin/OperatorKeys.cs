using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Appliance.Web;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Appliance.Admin;

/// <summary>
/// Which keys are allowed in now. The file is read again when it changed; whoever's key is not there any more is cut off at once, in the middle of an
/// answer too. A list that cannot be read allows nobody: what it said before is not a permission.
/// </summary>
internal sealed partial class OperatorKeys : BackgroundService
{
    private readonly AdminSettings? _settings;
    private readonly TimeProvider _time;
    private readonly ILogger<OperatorKeys> _logger;
    private readonly ConcurrentDictionary<ConnectionContext, OperatorKey> _connections = new();
    private volatile FrozenDictionary<string, OperatorKey> _keys = FrozenDictionary<string, OperatorKey>.Empty;
    private volatile IReadOnlyList<string> _problems = [];

    /// <exception cref="SettingsException">A line cannot be used: the start fails and says which.</exception>
    public OperatorKeys(Settings settings, TimeProvider time, ILogger<OperatorKeys> logger)
    {
        (_settings, _time, _logger) = (settings.Admin, time, logger);
        if (_settings is not null)
        {
            var (keys, problems) = OperatorKeyList.Read(_settings);
            _keys = problems.Count == 0 ? ByFingerprint(keys) : throw new SettingsException(problems);
        }
    }

    /// <summary>What is wrong with the list as it is now.</summary>
    public IReadOnlyList<string> Problems => _problems;

    public int Count => _keys.Count;

    /// <summary>The key as the list has it now; null: not allowed.</summary>
    public OperatorKey? Find(string fingerprint) => _keys.GetValueOrDefault(fingerprint);

    /// <summary>Behind TLS in the pipeline of a connection.</summary>
    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is not { } certificate || Find(OperatorKey.FingerprintOf(certificate)) is not { } key)
        {
            connection.Abort();
            return;
        }
        connection.Features.Set(new OperatorConnection(key.Fingerprint));
        _connections[connection] = key;
        try
        {
            // It may have gone between the look and the entry, where nobody else would find it.
            if (Find(key.Fingerprint) is not null)
            {
                await next(connection);
            }
        }
        finally
        {
            _connections.TryRemove(connection, out _);
        }
    }

    /// <summary>Whether the handshake goes on. Tells a stranger nothing but that.</summary>
    public bool IsAllowed(X509Certificate? certificate, EndPoint? from)
    {
        var fingerprint = certificate is X509Certificate2 shown ? OperatorKey.FingerprintOf(shown) : "none";
        if (Find(fingerprint) is not null)
        {
            return true;
        }
        LogStranger(_logger, fingerprint, (from as IPEndPoint)?.Address.ToString() ?? "");
        return false;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_settings?.KeysFile is null)
        {
            return;
        }
        // Asked again and again rather than watched: mounted secrets are swapped by symbolic links, which watches miss.
        using var timer = new PeriodicTimer(_settings.CheckInterval, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            Refresh(_settings);
        }
    }

    private void Refresh(AdminSettings settings)
    {
        var (keys, problems) = OperatorKeyList.Read(settings);
        foreach (var problem in problems.Except(_problems, StringComparer.Ordinal))
        {
            LogProblem(_logger, problem);
        }
        var before = _keys;
        (_keys, _problems) = (ByFingerprint(keys), problems);
        if (!Same(before, _keys))
        {
            var names = string.Join(", ", keys.Select(k => k.Name));
            LogChanged(_logger, keys.Count, names);
        }
        foreach (var (connection, key) in _connections.Where(c => Find(c.Value.Fingerprint) is null))
        {
            LogCut(_logger, key.Name);
            connection.Abort(new ConnectionAbortedException("The key is not allowed any more."));
        }
    }

    private static bool Same(FrozenDictionary<string, OperatorKey> before, FrozenDictionary<string, OperatorKey> now) =>
        before.Count == now.Count && now.All(n => before.TryGetValue(n.Key, out var b) && b.Name == n.Value.Name && b.Actions.SetEquals(n.Value.Actions));

    private static FrozenDictionary<string, OperatorKey> ByFingerprint(IReadOnlyList<OperatorKey> keys) => keys.ToFrozenDictionary(k => k.Fingerprint, StringComparer.Ordinal);

    [LoggerMessage(EventId = 1301, Level = LogLevel.Warning, Message = "The operators' port: a key that is not allowed, {Fingerprint}, from {Address}.")]
    private static partial void LogStranger(ILogger logger, string fingerprint, string address);

    [LoggerMessage(EventId = 1302, Level = LogLevel.Information, Message = "The list of operators' keys changed: {Count} are allowed ({Names}).")]
    private static partial void LogChanged(ILogger logger, int count, string names);

    [LoggerMessage(EventId = 1303, Level = LogLevel.Error, Message = "The list of operators' keys: {Problem}")]
    private static partial void LogProblem(ILogger logger, string problem);

    [LoggerMessage(EventId = 1304, Level = LogLevel.Warning, Message = "The key of operator {Name} is not allowed any more; a connection of it was cut.")]
    private static partial void LogCut(ILogger logger, string name);
}

/// <summary>The connection came in by the operators' listener and has proved this key in its handshake.</summary>
internal sealed record OperatorConnection(string Fingerprint);

internal static class OperatorHttp
{
    /// <summary>Whether this request came in by the operators' listener.</summary>
    public static bool IsOnOperatorListener(this HttpContext context) => context.Features.Get<OperatorConnection>() is not null;

    /// <summary>The key that this request came with, as the list has it now; null where it is not there any more, or the request came in elsewhere.</summary>
    public static OperatorKey? Operator(this HttpContext context) => context.Features.Get<OperatorConnection>() is { } connection
        ? context.RequestServices.GetRequiredService<OperatorKeys>().Find(connection.Fingerprint)
        : null;
}
