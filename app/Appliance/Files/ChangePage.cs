using Appliance.Teams;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Files;

/// <summary>A page of a team whose forms change files: a change that is done leads on, one that a rule refuses shows the page again and says why.</summary>
public abstract class ChangePage(TeamAccess access) : TeamPage(access)
{
    /// <summary>The rule that stood in the way, for people.</summary>
    /// <summary>Makes the change and goes to <paramref name="done"/>.</summary>
    /// <param name="change">Commits, which ends its visit's session.</param>
    /// <param name="done">An address of this appliance.</param>
    /// <param name="show">Shows the page, read anew.</param>
    protected async Task<IActionResult> ChangeAsync(Func<TeamVisit, Task> change, string done, Func<TeamVisit, Task<IActionResult>> show)
    {
        ArgumentNullException.ThrowIfNull(change);
        ArgumentNullException.ThrowIfNull(show);
        await using (var visit = await EnterAsync())
        {
            if (visit is null)
            {
                return NothingHere;
            }
            try
            {
                await change(visit);
                return Redirect(done);
            }
            catch (FileRuleException refused)
            {
                Problem = refused.Message;
            }
        }
        await using var again = await EnterAsync();
        Response.StatusCode = StatusCodes.Status422UnprocessableEntity;
        return again is null ? NothingHere : await show(again);
    }
}
