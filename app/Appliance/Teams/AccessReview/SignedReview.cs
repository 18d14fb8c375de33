using Appliance.Accounts;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Teams.AccessReview;

/// <summary>An access review as an owner signed it. Nobody changes it afterwards.</summary>
public sealed class SignedReview : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    public required string Reference { get; init; }

    public required DateTimeOffset SignedAt { get; init; }

    public required UserId SignedBy { get; init; }

    public required int Kept { get; init; }

    public required int Removed { get; init; }

    /// <summary>JSON: <see cref="ReviewedLine"/>s.</summary>
    public required string Lines { get; init; }
}

/// <summary>When owners were last reminded of a review that is due.</summary>
public sealed class ReviewReminder : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    public required DateTimeOffset RemindedAt { get; init; }
}

internal sealed class SignedReviewConfiguration : IEntityTypeConfiguration<SignedReview>, IEntityTypeConfiguration<ReviewReminder>
{
    public void Configure(EntityTypeBuilder<SignedReview> builder)
    {
        builder.ToTable("access_reviews");
        builder.HasKey(r => new { r.TeamId, r.Reference });
        builder.HasOne<Team>().WithMany().HasForeignKey(r => r.TeamId);
        builder.HasOne<User>().WithMany().HasForeignKey(r => r.SignedBy);
    }

    public void Configure(EntityTypeBuilder<ReviewReminder> builder)
    {
        builder.ToTable("access_review_reminders");
        builder.HasKey(r => r.TeamId);
        builder.HasOne<Team>().WithMany().HasForeignKey(r => r.TeamId);
    }
}

/// <summary>Somebody's access as a review saw it, and what was decided. <c>Reaches</c>: <see cref="Groups.GroupSummary"/>; null where it was signed before there were groups.</summary>
public sealed record ReviewedLine(string Username, string Role, DateTimeOffset Since, DateTimeOffset? LastUsedAt, bool Kept, string? Reaches = null);

/// <summary>A review in the list of those that were signed.</summary>
public sealed record ReviewSummary(string Reference, DateTimeOffset SignedAt, string SignedBy, int Kept, int Removed);

/// <summary>Where a team stands with its reviews.</summary>
/// <param name="DueAt">When the next one is due.</param>
/// <param name="Days">How many days after the last one that is.</param>
/// <param name="Signed">The last ones, the newest first.</param>
public sealed record ReviewState(DateTimeOffset DueAt, int Days, IReadOnlyList<ReviewSummary> Signed)
{
    public bool IsOverdue(DateTimeOffset now) => DueAt <= now;
}
