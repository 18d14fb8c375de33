using Microsoft.AspNetCore.Mvc;

namespace Appliance.SignIn;

/// <summary>What the signed-in person has not dismissed yet; in the layout of every page.</summary>
public sealed class NoticesViewComponent(Notices notices) : ViewComponent
{
    public async Task<IViewComponentResult> InvokeAsync() => UserClaimsPrincipal.IdOrNull() is { } person && !UserClaimsPrincipal.IsLocked()
        ? View("/SignIn/_Notices.cshtml", await notices.OpenAsync(person, HttpContext.RequestAborted))
        : Content("");
}
