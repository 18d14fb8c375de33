using System.Globalization;

namespace Appliance.SignIn.Policy;

/// <summary>What an owner chose on the page of a policy, as it was typed.</summary>
public sealed record PolicyChoice
{
    public string? SecondFactor { get; init; }

    public bool DeviceBound { get; init; }

    public bool UserVerification { get; init; }

    public string? IdleLockMinutes { get; init; }

    public string? SessionHours { get; init; }

    /// <summary>Of the appliance alone.</summary>
    public string? PasswordDays { get; init; }

    /// <summary>Of a team alone.</summary>
    public string? UnusedDays { get; init; }

    /// <summary>Of a team alone.</summary>
    public string? ReviewDays { get; init; }

    /// <summary>Of a team alone.</summary>
    public bool NoShareLinks { get; init; }

    /// <summary>Of the appliance alone.</summary>
    public string? RememberedDays { get; init; }

    /// <summary>Of the appliance alone.</summary>
    public bool PasskeyAlone { get; init; }

    /// <summary>The version that the page showed.</summary>
    public int Version { get; init; }

    /// <exception cref="PolicyRuleException">A number is none, or out of its range.</exception>
    internal FactorPolicy Factors(FactorRule rule, TimeSpan longestIdle, TimeSpan longestSession) => new()
    {
        SecondFactor = rule,
        DeviceBound = DeviceBound,
        UserVerification = UserVerification,
        IdleLockMinutes = Number(IdleLockMinutes, "The idle lock", "minutes", Math.Max(1, (int)longestIdle.TotalMinutes)),
        SessionHours = Number(SessionHours, "The end of a session", "hours", Math.Max(1, (int)longestSession.TotalHours)),
    };

    internal static int? Number(string? text, string what, string unit, int most, int least = 1)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return null;
        }
        return int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new PolicyRuleException($"{what} is a number of {unit} from {least.ToString(CultureInfo.InvariantCulture)} to {most.ToString(CultureInfo.InvariantCulture)}, or empty.");
    }
}

/// <summary>A policy cannot be changed so. The message says why and what to do, for people.</summary>
public sealed class PolicyRuleException(string message) : Exception(message)
{
    /// <summary>Giving another factor may be enough.</summary>
    public bool CanConfirm { get; init; }
}
