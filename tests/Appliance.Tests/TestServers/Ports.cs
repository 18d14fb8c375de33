using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Appliance.Tests.TestServers;

/// <summary>
/// Ports on the loopback address for servers that stop and start again on theirs. Below those that the system hands out for connections (32768 and up,
/// net.ipv4.ip_local_port_range), and none twice in a process: meanwhile nobody takes it.
/// </summary>
public static class Ports
{
    private const int First = 15_000;

    private const int Count = 17_000;

    private static int s_next = RandomNumberGenerator.GetInt32(Count);

    public static int Free()
    {
        while (true)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref s_next) % Count);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException error) when (error.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Another program's.
            }
        }
    }
}
