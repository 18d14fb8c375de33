using Appliance.Data;
using Appliance.Web.Errors;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.SignIn.Policy;

/// <summary>A page on which a person who is signed in adds a factor or makes new recovery codes: refused where <see cref="FactorRules.AddProblemAsync"/> says so.</summary>
public abstract class FactorPage(Database database) : PageModel
{
    protected Database Database => database;

    private const string Security = "/account/security";

    /// <summary>Where to go afterwards: a local path.</summary>
    public string Return { get; private set; } = Security;

    protected IReadOnlyDictionary<string, string> ReturnField => new Dictionary<string, string>(StringComparer.Ordinal) { ["return"] = Return };

    public override async Task OnPageHandlerExecutionAsync(PageHandlerExecutingContext context, PageHandlerExecutionDelegate next)
    {
        ArgumentNullException.ThrowIfNull(next);
        var asked = Request.HasFormContentType ? Request.Form["return"].ToString() : Request.Query["return"].ToString();
        Return = asked.Length == 0 ? Security : ReturnPath.Local(asked);
        string? problem;
        await using (var session = await database.ForApplianceAsync(HttpContext.RequestAborted))
        {
            problem = await session.AddProblemAsync(User.Id(), User.SessionId(), HttpContext.RequestAborted);
        }
        if (problem is null)
        {
            await next();
            return;
        }
        HttpContext.Features.Set(new ErrorDetail(problem, "key-required"));
        context.Result = new StatusCodeResult(StatusCodes.Status403Forbidden);
    }
}
