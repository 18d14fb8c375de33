using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Objects;
using Appliance.Teams;

namespace Appliance.Files;

/// <summary>A content that a file has had. <c>Size</c> in bytes; <c>CreatedBy</c>: a username; <c>RestoredFrom</c>: the number of the version that it brought back, or null.</summary>
public sealed record ListedVersion(
    int Number, long Size, string MediaType, DateTimeOffset CreatedAt, string CreatedBy, int? RestoredFrom, bool Current);

/// <summary>A part of a file's versions. <c>More</c>: the number before which the next page begins, or null at the end.</summary>
public sealed record VersionPage(IReadOnlyList<ListedVersion> Versions, int? More);

/// <summary>A file's versions: all that it has been. Bringing one back makes a new one with the old content; nothing is overwritten.</summary>
public sealed class Versions(Quota quota, SealedObjects objects, TimeProvider time)
{
    /// <summary>Newest first; null where the file is not there.</summary>
    /// <param name="visit">Who, and in which team.</param>
    /// <param name="entry">The file's reference.</param>
    /// <param name="before">Only versions with smaller numbers; null from the newest.</param>
    /// <param name="limit">1 to <see cref="Listing.MostAtOnce"/>.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="FileRuleException">It is a folder.</exception>
    public static async Task<VersionPage?> ListAsync(TeamVisit visit, string? entry, int? before, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        if (await Entries.FindAsync(visit.Session, entry, cancellationToken) is not { } found)
        {
            return null;
        }
        if (found.Entry.IsFolder)
        {
            throw NotAFile();
        }
        var versions = await visit.Session.SqlAsync<ListedVersion>(
            $"""
            select v.number as "Number", v.size as "Size", v.media_type as "MediaType", v.created_at as "CreatedAt", u.username as "CreatedBy",
                   v.restored_from as "RestoredFrom", v.id = e.current_version_id as "Current"
            from entries e join versions v on v.team_id = e.team_id and v.entry_id = e.id join users u on u.id = v.created_by
            where e.team_id = app_team() and e.reference = {entry} and v.number < {before ?? int.MaxValue} order by v.number desc limit {limit + 1}
            """, cancellationToken);
        return versions.Count <= limit ? new VersionPage(versions, null) : new VersionPage(versions[..limit], versions[limit - 1].Number);
    }

    /// <summary>Makes an earlier version's content the file's again, as a new version, and commits. The current one stays as it is.</summary>
    /// <exception cref="FileRuleException">There is no such file or version, or the team's quota is reached.</exception>
    public async Task<ListedEntry> RestoreAsync(TeamVisit visit, string entry, int number, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var session = visit.Session;
        // Before the file is locked, as uploads do it: so that no two wait for each other.
        if (await SizeAsync(session, entry, number, cancellationToken) is { } size)
        {
            await quota.RequireRoomAsync(session, size, 0, cancellationToken);
        }
        var (file, version) = await LockAsync(session, entry, number, cancellationToken);
        if (version.Id != file.CurrentVersionId)
        {
            await RestoreAsync(session, visit, file, version, origin, cancellationToken);
        }
        var now = (await Entries.ReadAsync(session, [file.Id], cancellationToken)).Single();
        await session.CommitAsync(cancellationToken);
        return now;
    }

    /// <summary>Deletes one earlier version for good, and commits.</summary>
    /// <exception cref="FileRuleException">There is no such file or version, or it is the current one.</exception>
    public async Task DeleteAsync(TeamVisit visit, string entry, int number, Origin origin, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var session = visit.Session;
        var (file, version) = await LockAsync(session, entry, number, cancellationToken);
        FolderLevel.RequireManage([file]);
        if (version.Id == file.CurrentVersionId)
        {
            throw new FileRuleException(FileRule.VersionIsCurrent, "This is what the file is now. Restore another version first, or move the file to the trash.");
        }
        await session.ExecuteAsync($"delete from versions where team_id = app_team() and entry_id = {file.Id} and id = {version.Id}", cancellationToken);
        var gone = await session.SqlAsync<Guid>(
            $"""
            delete from segments where team_id = app_team() and content_id = {version.ContentId}
              and not exists (select from versions where team_id = app_team() and content_id = {version.ContentId})
            returning object_id as "Value"
            """, cancellationToken);
        session.Record(
            new LedgerEvent("version.deleted", file.Id.ToString("D"), EntryEvents.Details(("name", file.Name), ("version", Text(number)), ("bytes", Text(version.Size)))), origin);
        await session.CommitAsync(cancellationToken);
        await objects.RemoveAsync(visit.Team, gone, cancellationToken);
    }

    private async Task RestoreAsync(TeamSession session, TeamVisit visit, LockedEntry file, Found version, Origin origin, CancellationToken cancellationToken)
    {
        var (id, now) = (Guid.CreateVersion7(), time.GetUtcNow());
        var made = await session.SqlAsync<int>(
            $"""
            insert into versions (id, team_id, entry_id, content_id, number, size, media_type, created_at, created_by, restored_from)
            select {id}, app_team(), {file.Id}, {version.ContentId}, 1 + max(number), {version.Size}, {version.MediaType}, {now}, {visit.Person.Value}, {version.Number}
            from versions where team_id = app_team() and entry_id = {file.Id} returning number as "Value"
            """, cancellationToken);
        await session.ExecuteAsync(
            $"""
            update entries set current_version_id = {id}, size = {version.Size}, media_type = {version.MediaType}, revision = revision + 1, modified_at = {now}, modified_by = {visit.Person.Value}
            where team_id = app_team() and id = {file.Id}
            """, cancellationToken);
        session.Record(
            new LedgerEvent("version.restored", file.Id.ToString("D"), EntryEvents.Details(("name", file.Name), ("from", Text(version.Number)), ("version", Text(made.Single())))), origin);
    }

    private static async Task<(LockedEntry File, Found Version)> LockAsync(TeamSession session, string entry, int number, CancellationToken cancellationToken)
    {
        var (locked, _) = await Entries.LockLiveAsync(session, [entry], cancellationToken);
        if (locked[0].IsFolder)
        {
            throw NotAFile();
        }
        var found = await session.SqlAsync<Found>(
            $"""
            select id as "Id", content_id as "ContentId", number as "Number", size as "Size", media_type as "MediaType" from versions
            where team_id = app_team() and entry_id = {locked[0].Id} and number = {number}
            """, cancellationToken);
        return found is [var version]
            ? (locked[0], version)
            : throw new FileRuleException(FileRule.VersionGone, string.Create(CultureInfo.InvariantCulture, $"This file has no version {number} any more."));
    }

    private static async Task<long?> SizeAsync(TeamSession session, string entry, int number, CancellationToken cancellationToken) =>
        (await session.SqlAsync<long?>(
            $"""
            select v.size as "Value" from entries e join versions v on v.team_id = e.team_id and v.entry_id = e.id
            where e.team_id = app_team() and e.reference = {entry} and v.number = {number}
            """, cancellationToken)).SingleOrDefault();

    private static FileRuleException NotAFile() => new(FileRule.NotAFile, "A folder has no content and no versions.");

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed record Found(Guid Id, Guid ContentId, int Number, long Size, string MediaType);
}
