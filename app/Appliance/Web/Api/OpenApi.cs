using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Appliance.Web.Api;

/// <summary>The API's description (OpenAPI 3.1) at <c>/api/v1/openapi.json</c>, made from what is mapped.</summary>
public static class OpenApi
{
    public const string Address = ApiRoutes.Base + "/openapi.json";

    private const string ProblemType = "application/problem+json";

    private static readonly (string Id, string Description)[] s_ways = [("bearer", "A token"), ("appPassword", "An app password"), ("session", "The session of a browser")];

    public static IServiceCollection AddApiDescription(this IServiceCollection services) =>
        services.AddOpenApi(options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.ShouldInclude = description => $"/{description.RelativePath}".StartsWith(ApiRoutes.Base + "/", StringComparison.Ordinal);
            options.AddDocumentTransformer((document, _, _) =>
            {
                Describe(document);
                return Task.CompletedTask;
            });
            options.AddOperationTransformer((operation, context, _) =>
            {
                Describe(operation, context);
                return Task.CompletedTask;
            });
        });

    public static void MapApiDescription(this IEndpointRouteBuilder app) => app.MapOpenApi(Address).RequireAuthorization(Access.ApiRead);

    private static void Describe(OpenApiDocument document)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Appliance",
            Version = "v1",
            Description = "Files of teams, for programs. Refusals are problems (RFC 9457) whose code stays the same from version to version.",
        };
        // Addresses are this document's own host's.
        document.Servers = [new OpenApiServer { Url = "/" }];
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
        {
            ["bearer"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A token, made on the account page." },
            ["appPassword"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "basic", Description = "The username and an app password, made on the account page." },
            ["session"] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.ApiKey,
                In = ParameterLocation.Cookie,
                Name = "__Host-appliance-session",
                Description = "A browser's session. What changes something then also needs the header RequestVerificationToken.",
            },
        };
        foreach (var operation in document.Paths.Values.SelectMany(path => path.Operations is { } operations ? operations.Values.AsEnumerable() : []))
        {
            operation.Security = [.. s_ways.Select(way => new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(way.Id, document)] = [] })];
        }
    }

    private static void Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        operation.Responses ??= [];
        var inTeam = context.Description.RelativePath!.Contains("{team}", StringComparison.Ordinal);
        Problem(operation, StatusCodes.Status400BadRequest, "Not understood: a value that cannot be, or an unknown member.");
        Problem(operation, StatusCodes.Status401Unauthorized, "Nobody is signed in, or the token does not work.");
        if (metadata.OfType<IAuthorizeData>().Any(a => a.Policy == Access.ApiWrite))
        {
            Problem(operation, StatusCodes.Status403Forbidden, "The token may only read.");
        }
        if (inTeam)
        {
            Problem(operation, StatusCodes.Status404NotFound, "Not there, or not open to the caller.");
        }
        Problem(operation, StatusCodes.Status429TooManyRequests, "Too many requests; Retry-After says how long to wait.");
    }

    private static void Problem(OpenApiOperation operation, int status, string description) =>
        operation.Responses!.TryAdd(status.ToString(), new OpenApiResponse
        {
            Description = description,
            Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
            {
                [ProblemType] = new()
                {
                    Schema = new OpenApiSchema
                    {
                        Type = JsonSchemaType.Object,
                        Properties = new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal)
                        {
                            ["type"] = new OpenApiSchema { Type = JsonSchemaType.String },
                            ["title"] = new OpenApiSchema { Type = JsonSchemaType.String },
                            ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer },
                            ["detail"] = new OpenApiSchema { Type = JsonSchemaType.String },
                            ["code"] = new OpenApiSchema { Type = JsonSchemaType.String },
                        },
                    },
                },
            },
        });
}
