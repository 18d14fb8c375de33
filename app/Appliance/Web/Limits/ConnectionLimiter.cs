using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Connections;

namespace Appliance.Web;

/// <summary>
/// How many connections there may be, all together and from one address, decided before the TLS handshake. Where a bound is
/// reached, a new connection takes the place of the one that has been idle longest (no request in progress: still shaking hands,
/// dribbling its headers, or kept alive). So ten thousand connections that do nothing only push one another out, and whoever
/// asks something in the meantime is answered; a request that is being served is never cut off for a newcomer.
/// </summary>
internal sealed class ConnectionLimiter(int total, int perAddress)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Slot> _idle = [];
    private readonly Dictionary<string, Address> _addresses = new(StringComparer.Ordinal);

    /// <summary>Connections that are open now.</summary>
    public int Count { get; private set; }

    /// <summary>Connections that were closed or refused to make room, since the start.</summary>
    public long Shed { get; private set; }

    /// <summary>Runs one connection inside the bounds.</summary>
    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (!TryEnter(connection, out var slot))
        {
            connection.Abort(new ConnectionAbortedException("Too many connections."));
            return;
        }
        connection.Features.Set(slot);
        try
        {
            await next(connection);
        }
        finally
        {
            Leave(slot);
        }
    }

    private bool TryEnter(ConnectionContext connection, [NotNullWhen(true)] out Slot? slot)
    {
        var key = RateLimits.AddressOf((connection.RemoteEndPoint as System.Net.IPEndPoint)?.Address);
        Slot? shed;
        lock (_gate)
        {
            if (!_addresses.TryGetValue(key, out var address))
            {
                address = new Address(key);
            }
            slot = null;
            shed = address.Count >= perAddress ? address.Idle.First?.Value : Count >= total ? _idle.First?.Value : null;
            if (shed is not null)
            {
                Remove(shed);
                Shed++;
            }
            if (address.Count < perAddress && Count < total)
            {
                _addresses[key] = address;
                slot = new Slot(this, connection, address);
                address.Count++;
                Count++;
                BecomeIdle(slot);
            }
            else
            {
                Shed++;
            }
        }
        shed?.Connection.Abort(new ConnectionAbortedException("Idle, and others are waiting."));
        return slot is not null;
    }

    private void Leave(Slot slot)
    {
        lock (_gate)
        {
            Remove(slot);
        }
    }

    private void Remove(Slot slot)
    {
        if (slot.Gone)
        {
            return;
        }
        slot.Gone = true;
        BecomeBusy(slot);
        Count--;
        if (--slot.Address.Count == 0)
        {
            _addresses.Remove(slot.Address.Key);
        }
    }

    private void BecomeIdle(Slot slot)
    {
        slot.InAll = _idle.AddLast(slot);
        slot.InAddress = slot.Address.Idle.AddLast(slot);
    }

    private void BecomeBusy(Slot slot)
    {
        if (slot.InAll is { } all)
        {
            _idle.Remove(all);
            slot.Address.Idle.Remove(slot.InAddress!);
            (slot.InAll, slot.InAddress) = (null, null);
        }
    }

    /// <summary>One connection's place, found among the request's features.</summary>
    internal sealed class Slot(ConnectionLimiter limiter, ConnectionContext connection, Address address)
    {
        private int _requests;

        internal ConnectionContext Connection => connection;

        internal Address Address => address;

        internal LinkedListNode<Slot>? InAll { get; set; }

        internal LinkedListNode<Slot>? InAddress { get; set; }

        internal bool Gone { get; set; }

        public void RequestBegins()
        {
            lock (limiter._gate)
            {
                _requests++;
                limiter.BecomeBusy(this);
            }
        }

        public void RequestEnds()
        {
            lock (limiter._gate)
            {
                if (--_requests == 0 && !Gone)
                {
                    limiter.BecomeIdle(this);
                }
            }
        }
    }

    internal sealed class Address(string key)
    {
        public string Key => key;

        public int Count { get; set; }

        public LinkedList<Slot> Idle { get; } = [];
    }
}

/// <summary>Tells the limiter that a connection is at work while a request of it is.</summary>
internal sealed class ConnectionAtWork(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var slot = context.Features.Get<ConnectionLimiter.Slot>();
        slot?.RequestBegins();
        try
        {
            await next(context);
        }
        finally
        {
            slot?.RequestEnds();
        }
    }
}
