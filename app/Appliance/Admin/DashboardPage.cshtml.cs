using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace Appliance.Admin;

/// <summary>How the appliance does, in a browser that holds an operator's certificate. On the operators' port alone.</summary>
[Authorize(Policy = Access.Operator), AdminAction(AdminActions.Status)]
internal sealed class DashboardPageModel(OperatorStatus status) : PageModel
{
    public OperatorStatus.StatusAnswer Status { get; private set; } = null!;

    public bool MaySeeErrors { get; private set; }

    public async Task OnGetAsync()
    {
        Status = await status.ReadAsync(HttpContext);
        MaySeeErrors = HttpContext.Operator()?.May(AdminActions.Errors) == true;
    }
}
