namespace Appliance.Files.Api;

/// <summary>
/// A file or folder. <c>Folder</c>: the reference of the folder it is in, null at the root; <c>Size</c> in bytes and <c>MediaType</c> are null for a
/// folder; <c>Revision</c> changes with every change of the entry (its entity tag is <c>"r</c>revision<c>"</c>).
/// </summary>
public record EntryAnswer(
    string Reference, string Kind, string Name, string? Folder, long? Size, string? MediaType, long Revision, DateTimeOffset CreatedAt, DateTimeOffset ModifiedAt)
{
    internal static EntryAnswer Of(ListedEntry entry) => new(
        entry.Reference, entry.Kind, entry.Name, entry.Folder, entry.Size, entry.MediaType, entry.Revision, entry.CreatedAt, entry.ModifiedAt);
}

/// <summary>A folder on the way from the root.</summary>
public sealed record StepAnswer(string Reference, string Name)
{
    internal static IReadOnlyList<StepAnswer> Of(IReadOnlyList<FolderStep> path) => [.. path.Select(s => new StepAnswer(s.Reference, s.Name))];
}

/// <summary>One entry. <c>CreatedBy</c>, <c>ModifiedBy</c>: usernames; <c>Path</c>: the folders it is in; <c>Version</c>: the current version's number, null for a folder.</summary>
public sealed record EntryDetailsAnswer(
    string Reference, string Kind, string Name, string? Folder, long? Size, string? MediaType, long Revision, DateTimeOffset CreatedAt, DateTimeOffset ModifiedAt,
    string CreatedBy, string ModifiedBy, IReadOnlyList<StepAnswer> Path, int? Version)
    : EntryAnswer(Reference, Kind, Name, Folder, Size, MediaType, Revision, CreatedAt, ModifiedAt)
{
    internal static EntryDetailsAnswer Of(EntryDetails found)
    {
        var e = found.Entry;
        return new EntryDetailsAnswer(
            e.Reference, e.Kind, e.Name, e.Folder, e.Size, e.MediaType, e.Revision, e.CreatedAt, e.ModifiedAt, found.CreatedBy, found.ModifiedBy, StepAnswer.Of(found.Path), found.Version);
    }
}

/// <summary>Entries.</summary>
public sealed record EntriesAnswer(IReadOnlyList<EntryAnswer> Entries)
{
    internal static EntriesAnswer Of(IEnumerable<ListedEntry> entries) => new([.. entries.Select(EntryAnswer.Of)]);
}

/// <summary>A page of a folder. <c>Path</c>: the folders from the root, itself the last; <c>Next</c>: what to send as <c>after</c> for the next page, null at the end.</summary>
public sealed record ListingAnswer(IReadOnlyList<StepAnswer> Path, IReadOnlyList<EntryAnswer> Entries, string? Next);

/// <summary>Something that was found, with the folders it is in.</summary>
public sealed record FoundAnswer(
    string Reference, string Kind, string Name, string? Folder, long? Size, string? MediaType, long Revision, DateTimeOffset CreatedAt, DateTimeOffset ModifiedAt,
    IReadOnlyList<StepAnswer> Path)
    : EntryAnswer(Reference, Kind, Name, Folder, Size, MediaType, Revision, CreatedAt, ModifiedAt)
{
    internal static FoundAnswer Of(FoundEntry found)
    {
        var e = found.Entry;
        return new FoundAnswer(e.Reference, e.Kind, e.Name, e.Folder, e.Size, e.MediaType, e.Revision, e.CreatedAt, e.ModifiedAt, StepAnswer.Of(found.Path));
    }
}

/// <summary>What a search found. <c>More</c>: there is more of it than was asked for.</summary>
public sealed record SearchAnswer(IReadOnlyList<FoundAnswer> Entries, bool More);

/// <summary>Something in the trash. <c>DeletedBy</c>: a username; <c>From</c>: the names of the folders it was in.</summary>
public sealed record TrashedAnswer(
    string Reference, string Kind, string Name, string? Folder, long? Size, string? MediaType, long Revision, DateTimeOffset CreatedAt, DateTimeOffset ModifiedAt,
    DateTimeOffset DeletedAt, string DeletedBy, IReadOnlyList<string> From)
    : EntryAnswer(Reference, Kind, Name, Folder, Size, MediaType, Revision, CreatedAt, ModifiedAt)
{
    internal static TrashedAnswer Of(TrashedEntry found)
    {
        var e = found.Entry;
        return new TrashedAnswer(
            e.Reference, e.Kind, e.Name, e.Folder, e.Size, e.MediaType, e.Revision, e.CreatedAt, e.ModifiedAt, found.DeletedAt, found.DeletedBy, found.From);
    }
}

/// <summary>A page of the trash, newest first.</summary>
public sealed record TrashAnswer(IReadOnlyList<TrashedAnswer> Entries, string? Next);

/// <summary>A version of a file. <c>RestoredFrom</c>: the number of the version that it brought back, or null.</summary>
public sealed record VersionAnswer(
    int Number, long Size, string MediaType, DateTimeOffset CreatedAt, string CreatedBy, int? RestoredFrom, bool Current)
{
    internal static VersionAnswer Of(ListedVersion v) => new(v.Number, v.Size, v.MediaType, v.CreatedAt, v.CreatedBy, v.RestoredFrom, v.Current);
}

/// <summary>A page of a file's versions, newest first.</summary>
public sealed record VersionsAnswer(IReadOnlyList<VersionAnswer> Versions, string? Next);

/// <summary>Entries by their references, 1 to 1000.</summary>
public sealed record EntriesRequest(IReadOnlyList<string> Entries);

/// <summary>Names that may be taken in a folder (null: the root), 1 to 1000.</summary>
public sealed record LookupRequest(IReadOnlyList<string> Names, string? Folder = null);

/// <summary>A folder to make. <c>Existing</c>: <c>refuse</c> (the default) or <c>use</c> what is there.</summary>
public sealed record FolderRequest(string Name, string? Folder = null, string Existing = "refuse");

/// <summary>Where to move. <c>Folder</c>: null for the root; <c>Conflict</c>: <c>refuse</c> (the default) or <c>keep-both</c>.</summary>
public sealed record MoveRequest(IReadOnlyList<string> Entries, string? Folder, string Conflict = "refuse");

/// <summary>What to change; a member that is missing stays as it is, a <c>folder</c> of null is the root.</summary>
public sealed class EntryPatch
{
    public string? Name { get; init; }

    public string? Folder
    {
        get;
        init
        {
            field = value;
            SaysFolder = true;
        }
    }

    internal bool SaysFolder { get; private init; }
}

/// <summary>What to bring back; with a <c>folder</c> (null: the root) to there, without to where it was.</summary>
public sealed class RestoreRequest
{
    public required IReadOnlyList<string> Entries { get; init; }

    public string? Folder
    {
        get;
        init
        {
            field = value;
            SaysFolder = true;
        }
    }

    internal bool SaysFolder { get; private init; }
}
