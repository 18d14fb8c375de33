using Appliance.SignIn;
using Appliance.Teams.UnusedAccess;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.Teams.AccessReview;

/// <summary>Everybody who has access, to keep or to take out, and signing. An owner of the team, who has just given their second factor.</summary>
[Authorize(Policy = Access.SteppedUp)]
[RequestFormLimits(ValueCountLimit = MostDecisions)]
public sealed class ReviewModel(TeamAccess access, AccessReviews reviews, TimeProvider clock) : TeamPage(access)
{
    private const int MostDecisions = 10_000;

    private const string Prefix = "decision.";

    public IReadOnlyList<MemberAccess> Everyone { get; private set; } = [];

    /// <summary>What each of them reaches, in words.</summary>
    public IReadOnlyDictionary<Guid, string> Reaches { get; private set; } = new Dictionary<Guid, string>();

    public Guid Me { get; private set; }

    public ReviewState State { get; private set; } = null!;

    public DateTimeOffset Now { get; } = clock.GetUtcNow();

    /// <summary>What was chosen of somebody; null: nothing yet. Who came lately is kept unless one says otherwise; of the others one has to say.</summary>
    public bool? Choice(MemberAccess member)
    {
        ArgumentNullException.ThrowIfNull(member);
        return _chosen.TryGetValue(member.UserId, out var kept) ? kept : member.UserId == Me || member.LastUsedAt > Now - AccessRules.Owners ? true : null;
    }

    private Dictionary<Guid, bool> _chosen = [];

    public async Task<IActionResult> OnGetAsync(CancellationToken ct)
    {
        await using var visit = await EnterAsync();
        if (visit is not { IsOwner: true })
        {
            return NothingHere;
        }
        (Everyone, State, Me) = (await TeamAccessList.ListAsync(visit.Session, ct), await AccessReviews.StateAsync(visit.Session, ct), visit.Person.Value);
        Reaches = await Groups.GroupSummary.ReadAsync(visit.Session, ct);
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(CancellationToken ct)
    {
        _chosen = Request.Form.Where(f => f.Key.StartsWith(Prefix, StringComparison.Ordinal) && Guid.TryParseExact(f.Key[Prefix.Length..], "D", out _))
            .ToDictionary(f => Guid.ParseExact(f.Key[Prefix.Length..], "D"), f => f.Value == "keep");
        return await ChangeAsOwnerAsync(
            async visit =>
            {
                await reviews.SignAsync(visit, _chosen, HttpContext.Origin(), ct);
                return $"/teams/{TeamReference}/access";
            },
            () => OnGetAsync(ct));
    }
}
