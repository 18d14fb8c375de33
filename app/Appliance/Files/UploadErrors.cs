namespace Appliance.Files;

public enum UploadProblem
{
    /// <summary>Another request is writing to this upload now.</summary>
    Busy,

    /// <summary>The bytes would not go on where the upload stands.</summary>
    WrongOffset,

    /// <summary>More bytes than were announced, or than a file may have.</summary>
    TooLong,

    /// <summary>It was cancelled, has expired, or its owner is no member any more.</summary>
    Gone,

    /// <summary>The bytes are not those that the checksum was made of. None of them is kept.</summary>
    ChecksumMismatch,

    /// <summary>All bytes are here, but the file cannot come to be: its folder is gone, or its name is a folder's.</summary>
    CannotFinish,

    /// <summary>All bytes are here, but the file has another content by now than the one that the caller saw.</summary>
    Changed,
}

/// <summary>An upload cannot go on. The message says why and what is kept, for people.</summary>
public sealed class UploadException(UploadProblem problem, string message) : Exception(message)
{
    public UploadProblem Problem { get; } = problem;

    internal static UploadException Gone() => new(UploadProblem.Gone, "This upload was cancelled or has expired. Start it again.");
}
