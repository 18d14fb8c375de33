using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn.Policy;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn;

/// <summary>Looks up the request's own person.</summary>
public sealed class SignInPeople(Database database)
{
    /// <summary>The account of whoever is signed in, and what second factors it has that are asked for.</summary>
    public async Task<(User User, Factors Factors)> SignedInAsync(HttpContext http, CancellationToken ct)
    {
        var id = http.User.Id();
        await using var session = await database.ForApplianceAsync(ct);
        var user = await session.Query<User>().AsNoTracking().SingleAsync(u => u.Id == id, ct);
        var factors = await Factors.ReadAsync(session, id, ct);
        return (user, factors with { App = factors.App && (await session.AppliancePolicyAsync(ct)).Factors.TakesApp(factors.Key) });
    }
}
