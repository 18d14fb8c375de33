using Appliance.Admin;
using Appliance.Objects;
using Appliance.Vault;
using Appliance.Web.Api;
using Appliance.Web.Errors;
using Appliance.Web.Metrics;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;

namespace Appliance.Web;

/// <summary>What every capability stands on: the keys and the store, pages, antiforgery, limits, and a policy that denies.</summary>
public static class WebServices
{
    /// <summary>The keys, and everything that is sealed under them. The key files are read when the first of these is asked for.</summary>
    public static IServiceCollection AddVault(this IServiceCollection services, Settings settings)
    {
        services.AddSingleton(_ => FileKeyProvider.Open(settings.ApplianceKeyFile));
        services.AddSingleton<IKeyProvider>(provider => provider.GetRequiredService<FileKeyProvider>());
        services.AddSingleton(provider => new TeamKeys(provider.GetRequiredService<IKeyProvider>(), settings.TeamKeyFolder));
        services.AddSingleton<ObjectSealer>();
        services.AddSingleton<BlobProtector>();
        services.AddSingleton(_ => TreeHeadSigner.Open(settings.LedgerKeyFile));
        return services.AddSealedObjects(settings.Objects);
    }

    /// <summary>The largest thing in a form is a security key's answer, 64 KiB at most.</summary>
    private const long FormBytes = 128 << 10;

    public static IServiceCollection AddWeb(this IServiceCollection services, Settings settings)
    {
        services.AddSingleton<EndpointPolicyCheck>();
        services.AddHostedService(provider => provider.GetRequiredService<EndpointPolicyCheck>());
        services.AddRazorPages(options => options.RootDirectory = "/").AddMvcOptions(options => options.Filters.Add(new PagesRefuseOtherMethods()));
        services.AddHttpContextAccessor();
        services.AddAuthentication();
        services.AddAuthorization(DenyByDefault);
        services.AddDataProtectionKeys();
        services.AddAntiforgery(options =>
        {
            options.Cookie.Name = OperatorGate.AntiforgeryCookie;
            options.Cookie.SecurePolicy = CookieSecurePolicy.Always;
            options.Cookie.SameSite = SameSiteMode.Strict;
            options.Cookie.Path = "/";
            options.HeaderName = "RequestVerificationToken";
            options.FormFieldName = "RequestVerificationToken";
            options.SuppressXFrameOptionsHeader = true; // said for every response, stricter
        });
        services.Configure<FormOptions>(form =>
        {
            form.ValueCountLimit = 2048; // the entries that were chosen for an archive
            form.KeyLengthLimit = 256;
            form.ValueLengthLimit = 64 << 10;
            form.MultipartBodyLengthLimit = settings.Limits.Body;
        });
        services.Configure<HostOptions>(host => host.ShutdownTimeout = settings.Drain + TimeSpan.FromSeconds(20));
        services.AddSingleton<Drain>();
        services.AddHostedService(provider => provider.GetRequiredService<Drain>());
        services.AddRateLimits(settings.Limits, (settings.Admin ?? new AdminSettings()).PerKey);
        services.AddApi();
        services.AddApiDescription();
        services.AddSingleton(Assets.Load());
        services.AddSingleton<ErrorPage>();
        services.AddSingleton<ErrorGroups>();
        services.AddHostedService(provider => provider.GetRequiredService<ErrorGroups>());
        services.AddHostedService<IdleMemory>();
        services.AddSingleton<Readiness>();
        services.AddSingleton<ApplianceMetrics>();
        services.AddSingleton<MetricsCollector>();
        return services;
    }

    /// <summary>The pages. What they are sent is text in a form, so their bodies are small unless a page says otherwise.</summary>
    public static void MapPages(this IEndpointRouteBuilder routes) =>
        routes.MapRazorPages().Add(page => page.Metadata.Insert(0, new FormSize(FormBytes)));

    /// <summary>From the outside inwards. What comes after <c>UseAuthorization</c> runs only for who may call the endpoint.</summary>
    public static void UseWeb(this WebApplication app)
    {
        app.Services.GetRequiredService<MetricsCollector>(); // listens from the start on, not from the first scrape
        app.Services.GetRequiredService<EndpointPolicyCheck>().Sources = ((IEndpointRouteBuilder)app).DataSources;
        app.UseMiddleware<ConnectionAtWork>();
        app.UseMiddleware<CloseWhileDraining>();
        app.UseMiddleware<ResponseHeaders>();
        app.UseMiddleware<ErrorHandling>();
        app.UseMiddleware<ListenerGate>();
        app.UseMiddleware<HostCheck>();
        app.UseRouting();
        app.UseMiddleware<OperatorGate>();
        app.UseMiddleware<AddressLimit>();
        app.UseMiddleware<NotFoundOrRefused>();
        app.UseAuthentication();
        app.UseRateLimiter();
        app.UseAuthorization();
        app.UseMiddleware<AntiforgeryCheck>();
    }

    /// <summary>
    /// Routing hands it to the server before anybody reads the body. The framework's attribute on a page would come too late: it is also a
    /// filter, and the antiforgery check has read the form by then.
    /// </summary>
    private sealed record FormSize(long? MaxRequestBodySize) : IRequestSizeLimitMetadata;

    private static void DenyByDefault(AuthorizationOptions options)
    {
        var deny = new AuthorizationPolicyBuilder().RequireAssertion(_ => false).Build();
        options.DefaultPolicy = deny; // an [Authorize] that names no policy
        options.FallbackPolicy = deny; // an endpoint that says nothing, should one ever get past the check at the start
    }
}
