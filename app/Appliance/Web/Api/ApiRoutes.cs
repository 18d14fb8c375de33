using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Http.Metadata;

namespace Appliance.Web.Api;

/// <summary>The shell of the JSON API: where it is, how large its requests may be, and how strictly their JSON is read.</summary>
public static class ApiRoutes
{
    public const string Base = "/api/v1";

    private const long BodyBytes = 128 << 10;

    /// <summary>
    /// The group of everything under <c>/api/v1</c>. Each endpoint in it asks for <see cref="Access.ApiRead"/> or <see cref="Access.ApiWrite"/>; one that takes
    /// content says that its body has no limit of its own.
    /// </summary>
    public static RouteGroupBuilder MapApiGroup(this IEndpointRouteBuilder app, string prefix = "") =>
        app.MapGroup(Base + prefix).WithMetadata(new BodySize(BodyBytes));

    /// <summary>
    /// camelCase; a member that nobody knows, one that comes twice, or a number in quotes is refused with 400: a misspelt condition must not be
    /// taken for none.
    /// </summary>
    public static IServiceCollection AddApi(this IServiceCollection services) =>
        services.Configure<JsonOptions>(json =>
        {
            var options = json.SerializerOptions;
            options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
            options.PropertyNameCaseInsensitive = false;
            options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
            options.AllowDuplicateProperties = false;
            options.NumberHandling = JsonNumberHandling.Strict;
            options.RespectNullableAnnotations = true;
            options.RespectRequiredConstructorParameters = true;
            options.MaxDepth = 16;
        });

    private sealed record BodySize(long? MaxRequestBodySize) : IRequestSizeLimitMetadata;
}
