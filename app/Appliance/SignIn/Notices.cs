using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn.Alerts;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn;

/// <summary>What a person is told on every page until they say that they have read it.</summary>
public sealed class Notice
{
    /// <summary>A recovery code was used to sign in.</summary>
    public const string RecoveryCodeUsed = "recovery-code.used";

    /// <summary>Recovery codes were shown, and nobody has said yet that they are stored.</summary>
    public const string RecoveryCodesUnconfirmed = "recovery-codes.unconfirmed";

    /// <summary>A security key counted backwards: there may be a copy of it.</summary>
    public const string SecurityKeyMayBeCopied = "security-key.may-be-copied";

    /// <summary>The password was right and ten codes were wrong: somebody who knows the password guesses.</summary>
    public const string CodesGuessed = "codes.guessed";

    /// <summary>A remembered device's cookie came a second time: there may be a copy of it.</summary>
    public const string DeviceMayBeCopied = "device.may-be-copied";

    /// <summary>The person was made an owner of the appliance.</summary>
    public const string OwnerGranted = "appliance-owner.granted";

    /// <summary>The person is no owner of the appliance any more.</summary>
    public const string OwnerWithdrawn = "appliance-owner.withdrawn";

    /// <summary>An owner of the appliance says that the person lost their keys.</summary>
    public const string LostKeyRequested = "lost-key.requested";

    /// <summary>A second owner agreed, and there is a code.</summary>
    public const string LostKeyApproved = "lost-key.approved";

    /// <summary>The keys were replaced.</summary>
    public const string LostKeyUsed = "lost-key.used";

    /// <summary>Three wrong codes were typed for a request for access; to whoever asked, and to whoever typed the third.</summary>
    public const string AccessRequestVoid = "access-request.void";

    public required Guid Id { get; init; }

    public required string Reference { get; init; }

    public required UserId UserId { get; init; }

    public required string Kind { get; init; }

    public required DateTimeOffset At { get; init; }

    public string? Address { get; init; }

    public string? Agent { get; init; }

    public DateTimeOffset? DismissedAt { get; set; }
}

internal sealed class NoticeConfiguration : IEntityTypeConfiguration<Notice>
{
    public void Configure(EntityTypeBuilder<Notice> builder)
    {
        builder.ToTable("notices");
        builder.HasKey(n => n.Id);
        builder.HasOne<User>().WithMany().HasForeignKey(n => n.UserId);
    }
}

public sealed class Notices(Database database, AccountAlerts alerts, TimeProvider clock)
{
    /// <summary>Tells the person at their next page, and by mail where somebody else may be at it. In the caller's transaction.</summary>
    public void Add(TeamSession session, UserId user, string kind, HttpContext http)
    {
        var now = clock.GetUtcNow();
        session.Add(new Notice
        {
            Id = Guid.CreateVersion7(now),
            Reference = Reference.New(),
            UserId = user,
            Kind = kind,
            At = now,
            Address = http.Address(),
            Agent = http.Agent(),
        });
        if (Mailed(kind) is { } happening)
        {
            alerts.Tell(session, user, happening, http);
        }
    }

    private static Happening? Mailed(string kind) => kind switch
    {
        Notice.RecoveryCodeUsed => Happening.RecoveryCodeUsed,
        Notice.SecurityKeyMayBeCopied => Happening.KeyMayBeCopied,
        Notice.DeviceMayBeCopied => Happening.DeviceMayBeCopied,
        Notice.CodesGuessed => Happening.CodesGuessed,
        _ => null,
    };

    /// <summary>What the person has not dismissed yet, the newest first.</summary>
    public async Task<IReadOnlyList<Notice>> OpenAsync(UserId user, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        return await session.Query<Notice>().AsNoTracking().Where(n => n.UserId == user && n.DismissedAt == null)
            .OrderByDescending(n => n.At).Take(20).ToListAsync(cancellationToken);
    }

    /// <summary>False: the person has no such notice.</summary>
    public async Task<bool> DismissAsync(UserId user, string reference, CancellationToken cancellationToken)
    {
        await using var session = await database.ForApplianceAsync(cancellationToken);
        var changed = await session.ExecuteAsync(
            $"update notices set dismissed_at = {clock.GetUtcNow()} where user_id = {user.Value} and reference = {reference} and dismissed_at is null", cancellationToken);
        await session.CommitAsync(cancellationToken);
        return changed > 0;
    }

    /// <summary>Dismisses every notice of a kind. In the caller's transaction.</summary>
    public Task DismissAsync(TeamSession session, UserId user, string kind, CancellationToken cancellationToken) =>
        session.ExecuteAsync($"update notices set dismissed_at = {clock.GetUtcNow()} where user_id = {user.Value} and kind = {kind} and dismissed_at is null", cancellationToken);
}
