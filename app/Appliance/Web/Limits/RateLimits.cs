using System.Net;
using System.Net.Sockets;
using System.Security.Claims;
using System.Threading.RateLimiting;
using Appliance.Admin;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.RateLimiting;

namespace Appliance.Web;

/// <summary>How often one may ask. Endpoints add <see cref="SignIn"/> or <see cref="Uploads"/> with <c>RequireRateLimiting</c> or <c>[EnableRateLimiting]</c>.</summary>
public static class RateLimits
{
    /// <summary>For whatever checks a secret. Only what is sent is counted: looking at the form checks nothing.</summary>
    public const string SignIn = "sign-in";

    /// <summary>For the chunks of uploads.</summary>
    public const string Uploads = "uploads";

    internal static IServiceCollection AddRateLimits(this IServiceCollection services, LimitSettings limits, RequestRate operators)
    {
        services.AddRateLimiter(options =>
        {
            options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            options.OnRejected = (rejected, _) =>
            {
                Refuse(rejected.HttpContext, rejected.Lease);
                return ValueTask.CompletedTask;
            };
            options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context => context.User.FindFirstValue(OperatorKeyHandler.KeyClaim) is { } key
                ? Bucket("operator " + key, operators)
                : AccountOf(context) is { } account
                ? Bucket("account " + account, limits.PerAccount)
                : Bucket("address " + AddressOf(context), limits.Anonymous));
            options.AddPolicy(SignIn, context => HttpMethods.IsPost(context.Request.Method)
                ? Bucket("sign-in " + AddressOf(context), limits.SignIn)
                : RateLimitPartition.GetNoLimiter("sign-in, looking"));
            options.AddPolicy(Uploads, context => Bucket("uploads " + (AccountOf(context) ?? AddressOf(context)), limits.Uploads));
        });
        services.AddSingleton(_ => new AddressLimiter(PartitionedRateLimiter.Create<HttpContext, string>(
            context => Bucket(AddressOf(context), limits.PerAddress))));
        return services;
    }

    /// <summary>429 with the seconds to wait; the body comes from the error handling.</summary>
    internal static void Refuse(HttpContext context, RateLimitLease lease)
    {
        var wait = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? Math.Max(1, (int)Math.Ceiling(after.TotalSeconds)) : 1;
        context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
        context.Response.Headers.RetryAfter = wait.ToString();
        context.Features.Set(new ErrorDetail($"Nothing was changed. Wait {wait} {(wait == 1 ? "second" : "seconds")}, then try again."));
    }

    /// <summary>The address that counts as one client: an IPv4 address, or the /64 that an IPv6 network hands to one customer.</summary>
    internal static string AddressOf(IPAddress? address)
    {
        if (address is { IsIPv4MappedToIPv6: true })
        {
            address = address.MapToIPv4();
        }
        return address switch
        {
            null => "none",
            { AddressFamily: AddressFamily.InterNetworkV6 } v6 => Convert.ToHexString(v6.GetAddressBytes().AsSpan(0, 8)),
            _ => address.ToString(),
        };
    }

    private static string AddressOf(HttpContext context) => AddressOf(context.Connection.RemoteIpAddress);

    private static string? AccountOf(HttpContext context) =>
        context.User.Identity?.IsAuthenticated == true ? context.User.FindFirstValue(ClaimTypes.NameIdentifier) : null;

    private static RateLimitPartition<string> Bucket(string key, RequestRate rate) => RateLimitPartition.GetTokenBucketLimiter(key, _ => new TokenBucketRateLimiterOptions
    {
        TokenLimit = rate.Burst,
        // Whole tokens: slower rates get theirs one by one after longer waits.
        TokensPerPeriod = Math.Max(1, (int)rate.PerSecond),
        ReplenishmentPeriod = TimeSpan.FromSeconds(Math.Max(1, 1 / rate.PerSecond)),
        QueueLimit = 0,
        AutoReplenishment = true,
    });
}

/// <summary>The outermost limiter; a type of its own so that it can be asked for.</summary>
internal sealed record AddressLimiter(PartitionedRateLimiter<HttpContext> Limiter);

/// <summary>Refuses an address that asks too often before anything is looked up for it. Assets are not counted: they cost nothing.</summary>
internal sealed class AddressLimit(RequestDelegate next, AddressLimiter limiter)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<DisableRateLimitingAttribute>() is null)
        {
            using var lease = limiter.Limiter.AttemptAcquire(context);
            if (!lease.IsAcquired)
            {
                RateLimits.Refuse(context, lease);
                return;
            }
        }
        await next(context);
    }
}
