using System.Net;
using System.Net.Sockets;

namespace Appliance.Tests.TestServers;

/// <summary>Stands between a client and a server on this machine, counts, and cuts every connection when told to.</summary>
public sealed class TcpForwarder : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _ended = new();
    private readonly int _target;
    private long _upstream, _downstream;
    private long _upstreamLimit = long.MaxValue, _downstreamLimit = long.MaxValue;
    private CancellationTokenSource _connections = new();

    public TcpForwarder(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How often connections were cut because a limit was reached.</summary>
    public int Cuts { get; private set; }

    /// <summary>Once this many more bytes have gone to the server, all connections are cut; later ones work again.</summary>
    public void CutAfterSending(long bytes) => Volatile.Write(ref _upstreamLimit, Volatile.Read(ref _upstream) + bytes);

    /// <summary>Once this many more bytes have come from the server, all connections are cut; later ones work again.</summary>
    public void CutAfterReceiving(long bytes) => Volatile.Write(ref _downstreamLimit, Volatile.Read(ref _downstream) + bytes);

    public void Dispose()
    {
        _ended.Cancel();
        _listener.Dispose();
        _connections.Cancel();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ForwardAsync(await _listener.AcceptTcpClientAsync(_ended.Token));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ForwardAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using (client)
        {
            var cut = _connections.Token;
            try
            {
                client.Client.LingerState = new LingerOption(true, 0); // cutting resets the connection
                await server.ConnectAsync(IPAddress.Loopback, _target, cut);
                await Task.WhenAny(
                    PumpAsync(client.GetStream(), server.GetStream(), up: true, cut),
                    PumpAsync(server.GetStream(), client.GetStream(), up: false, cut));
            }
            catch (Exception error) when (error is OperationCanceledException or SocketException or IOException)
            {
            }
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to, bool up, CancellationToken cut)
    {
        var buffer = new byte[64 << 10];
        try
        {
            for (int read; (read = await from.ReadAsync(buffer, cut)) > 0;)
            {
                if (up ? Passed(ref _upstream, ref _upstreamLimit, read) : Passed(ref _downstream, ref _downstreamLimit, read))
                {
                    Cuts++;
                    var connections = Interlocked.Exchange(ref _connections, new CancellationTokenSource());
                    await connections.CancelAsync();
                    return;
                }
                await to.WriteAsync(buffer.AsMemory(0, read), cut);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or IOException or ObjectDisposedException)
        {
        }
    }

    private static bool Passed(ref long count, ref long limit, int more)
    {
        var limitNow = Volatile.Read(ref limit);
        return Interlocked.Add(ref count, more) >= limitNow && Interlocked.CompareExchange(ref limit, long.MaxValue, limitNow) == limitNow;
    }
}
