using Appliance.Teams.Groups;

namespace Appliance.Files;

public enum FileRule
{
    /// <summary>The folder is not there any more.</summary>
    FolderGone,

    /// <summary>One of the entries is not there (any more).</summary>
    EntryGone,

    /// <summary>The file has no such version (any more).</summary>
    VersionGone,

    /// <summary>Something else has the name.</summary>
    NameTaken,

    /// <summary>Folders would nest deeper than <see cref="Folders.MaxDepth"/>.</summary>
    TooDeep,

    /// <summary>A folder would lie in itself.</summary>
    IntoItself,

    /// <summary>It has been changed since the caller looked.</summary>
    Changed,

    /// <summary>A version that is the file's content now cannot be deleted.</summary>
    VersionIsCurrent,

    /// <summary>Only a file has content and versions.</summary>
    NotAFile,

    /// <summary>The team may not store so much, or so many files.</summary>
    QuotaExceeded,

    /// <summary>More at once than one request may name, or nothing.</summary>
    TooMany,

    /// <summary>No group of the person gives them that much here.</summary>
    NotAllowed,

    /// <summary>What is looked for cannot be.</summary>
    BadSearch,
}

/// <summary>A rule about files stands in the way. The message says which and what to do, for people.</summary>
public sealed class FileRuleException(FileRule rule, string message) : Exception(message)
{
    public FileRule Rule { get; } = rule;

    internal static FileRuleException FolderGone() => new(FileRule.FolderGone, "The folder is not there any more. Choose another one.");

    internal static FileRuleException EntryGone() => new(FileRule.EntryGone, "This is not there any more. Somebody may have moved it to the trash.");

    internal static FileRuleException NameTaken(string name) => new(FileRule.NameTaken, $"There is already a “{name}” here. Choose another name.");

    internal static FileRuleException TooDeep() => new(FileRule.TooDeep, $"Folders nest at most {Folders.MaxDepth} deep. Choose a place further up.");

    internal static FileRuleException NotAllowed(Level needed) => new(FileRule.NotAllowed, needed == Level.Manage
        ? "Your groups do not let you manage this. An owner of the team can change that."
        : "Your groups do not let you change anything here. An owner of the team can change that.");

    internal static FileRuleException Changed() => new(FileRule.Changed, "This was changed meanwhile. Look at it again, then decide.");
}
