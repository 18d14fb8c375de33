using Appliance.Data;
using Appliance.Ledger;
using Appliance.Teams.Groups;

namespace Appliance.Files;

/// <summary>Makes the file, or its new version, of an upload whose bytes are all durable.</summary>
internal sealed class UploadFinish(FilePlacing placing, TimeProvider time)
{
    /// <summary>In the session's transaction; the caller commits.</summary>
    /// <param name="session">In the team.</param>
    /// <param name="upload">All of it is here.</param>
    /// <param name="onFile">The file that it is a new content of; null: its name says where it goes.</param>
    /// <param name="origin">For the ledger.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    /// <exception cref="UploadException">
    /// The folder is gone, the name is taken, or no more files may be. Nothing was changed; the bytes are kept until the upload expires.
    /// </exception>
    public async Task<PlacedFile> FinishAsync(TeamSession session, Upload upload, OnFile? onFile, Origin origin, CancellationToken cancellationToken)
    {
        var content = new NewContent(upload.Id, upload.TeamId, upload.UserId, upload.Length, upload.MediaType ?? FileVersion.UnknownMediaType);
        var mostFiles = await placing.HoldFilesAsync(session, cancellationToken);
        PlacedFile placed;
        await session.ExecuteAsync($"savepoint before_finishing", cancellationToken);
        try
        {
            await RequireWriteAsync(session, upload, cancellationToken);
            if (onFile is null)
            {
                await LockFolderAsync(session, upload.FolderId, cancellationToken);
                placed = await placing.PlaceAsync(session, content, new NewName(upload.FolderId, upload.Name, upload.NameKey, upload.Conflict), mostFiles, origin, cancellationToken);
            }
            else
            {
                placed = await placing.PlaceAsync(session, content, onFile, origin, cancellationToken);
            }
        }
        catch (FileRuleException refused)
        {
            await session.ExecuteAsync($"rollback to savepoint before_finishing", cancellationToken);
            throw new UploadException(refused.Rule == FileRule.Changed ? UploadProblem.Changed : UploadProblem.CannotFinish, refused.Message);
        }
        if (await session.ExecuteAsync(
            $"update uploads set finished_at = {time.GetUtcNow()} where team_id = app_team() and id = {upload.Id} and finished_at is null and received = length", cancellationToken) != 1)
        {
            throw UploadException.Gone();
        }
        return placed;
    }

    /// <summary>Refused early, before any byte is sent, where it can be seen already. Answers whether a new file will come of it.</summary>
    /// <exception cref="FileRuleException">The name is taken.</exception>
    public static async Task<bool> RequireNameAsync(TeamSession session, Upload upload, CancellationToken cancellationToken)
    {
        var kinds = await session.SqlAsync<string>(
            $"""
            select kind as "Value" from entries
            where team_id = app_team() and parent_id is not distinct from {upload.FolderId}::uuid and name_key = {upload.NameKey} and deleted_at is null
            """, cancellationToken);
        return RequireName(kinds.SingleOrDefault(), upload.Conflict, upload.Name);
    }

    /// <summary>Whether a new file will come of it, where <paramref name="kind"/> (null: nothing) has the name.</summary>
    /// <exception cref="FileRuleException">The name is taken.</exception>
    public static bool RequireName(string? kind, string conflict, string name) => (kind, conflict) switch
    {
        (null, _) or (_, Upload.KeepBoth) => true,
        (_, Upload.Refuse) => throw FileRuleException.NameTaken(name),
        (Entry.Folder, _) => throw FilePlacing.NameIsFolders(name),
        _ => false,
    };

    /// <summary>What one may where it goes can have changed since it was announced.</summary>
    private static async Task RequireWriteAsync(TeamSession session, Upload upload, CancellationToken cancellationToken)
    {
        if ((await session.SqlAsync<int>(
            $"""select case when {upload.FolderId}::uuid is null then app_level(null) else coalesce(app_level_of({upload.FolderId}::uuid), 0) end as "Value" """, cancellationToken)).Single() < (int)Level.Write)
        {
            throw FileRuleException.NotAllowed(Level.Write);
        }
    }

    /// <summary>Keeps the folder's row until the commit, and looks that neither it nor one above it was deleted.</summary>
    private static async Task LockFolderAsync(TeamSession session, Guid? folder, CancellationToken cancellationToken)
    {
        if (folder is null)
        {
            return;
        }
        await session.SqlAsync<Guid>($"""select id as "Value" from entries where team_id = app_team() and id = {folder} for key share""", cancellationToken);
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
            throw new FileRuleException(
                FileRule.FolderGone, "All of it has arrived, but its folder was removed meanwhile. Bring the folder back within a day, or upload the file elsewhere.");
        }
    }
}
