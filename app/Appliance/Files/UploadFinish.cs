using System.Globalization;
using Appliance.Data;
using Appliance.Ledger;

namespace Appliance.Files;

/// <summary>Makes the file, or its new version, of an upload whose bytes are all durable.</summary>
internal sealed class UploadFinish(TimeProvider time)
{
    /// <summary>
    /// In the session's transaction; the caller commits. Two uploads of one name that finish together become two versions of one file: the
    /// second waits for the first's commit and then finds its entry.
    /// </summary>
    /// <exception cref="UploadException">The folder is gone or the name is a folder's. Nothing was changed; the bytes are kept until the upload expires.</exception>
    public async Task FinishAsync(TeamSession session, Upload upload, Origin origin, CancellationToken cancellationToken)
    {
        await LockFolderAsync(session, upload.FolderId, cancellationToken);
        var (entryId, now) = (Guid.CreateVersion7(), time.GetUtcNow());
        var mediaType = upload.MediaType ?? FileVersion.UnknownMediaType;
        var isNew = await session.ExecuteAsync(
            $"""
            insert into entries (id, team_id, reference, parent_id, kind, name, name_key, current_version_id, size, media_type, created_at, created_by, modified_at, modified_by)
            values ({entryId}, {upload.TeamId.Value}, {Reference.New()}, {upload.FolderId}, 'file', {upload.Name}, {upload.NameKey}, {upload.Id}, {upload.Length}, {mediaType},
                    {now}, {upload.UserId.Value}, {now}, {upload.UserId.Value})
            on conflict (team_id, parent_id, name_key) where deleted_at is null do nothing
            """, cancellationToken) == 1;
        var number = 1;
        if (!isNew)
        {
            entryId = await LockFileAsync(session, upload, cancellationToken);
            number = 1 + (await session.SqlAsync<int>(
                $"""select coalesce(max(number), 0) as "Value" from versions where team_id = app_team() and entry_id = {entryId}""", cancellationToken)).Single();
        }
        await session.ExecuteAsync(
            $"""
            insert into versions (id, team_id, entry_id, content_id, number, size, media_type, created_at, created_by)
            values ({upload.Id}, {upload.TeamId.Value}, {entryId}, {upload.Id}, {number}, {upload.Length}, {mediaType}, {now}, {upload.UserId.Value})
            """, cancellationToken);
        if (!isNew)
        {
            await session.ExecuteAsync(
                $"""
                update entries set current_version_id = {upload.Id}, size = {upload.Length}, media_type = {mediaType}, revision = revision + 1, modified_at = {now}, modified_by = {upload.UserId.Value}
                where team_id = app_team() and id = {entryId}
                """, cancellationToken);
        }
        if (await session.ExecuteAsync(
            $"update uploads set finished_at = {now} where team_id = app_team() and id = {upload.Id} and finished_at is null and received = length", cancellationToken) != 1)
        {
            throw UploadException.Gone();
        }
        session.Record(
            new LedgerEvent("file.uploaded", entryId.ToString("D"), new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["name"] = upload.Name,
                ["version"] = number.ToString(CultureInfo.InvariantCulture),
                ["bytes"] = upload.Length.ToString(CultureInfo.InvariantCulture),
            }), origin);
    }

    /// <summary>Refused early, before any byte is sent, where it can be seen already.</summary>
    /// <exception cref="FileRuleException">A folder has the name.</exception>
    public static async Task RequireNameForFileAsync(TeamSession session, Upload upload, CancellationToken cancellationToken)
    {
        var kinds = await session.SqlAsync<string>(
            $"""
            select kind as "Value" from entries
            where team_id = app_team() and parent_id is not distinct from {upload.FolderId} and name_key = {upload.NameKey} and deleted_at is null
            """, cancellationToken);
        if (kinds is [Entry.Folder])
        {
            throw new FileRuleException(FileRule.NameTaken, NameIsFolders(upload));
        }
    }

    /// <summary>Holds the folder in place until the commit, and looks that none above it was deleted.</summary>
    private static async Task LockFolderAsync(TeamSession session, Guid? folder, CancellationToken cancellationToken)
    {
        if (folder is null)
        {
            return;
        }
        await session.SqlAsync<Guid>($"""select id as "Value" from entries where team_id = app_team() and id = {folder} for share""", cancellationToken);
        var live = await session.SqlAsync<bool>(
            $"""
            with recursive up as (
                select id, parent_id, deleted_at, 0 as depth from entries where team_id = app_team() and id = {folder}
                union all
                select e.id, e.parent_id, e.deleted_at, up.depth + 1
                from up join entries e on e.team_id = app_team() and e.id = up.parent_id where up.depth < {Folders.MaxDepth}
            )
            select coalesce(bool_and(deleted_at is null), false) as "Value" from up
            """, cancellationToken);
        if (live is not [true])
        {
            throw new UploadException(
                UploadProblem.CannotFinish, "All of it has arrived, but its folder was removed meanwhile. Bring the folder back within a day, or upload the file elsewhere.");
        }
    }

    private static async Task<Guid> LockFileAsync(TeamSession session, Upload upload, CancellationToken cancellationToken)
    {
        var found = await session.SqlAsync<Found>(
            $"""
            select id as "Id", kind as "Kind" from entries
            where team_id = app_team() and parent_id is not distinct from {upload.FolderId} and name_key = {upload.NameKey} and deleted_at is null for update
            """, cancellationToken);
        return found switch
        {
            [{ Kind: Entry.File } file] => file.Id,
            [_] => throw new UploadException(UploadProblem.CannotFinish, NameIsFolders(upload)),
            // Renamed or deleted between the two statements: trying again finds the name free.
            _ => throw new ConcurrentChangeException(new InvalidOperationException("The entry that had the name has just gone.")),
        };
    }

    private static string NameIsFolders(Upload upload) => $"There is a folder called “{upload.Name}” here. Rename one of the two.";

    private sealed record Found(Guid Id, string Kind);
}
