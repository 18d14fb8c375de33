using Appliance.Vault;

namespace Appliance.Data;

/// <summary>The account of one person. UUIDv7 (RFC 9562 §5.7).</summary>
public readonly record struct UserId(Guid Value)
{
    /// <summary>The appliance itself, where one of its own jobs works in a team. Never a person's account.</summary>
    public static readonly UserId Appliance = new(Guid.Empty);

    public static UserId New() => new(Guid.CreateVersion7());

    public override string ToString() => Value.ToString("D");
}

/// <summary>A row that belongs to one team. Its table forces row-level security on <c>team_id</c>.</summary>
public interface ITeamOwned
{
    TeamId TeamId { get; }
}

/// <summary>A team's row that its own person may see from outside the team as well: their membership, the names of their teams.</summary>
public interface IVisibleToItsUser : ITeamOwned;
