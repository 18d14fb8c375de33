namespace Appliance.Accounts;

/// <summary>What <c>_NewPassword.cshtml</c> shows.</summary>
/// <param name="Label">What the field is called.</param>
/// <param name="Length">The shortest password, in characters.</param>
/// <param name="Problem">Why the last one was refused.</param>
public sealed record NewPassword(string Label, int Length, string? Problem);
