using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Appliance.Web.Proxy;

/// <summary>
/// Takes the client's address from the header that a trusted proxy puts before each connection, so that limits, delays, sessions and the ledger see who
/// comes and not the proxy. From a trusted proxy the header must be there: a receiver "must not try to guess whether the header is present or not"
/// (specification, section 2). From anybody else it is no header but the beginning of a TLS handshake that fails.
/// </summary>
internal sealed partial class ProxyProtocol(Settings settings, ILogger<ProxyProtocol> logger)
{
    private int _waiting;

    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (!IsTrusted((connection.RemoteEndPoint as IPEndPoint)?.Address))
        {
            await next(connection);
        }
        else if (await ReadAsync(connection) is { } header)
        {
            connection.RemoteEndPoint = header.Source ?? connection.RemoteEndPoint;
            await next(connection);
        }
        else
        {
            LogRefused(logger, connection.RemoteEndPoint);
            connection.Abort(new ConnectionAbortedException("No usable PROXY protocol header."));
        }
    }

    private bool IsTrusted(IPAddress? address)
    {
        if (address is { IsIPv4MappedToIPv6: true })
        {
            address = address.MapToIPv4();
        }
        return address is not null && settings.ProxyProtocolFrom.Any(network => network.Contains(address));
    }

    /// <summary>Null: none that can be used, or not in time. What follows the header stays to be read.</summary>
    private async Task<ProxyHeader?> ReadAsync(ConnectionContext connection)
    {
        // These connections are not among those that the limiter counts yet.
        if (Interlocked.Increment(ref _waiting) > settings.Limits.Connections)
        {
            Interlocked.Decrement(ref _waiting);
            return null;
        }
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
        patience.CancelAfter(settings.ProxyHeaderTimeout);
        var input = connection.Transport.Input;
        try
        {
            while (true)
            {
                var received = await input.ReadAsync(patience.Token);
                var state = ProxyHeader.TryRead(received.Buffer, out var header);
                if (state == ProxyHeaderState.Whole)
                {
                    input.AdvanceTo(received.Buffer.GetPosition(header.Length));
                    return header;
                }
                input.AdvanceTo(received.Buffer.Start, received.Buffer.End);
                if (state == ProxyHeaderState.Invalid || received.IsCompleted || received.IsCanceled)
                {
                    return null;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return null;
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    [LoggerMessage(EventId = 1111, Level = LogLevel.Warning, Message = "The connection from {Proxy}, which is in APPLIANCE_PROXY_PROTOCOL_FROM, did not begin with a header of the PROXY protocol, version 2, and was cut.")]
    private static partial void LogRefused(ILogger logger, EndPoint? proxy);
}
