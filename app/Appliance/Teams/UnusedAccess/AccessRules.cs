namespace Appliance.Teams.UnusedAccess;

/// <summary>Somebody's access to a team, and when they last used it.</summary>
/// <param name="UserId">Who.</param>
/// <param name="Username">Their name.</param>
/// <param name="Role">A <see cref="Membership"/>'s role.</param>
/// <param name="Since">Member since.</param>
/// <param name="LastUsedAt">The last sign-in or use of a session that opens the team; of members who are no owners, of a token as well. Null: none is written down.</param>
/// <param name="CountsFrom">Time without use counts from here at the earliest.</param>
/// <param name="WarnedAt">When they were last warned.</param>
public sealed record MemberAccess(
    Guid UserId, string Username, string Role, DateTimeOffset Since, DateTimeOffset? LastUsedAt, DateTimeOffset CountsFrom, DateTimeOffset? WarnedAt)
{
    private DateTimeOffset UnusedSince => LastUsedAt > CountsFrom ? LastUsedAt.Value : CountsFrom;

    /// <summary>The warning that still counts: since it, nothing was used.</summary>
    public DateTimeOffset? Warned => WarnedAt > UnusedSince ? WarnedAt : null;

    /// <summary>
    /// When it ends if it is not used before; null: never. Never without a warning a week before, however long it was not used: so neither an upgrade, nor a
    /// machine that stood still for a month, nor a clock that jumps takes anything from anybody at once.
    /// </summary>
    public DateTimeOffset? EndsAt(AccessRules rules, DateTimeOffset now)
    {
        if (rules.For(Role) is not { } period)
        {
            return null;
        }
        var (end, earliest) = (UnusedSince + period, (Warned ?? now) + AccessRules.Notice);
        return end > earliest ? end : earliest;
    }

    /// <summary>They are to be told now.</summary>
    public bool IsDueToWarn(AccessRules rules, DateTimeOffset now) => Warned is null && EndsAt(rules, now) is { } end && end <= now + AccessRules.Notice;

    /// <summary>It ends now.</summary>
    public bool IsDueToEnd(AccessRules rules, DateTimeOffset now) => Warned is not null && EndsAt(rules, now) is { } end && end <= now;
}

/// <summary>After how long access that nobody uses ends.</summary>
/// <param name="Members">As the team says; null: never.</param>
public sealed record AccessRules(TimeSpan? Members)
{
    /// <summary>From the warning to the end.</summary>
    public static readonly TimeSpan Notice = TimeSpan.FromDays(7);

    /// <summary>Of whoever administers something, at the latest.</summary>
    public static readonly TimeSpan Owners = TimeSpan.FromDays(30);

    public TimeSpan? For(string role) => role == Membership.Owner ? (Members < Owners ? Members : Owners) : Members;
}
