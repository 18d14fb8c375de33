using Appliance.Accounts;
using Appliance.Data;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn;

/// <summary>Looks up the request's own person.</summary>
public sealed class SignInPeople(Database database, IServiceScopeFactory scopes)
{
    /// <summary>The account of whoever is signed in, and whether it has a security key.</summary>
    public async Task<(User User, bool HasKey)> SignedInAsync(HttpContext http, CancellationToken ct)
    {
        var id = http.User.Id();
        await using var scope = scopes.CreateAsyncScope();
        await using var session = await database.ForApplianceAsync(ct);
        var user = await session.Query<User>().AsNoTracking().SingleAsync(u => u.Id == id, ct);
        return (user, await scope.ServiceProvider.GetRequiredService<ISecurityKeyCeremonies>().HasKeyAsync(id, session, ct));
    }
}
