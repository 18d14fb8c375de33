using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Teams.AccessRequests;

/// <summary>Somebody asks for more access to a team, and has a code to say to whoever answers.</summary>
public sealed class AccessRequest : ITeamOwned
{
    /// <summary>A member asks to be an owner.</summary>
    public const string ToOwn = "owner";

    /// <summary>Somebody whose access ended because nobody used it asks to have it back.</summary>
    public const string ToComeBack = "back";

    public const string Open = "open";

    public const string Granted = "granted";

    public const string Refused = "refused";

    public const string Withdrawn = "withdrawn";

    /// <summary>Three wrong codes, or the person's role was changed otherwise.</summary>
    public const string Void = "void";

    public required TeamId TeamId { get; init; }

    public required string Reference { get; init; }

    public required UserId UserId { get; init; }

    /// <summary><see cref="ToOwn"/> or <see cref="ToComeBack"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>In the person's words, for the owners.</summary>
    public required string Reason { get; init; }

    /// <summary>Of the code, under a key that is not in the database.</summary>
    public required byte[] CodeMac { get; init; }

    /// <summary>Codes that were typed, right or wrong.</summary>
    public int Tries { get; init; }

    public required DateTimeOffset MadeAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public required string State { get; init; }

    public UserId? AnsweredBy { get; init; }

    public DateTimeOffset? AnsweredAt { get; init; }
}

internal sealed class AccessRequestConfiguration : IEntityTypeConfiguration<AccessRequest>
{
    public void Configure(EntityTypeBuilder<AccessRequest> builder)
    {
        builder.ToTable("access_requests");
        builder.HasKey(r => new { r.TeamId, r.Reference });
        builder.HasOne<Team>().WithMany().HasForeignKey(r => r.TeamId);
        builder.HasOne<User>().WithMany().HasForeignKey(r => r.UserId);
        builder.HasOne<User>().WithMany().HasForeignKey(r => r.AnsweredBy);
    }
}

/// <summary>A request as the team's owners see it.</summary>
/// <param name="Reference">Names it; opens nothing.</param>
/// <param name="UserId">Who asks.</param>
/// <param name="Username">Their name.</param>
/// <param name="Kind">An <see cref="AccessRequest"/>'s kind.</param>
/// <param name="Reason">In their words.</param>
/// <param name="MadeAt">When.</param>
/// <param name="ExpiresAt">Until when it can be answered.</param>
/// <param name="State">An <see cref="AccessRequest"/>'s state.</param>
/// <param name="Tries">Codes typed so far.</param>
/// <param name="Role">Of the person in the team; null: they are no member, or only since they asked.</param>
/// <param name="EndedRole">What they were when their access ended; null: it did not, or only since they asked.</param>
public sealed record ListedRequest(
    string Reference, Guid UserId, string Username, string Kind, string Reason, DateTimeOffset MadeAt, DateTimeOffset ExpiresAt, string State, int Tries, string? Role, string? EndedRole)
{
    /// <summary>Why it cannot be answered any more, as a sentence; null: it can.</summary>
    public string? Over(DateTimeOffset now) =>
        State != AccessRequest.Open || Tries >= TeamAccessRequests.MostTries ? "This request is over: it was answered, withdrawn, or is void."
        : ExpiresAt <= now || MadeAt > now + SignIn.Sessions.ClockTolerance ? "This request ran out after 24 hours. They can ask anew."
        : Kind switch
        {
            AccessRequest.ToOwn when Role is null => $"{Username} is not in the team any more.",
            AccessRequest.ToOwn when Role == Membership.Owner => $"{Username} is an owner already.",
            AccessRequest.ToComeBack when EndedRole is null => $"{Username} has no access to give back: it may just have been done.",
            AccessRequest.ToOwn or AccessRequest.ToComeBack => null,
            _ => throw new InvalidOperationException($"A request of kind {Kind} has no rule."),
        };

    /// <summary>What is asked for, after "asks".</summary>
    public string What => Kind == AccessRequest.ToOwn ? "to be an owner" : EndedRole == Membership.Owner ? "to have their access back, as an owner" : "to have their access back, as a member";
}

/// <summary>The person's own request.</summary>
public sealed record MyRequest(string Reason, DateTimeOffset MadeAt, DateTimeOffset ExpiresAt, string State, int Tries)
{
    public bool IsOpen(DateTimeOffset now) => State == AccessRequest.Open && Tries < TeamAccessRequests.MostTries && ExpiresAt > now;
}
