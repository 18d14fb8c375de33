using Appliance.Data;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.Vault;

namespace Appliance.Files;

/// <summary>A new file with small content that is durable, and what the ledger will say of it: all that <c>app_add_file</c> writes.</summary>
internal sealed record NewFile(Guid Id, NewContent Content, Segment? Piece, Guid? Folder, ListedEntry Entry, LedgerEntry Told)
{
    public static NewFile Of(
        NewContent content, List<Segment> pieces, Guid? folder, string? folderReference, EntryName name, Origin origin, TimeProvider time)
    {
        var (id, now) = (Guid.CreateVersion7(), time.GetUtcNow());
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond)); // what the database keeps
        var entry = new ListedEntry(Reference.New(), Files.Entry.File, name.Text, name.Key, folderReference, content.Size, content.MediaType, 1, now, now);
        var told = LedgerAppend.Prepare(content.Team, FilePlacing.Uploaded(content, id, name.Text, 1), origin);
        return new NewFile(id, content, pieces.Count == 0 ? null : pieces[0], folder, entry, told);
    }

    /// <summary>Writes and commits it in one flight. Null, and nothing is written, where the name is taken or the folder gone.</summary>
    /// <exception cref="InDoubtException">Nobody knows whether it was committed.</exception>
    public static async Task<ListedEntry?> InsertAsync(Database database, NewFile file)
    {
        if (await database.WriteAsync(file.Content.Team, file.Content.User, file.Sql(), row => row.Bool(0)) is not [true])
        {
            return null;
        }
        LedgerAppend.Nudge();
        return file.Entry;
    }

    /// <summary>Writes it in the caller's transaction. Null, and nothing is written, where the name is taken or the folder gone.</summary>
    public static async Task<ListedEntry?> InsertAsync(TeamSession session, NewFile file)
    {
        if (await session.SqlAsync<bool>(file.Sql(), CancellationToken.None) is not [true])
        {
            return null;
        }
        session.AfterCommit(LedgerAppend.Nudge);
        return file.Entry;
    }

    private FormattableString Sql() =>
        $"""
        select app_add_file({Folder}::uuid, {Id}, {Entry.Reference}, {Entry.Name}, {Entry.NameKey}, {Content.Id}, {Content.Size}, {Content.MediaType}, {Piece?.ObjectId.Value}::uuid,
                            {Entry.CreatedAt}, {Told.Id}, {Told.At}, {Told.Actor?.Value}::uuid, {Told.Action}, {Told.Subject}::text, {Told.Address}::text, {Told.Details}) as "Value"
        """;
}

/// <summary>What can be refused of a file before its bytes are read, looked at in the flight that tells who sends it.</summary>
internal sealed class NewFileLook(TeamId team, string? folder, string key) : AlongRead(team)
{
    /// <summary><c>IsThere</c>: the folder is; <c>Folder</c>: null for the root; <c>Kind</c>: of what has the name by now; the team's own limits.</summary>
    public sealed record Look(bool IsThere, Guid? Folder, string? Kind, long? MaxBytes, long? MaxFiles, bool MayWrite);

    /// <summary>Null for who is no member of the team.</summary>
    public Look? Seen { get; private set; }

    protected override FormattableString Sql => $"select there, folder_id, kind, max_bytes, max_files, writable from app_upload_look({folder}::text, {key})";

    protected override void Take(Row row) => Seen = new Look(row.Bool(0), row.IdOrNull(1), row.TextOrNull(2), row.LongOrNull(3), row.LongOrNull(4), row.Bool(5));
}
