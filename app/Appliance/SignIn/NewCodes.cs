namespace Appliance.SignIn;

/// <summary>Recovery codes on the one page that ever shows them.</summary>
/// <param name="Codes">As they are printed.</param>
/// <param name="Username">Whose.</param>
/// <param name="Return">Where to go once they are stored.</param>
public sealed record NewCodes(IReadOnlyList<string> Codes, string Username, string Return);
