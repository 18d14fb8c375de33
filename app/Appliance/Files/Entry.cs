using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Files;

/// <summary>A folder or a file of a team.</summary>
public sealed class Entry : ITeamOwned
{
    public required Guid Id { get; init; }

    public required TeamId TeamId { get; init; }

    /// <summary>What addresses call it: <see cref="Data.Reference"/>.</summary>
    public required string Reference { get; init; }

    /// <summary>The folder it is in; null at the team's root.</summary>
    public Guid? ParentId { get; init; }

    /// <summary><see cref="Folder"/> or <see cref="File"/>.</summary>
    public required string Kind { get; init; }

    /// <summary><see cref="EntryName.Text"/>.</summary>
    public required string Name { get; init; }

    /// <summary><see cref="EntryName.Key"/>.</summary>
    public required string NameKey { get; init; }

    /// <summary>What a file's content is; null for a folder.</summary>
    public Guid? CurrentVersionId { get; init; }

    /// <summary>Bytes of a file's current version; 0 for a folder.</summary>
    public required long Size { get; init; }

    /// <summary>The current version's; null for a folder.</summary>
    public string? MediaType { get; init; }

    /// <summary>1, and one more with every change: the entity tag against lost updates.</summary>
    public required long Revision { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required UserId CreatedBy { get; init; }

    public required DateTimeOffset ModifiedAt { get; init; }

    public required UserId ModifiedBy { get; init; }

    /// <summary>When it went to the trash. What lies in a folder that did is not marked, and yet as gone.</summary>
    public DateTimeOffset? DeletedAt { get; init; }

    public UserId? DeletedBy { get; init; }

    /// <summary>When it was deleted for good: nobody sees it any more, and its rows and objects go soon.</summary>
    public DateTimeOffset? PurgedAt { get; init; }

    public const string Folder = "folder";

    public const string File = "file";
}

/// <summary>One content that a file has had. Written once.</summary>
public sealed class FileVersion : ITeamOwned
{
    public required Guid Id { get; init; }

    public required TeamId TeamId { get; init; }

    public required Guid EntryId { get; init; }

    /// <summary>Whose segments hold its bytes: its own id, or that of the version which it brought back.</summary>
    public required Guid ContentId { get; init; }

    /// <summary>1, 2, 3 … within the file.</summary>
    public required int Number { get; init; }

    /// <summary>Bytes.</summary>
    public required long Size { get; init; }

    /// <summary>What it is served as. A client's word for it is not taken.</summary>
    public required string MediaType { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required UserId CreatedBy { get; init; }

    /// <summary>The number of the version that this one brought back; null for one that was uploaded.</summary>
    public int? RestoredFrom { get; init; }

    /// <summary>Bytes of which nothing is claimed: a browser saves them and does not try to guess.</summary>
    public const string UnknownMediaType = "application/octet-stream";
}

/// <summary>A piece of content: one sealed object with a key of its own.</summary>
public sealed class Segment : ITeamOwned
{
    public required TeamId TeamId { get; init; }

    /// <summary>The upload, or the version that became of it.</summary>
    public required Guid ContentId { get; init; }

    /// <summary>Bytes of the content before this piece.</summary>
    public required long Start { get; init; }

    /// <summary>Bytes, at least 1.</summary>
    public required long Length { get; init; }

    public required ObjectId ObjectId { get; init; }
}

/// <summary>Content that is on its way in.</summary>
public sealed class Upload : ITeamOwned
{
    public required Guid Id { get; init; }

    public required TeamId TeamId { get; init; }

    public required string Reference { get; init; }

    public required UserId UserId { get; init; }

    /// <summary>Where the file will be; null for the team's root.</summary>
    public Guid? FolderId { get; init; }

    public required string Name { get; init; }

    public required string NameKey { get; init; }

    /// <summary>Bytes that the whole will have.</summary>
    public required long Length { get; init; }

    /// <summary>Bytes that are durable.</summary>
    public required long Received { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>When the file came to be.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>What the first bytes said that it is (<see cref="MediaTypes"/>); null until they are here.</summary>
    public string? MediaType { get; set; }

    /// <summary>What is done when the name is taken: one of <see cref="NewVersion"/>, <see cref="KeepBoth"/>, <see cref="Refuse"/>.</summary>
    public string Conflict { get; init; } = NewVersion;

    /// <summary>A new version of the file that has the name.</summary>
    public const string NewVersion = "version";

    /// <summary>A new file beside it, with a number in its name.</summary>
    public const string KeepBoth = "keep-both";

    public const string Refuse = "refuse";

    internal Upload WithLength(long length) => new()
    {
        Id = Id,
        TeamId = TeamId,
        Reference = Reference,
        UserId = UserId,
        FolderId = FolderId,
        Name = Name,
        NameKey = NameKey,
        Length = length,
        Received = length,
        CreatedAt = CreatedAt,
        ExpiresAt = ExpiresAt,
        MediaType = MediaType,
        Conflict = Conflict,
    };
}

internal sealed class FilesConfiguration :
    IEntityTypeConfiguration<Entry>, IEntityTypeConfiguration<FileVersion>, IEntityTypeConfiguration<Segment>, IEntityTypeConfiguration<Upload>
{
    public void Configure(EntityTypeBuilder<Entry> builder)
    {
        builder.ToTable("entries");
        builder.HasKey(e => new { e.TeamId, e.Id });
    }

    public void Configure(EntityTypeBuilder<FileVersion> builder)
    {
        builder.ToTable("versions");
        builder.HasKey(v => new { v.TeamId, v.EntryId, v.Id });
    }

    public void Configure(EntityTypeBuilder<Segment> builder)
    {
        builder.ToTable("segments");
        builder.HasKey(s => new { s.TeamId, s.ContentId, s.Start });
    }

    public void Configure(EntityTypeBuilder<Upload> builder)
    {
        builder.ToTable("uploads");
        builder.HasKey(u => u.Id);
    }
}
