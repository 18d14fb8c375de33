using System.Collections.Concurrent;
using System.Net.Http.Headers;
using Appliance.Tests.TestServers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Appliance.Tests.Web;

public sealed class LogTests
{
    [Fact, Trait("Requirement", "O10")]
    public async Task No_log_line_holds_a_password_a_file_name_a_token_or_a_query()
    {
        var lines = new Lines();
        await using var host = await ApplianceHost.StartAsync(
            adapt: builder => builder.Logging.AddProvider(lines), map: Probes.Map);
        using var client = host.Client();
        var token = await client.GetStringAsync("/probe/token");
        await client.GetAsync("/t/marker-path/marker-file.txt?q=marker-query");
        await client.GetAsync("/probe/throw?q=marker-query");
        await client.GetAsync("/probe/%0Amarker-path");
        await SendAsync(client, "POST", "/probe/body", token);
        await SendAsync(client, "POST", "/probe/body", "marker-token");
        await SendAsync(client, "MARKER-METHOD", "/probe/body", token);
        await SendAsync(client, "POST", "/tus/marker-file", token);

        lines.All.ShouldContain(line => line.Contains("/probe/body", StringComparison.Ordinal)); // the logs are there
        lines.All.ShouldContain(line => line.Contains("Unexpected error E-", StringComparison.Ordinal));
        foreach (var line in lines.All.Where(line => !line.Contains("Unexpected error", StringComparison.Ordinal)))
        {
            line.ShouldNotContain("marker", Case.Insensitive);
            line.ShouldNotContain(token);
        }
        // What an exception says is for the operator; the request it came from is still not told.
        foreach (var line in lines.All)
        {
            line.Replace(Probes.Secret, "", StringComparison.Ordinal).ShouldNotContain("marker", Case.Insensitive);
        }
    }

    private static async Task SendAsync(HttpClient client, string method, string path, string token)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Add("RequestVerificationToken", token);
        request.Headers.Add("Upload-Metadata", "filename bWFya2VyLWZpbGU=,marker-file");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "marker-token");
        request.Headers.Add("Cookie", "__Host-other=marker-cookie");
        request.Content = new FormUrlEncodedContent(new Dictionary<string, string> { ["Password"] = "marker-password", ["marker-field"] = "x" });
        using var answer = await client.SendAsync(request);
    }

    /// <summary>Everything that is logged, exceptions and scopes' values included.</summary>
    internal sealed class Lines : ILoggerProvider, ISupportExternalScope
    {
        private IExternalScopeProvider? _scopes;

        public ConcurrentQueue<string> All { get; } = [];

        public ILogger CreateLogger(string categoryName) => new One(this, categoryName);

        public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

        public void Dispose()
        {
        }

        private sealed class One(Lines lines, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => lines._scopes?.Push(state);

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            {
                var values = state is IEnumerable<KeyValuePair<string, object?>> pairs ? string.Join(' ', pairs.Select(p => $"{p.Key}={p.Value}")) : "";
                lines.All.Enqueue($"{logLevel} {category} {formatter(state, exception)} {values} {exception}");
            }
        }
    }
}
