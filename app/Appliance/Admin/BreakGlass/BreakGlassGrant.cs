using Appliance.Accounts;
using Appliance.Data;
using Appliance.Teams;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Admin.BreakGlass;

/// <summary>An operator asks to read a team's files for some hours, and what became of it. What state it is in at a time is <c>break_glass_state</c>'s to say.</summary>
public sealed class BreakGlassGrant : ITeamOwned
{
    /// <summary>Waits for an answer.</summary>
    public const string Asked = "asked";

    /// <summary>An owner said no, which is final.</summary>
    public const string Refused = "refused";

    /// <summary>The operator asks no more.</summary>
    public const string Withdrawn = "withdrawn";

    /// <summary>Nobody answered for a week.</summary>
    public const string Lapsed = "lapsed";

    /// <summary>The key that asked can read.</summary>
    public const string Active = "active";

    /// <summary>Its time is over, or somebody ended it.</summary>
    public const string Ended = "ended";

    public required TeamId TeamId { get; init; }

    public required string Reference { get; init; }

    /// <summary>As the list of keys called the operator who asked.</summary>
    public required string Operator { get; init; }

    /// <summary>SHA-256 of their public key: it alone can read.</summary>
    public required string OperatorKey { get; init; }

    /// <summary>In the operator's words.</summary>
    public required string Reason { get; init; }

    /// <summary>From the answer on.</summary>
    public required int Hours { get; init; }

    public required DateTimeOffset AskedAt { get; init; }

    /// <summary>From then on another operator may answer, too.</summary>
    public required DateTimeOffset ApprovableAt { get; init; }

    public required DateTimeOffset LapsesAt { get; init; }

    /// <summary><c>consented</c> or <c>refused</c> by an owner, <c>approved</c> by another operator; null: by nobody yet.</summary>
    public string? Answer { get; init; }

    public DateTimeOffset? AnsweredAt { get; init; }

    public UserId? AnsweredBy { get; init; }

    public string? Approver { get; init; }

    public string? ApproverKey { get; init; }

    public DateTimeOffset? EndsAt { get; init; }

    /// <summary>Null: nobody ended it before its time.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    public UserId? EndedBy { get; init; }

    public string? EndedByOperator { get; init; }

    public string? EndedByKey { get; init; }

    public DateTimeOffset? FirstReadAt { get; init; }

    public required int Listings { get; init; }

    public required int Downloads { get; init; }

    /// <summary>What the owners were mailed.</summary>
    public required string[] Told { get; init; }
}

internal sealed class BreakGlassGrantConfiguration : IEntityTypeConfiguration<BreakGlassGrant>
{
    public void Configure(EntityTypeBuilder<BreakGlassGrant> builder)
    {
        builder.ToTable("break_glass_grants");
        builder.HasKey(g => new { g.TeamId, g.Reference });
        builder.HasOne<Team>().WithMany().HasForeignKey(g => g.TeamId);
        builder.HasOne<User>().WithMany().HasForeignKey(g => g.AnsweredBy);
        builder.HasOne<User>().WithMany().HasForeignKey(g => g.EndedBy);
    }
}
