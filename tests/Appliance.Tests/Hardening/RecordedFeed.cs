using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Appliance.Tests.Hardening;

/// <summary>A server on loopback that answers as a feed or a registry once did; what it is asked for that was not recorded is 404.</summary>
internal sealed class RecordedFeed : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Task _answers;

    public RecordedFeed(Dictionary<string, (int Status, string Body, (string Name, string Value)[] Headers)> recorded)
    {
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            Address = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}";
        }
        _listener.Prefixes.Add(Address + "/");
        _listener.Start();
        _answers = AnswerAsync(recorded);
    }

    public string Address { get; }

    /// <summary>The bodies that came with the requests, by path.</summary>
    public Dictionary<string, string> Asked { get; } = new(StringComparer.Ordinal);

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _answers;
        _listener.Close();
    }

    private async Task AnswerAsync(Dictionary<string, (int Status, string Body, (string Name, string Value)[] Headers)> recorded)
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
            var path = context.Request.Url!.AbsolutePath;
            using (var reader = new StreamReader(context.Request.InputStream))
            {
                Asked[path] = await reader.ReadToEndAsync();
            }
            var (status, body, headers) = recorded.GetValueOrDefault(path, (404, "", []));
            context.Response.StatusCode = status;
            foreach (var (name, value) in headers)
            {
                context.Response.AddHeader(name, value);
            }
            var bytes = Encoding.UTF8.GetBytes(body);
            context.Response.ContentLength64 = bytes.Length;
            if (context.Request.HttpMethod != "HEAD")
            {
                await context.Response.OutputStream.WriteAsync(bytes);
            }
            context.Response.Close();
        }
    }
}
