using Appliance.Data;
using Appliance.Vault;

namespace Appliance.SignIn;

/// <summary>
/// On an endpoint: what it asks the database anyway is asked in the flight that finds out who is there. <paramref name="Plan"/> says what that is,
/// or null. It is a head start and no more: who may call the endpoint is decided afterwards, as everywhere, and what was read for somebody who may not
/// is never looked at.
/// </summary>
internal sealed record ReadsAlong(Func<HttpContext, AlongRead?> Plan);

/// <summary>A read in a team, as the person that the same flight finds; the database decides what that person sees, as in every read.</summary>
internal abstract class AlongRead(TeamId team) : Companion(team)
{
    private string _person = "";

    /// <summary>What the request's endpoint wants to be read along; null: nothing.</summary>
    public static AlongRead? For(HttpContext context)
    {
        var along = context.GetEndpoint()?.Metadata.GetMetadata<ReadsAlong>()?.Plan(context);
        context.Features.Set(along);
        return along;
    }

    /// <summary>What was read, if it was in this team and as this person; null: it has to be asked for.</summary>
    public static T? Of<T>(HttpContext context, TeamId team, UserId person) where T : AlongRead =>
        context.Features.Get<AlongRead>() is T along && along.Team == team && along._person == person.ToString() ? along : null;

    /// <summary>As whom the database says that it reads; empty: as nobody.</summary>
    public void ReadAs(string person) => _person = person;
}
