namespace Appliance.Teams.Groups;

/// <summary>Permissions in words.</summary>
public static class GroupWords
{
    public static string Long(string permission) => permission switch
    {
        Permission.Invite => "Let people into the team: offer places, invite by mail",
        Permission.Ledger => "Read and export the team’s ledger (only together with reading every folder: it names what is in them)",
        Permission.Links => "Share by link what they may read",
        _ => throw new ArgumentOutOfRangeException(nameof(permission), permission, null),
    };

    public static string Short(string permission) => permission switch
    {
        Permission.Invite => "lets people in",
        Permission.Ledger => "reads the ledger",
        _ => "shares by link",
    };
}
