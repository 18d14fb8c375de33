using Appliance.SignIn;
using Microsoft.AspNetCore.Mvc.Filters;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Accounts.People;

/// <summary>A page for owners of the appliance. For everybody else there is none.</summary>
public abstract class ApplianceOwnerPage : PageModel
{
    public override async Task OnPageHandlerExecutionAsync(PageHandlerExecutingContext context, PageHandlerExecutionDelegate next)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(next);
        if (!User.IsApplianceOwner())
        {
            context.Result = NotFound();
            return;
        }
        await next();
    }
}
