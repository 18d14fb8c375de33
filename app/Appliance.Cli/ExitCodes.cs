namespace Appliance.Cli;

/// <summary>How it ends (docs/operators.md).</summary>
internal static class ExitCodes
{
    public const int Done = 0;

    /// <summary>Done, and the answer is not good: not ready, a check failed, the ledger is damaged.</summary>
    public const int NotWell = 1;

    /// <summary>Not done: the command, an option or a file of ours is wrong.</summary>
    public const int Misused = 2;

    /// <summary>Not done: no connection. The appliance is not there, is not who it should be, or does not let this key in: it tells a stranger no more.</summary>
    public const int NoConnection = 3;

    /// <summary>Not done: this key may not do that.</summary>
    public const int NotPermitted = 4;

    /// <summary>Not done: there is no such thing, or the appliance does not take it. It says why.</summary>
    public const int Refused = 5;

    /// <summary>Not done, or nobody knows: an error of the appliance, or it is not available right now.</summary>
    public const int Failed = 6;
}

/// <summary>Ends the command; the message is all there is to say.</summary>
internal sealed class CommandException(int code, string message) : Exception(message)
{
    public int Code { get; } = code;
}
