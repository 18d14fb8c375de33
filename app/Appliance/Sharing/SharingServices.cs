using Appliance.Data;
using Appliance.Files;
using Appliance.Objects;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Web;

namespace Appliance.Sharing;

public static class SharingServices
{
    private static readonly string[] s_methods = [HttpMethods.Get, HttpMethods.Head];

    public static IServiceCollection AddSharing(this IServiceCollection services)
    {
        services.AddSingleton<ShareLinks>();
        services.AddSingleton<SharedEntries>();
        services.AddSingleton<SharingCare>();
        services.AddHostedService(provider => provider.GetRequiredService<SharingCare>());
        return services;
    }

    /// <summary>The content behind a link, for whoever has begun a download with it: the file, whole or a range, or the folder as one ZIP.</summary>
    public static void MapSharing(this IEndpointRouteBuilder app) =>
        app.MapMethods("/s/{token}/content", s_methods, SendAsync).AllowAnonymous().ExcludeFromDescription();

    private static async Task SendAsync(HttpContext context, string token)
    {
        var (services, cancelled) = (context.RequestServices, context.RequestAborted);
        var shared = services.GetRequiredService<SharedEntries>();
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        if (await shared.FindAsync(token, cancelled) is not { } link)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        if (!shared.IsGranted(link, context.Request.Cookies[SharedPage.GrantCookie]))
        {
            context.Response.Redirect("/s/" + token);
            return;
        }
        // As long as it is being sent, the link has to work and its maker to be there.
        var watch = new AccessWatch(services.GetRequiredService<TimeProvider>(), async () => await shared.FindAsync(token, cancelled) is not null && await shared.EntryAsync(link, cancelled) is not null);
        switch (await shared.EntryAsync(link, cancelled))
        {
            case null:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return;
            case { IsFolder: true } folder:
                await SendFolderAsync(context, link, folder, watch);
                return;
            default:
                if (await StoredContent.ReadAsync(services.GetRequiredService<Database>(), link.Team, link.Maker, link.Entry, null, cancelled) is { } found)
                {
                    await ContentResponse.SendAsync(context, found.Content, found.Segments, DownloadEndpoints.AsAttachment, watch);
                }
                else
                {
                    context.Response.StatusCode = StatusCodes.Status404NotFound;
                }
                return;
        }
    }

    private static async Task SendFolderAsync(HttpContext context, OpenLink link, ListedEntry folder, AccessWatch watch)
    {
        var (services, cancelled) = (context.RequestServices, context.RequestAborted);
        // A link has as many places as a person, and takes none of its maker's.
        var (place, reached) = services.GetRequiredService<ArchiveSlots>().Enter(new UserId(link.Id));
        if (place is null)
        {
            await ArchiveEndpoints.Busy(context, reached).ExecuteAsync(context);
            return;
        }
        using var held = place;
        ArchivePlan? plan;
        await using (var session = await services.GetRequiredService<Database>().ForTeamAsync(link.Team, link.Maker, cancelled))
        {
            try
            {
                plan = await ArchiveItems.FindAsync(session, [link.Entry], services.GetRequiredService<FileLimits>().ArchiveEntries, cancelled);
            }
            catch (ArchiveTooLargeException)
            {
                context.Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
                return;
            }
        }
        if (plan is null)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        var zip = new ZipWriter(plan.Items);
        ArchiveEndpoints.Dress(context.Response, zip, folder.Name);
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }
        await using var content = new ArchiveContent(services.GetRequiredService<Database>(), services.GetRequiredService<SealedObjects>(), link.Team, link.Maker, plan);
        await zip.WriteAsync(context.Response.BodyWriter, content, watch.MayGoOnAsync, cancelled);
    }
}
