using Appliance.Teams;
using Appliance.Teams.Groups;

namespace Appliance.Files;

/// <summary>How content is shown: with which element, or not at all.</summary>
public enum PreviewKind
{
    None,
    Image,
    Audio,
    Video,
    Pdf,
    Text,
}

/// <summary>Everything that the panel shows of an entry. <c>Shown</c>: the version that is previewed, null for a folder; <c>Close</c>: where closing leads.</summary>
public sealed record PanelView(
    string Team, EntryDetails Details, VersionPage Versions, ListedVersion? Shown, int Members, IReadOnlyList<ActivityLine> Activity, string Close, Reach Reach)
{
    private const int MostVersions = 100;
    private const int MostActivity = 30;

    private Level Level => Reach.In(Details.Path is [var top, ..] ? top.Reference : IsFolder ? Reference : null);

    /// <summary>May rename, move and delete it, and bring earlier versions back.</summary>
    public bool MayChange => Level >= (IsFolder && Details.Path.Count == 0 ? Teams.Groups.Level.Manage : Teams.Groups.Level.Write);

    /// <summary>May delete versions for good.</summary>
    public bool MayManage => Level == Teams.Groups.Level.Manage;

    public bool MayShare => Reach.May(Permission.Links);

    public string Reference => Details.Entry.Reference;

    public string Name => Details.Entry.Name;

    public bool IsFolder => Details.Entry.IsFolder;

    public string Address => $"/teams/{Team}/files/{Reference}";

    public string Page => Address + "/details";

    private string VersionQuery => Shown is { Current: false } shown ? "?version=" + shown.Number.ToString(System.Globalization.CultureInfo.InvariantCulture) : "";

    public string Download => Address + "/content" + VersionQuery;

    public string PreviewAddress => Address + "/preview" + VersionQuery;

    public string TextAddress => $"/api/v1/teams/{Team}/entries/{Reference}/content{VersionQuery}";

    /// <summary>Only what the server found in the bytes themselves counts, never the name. Of a long text the beginning is shown.</summary>
    public PreviewKind Preview => Shown switch
    {
        null => PreviewKind.None,
        { MediaType: MediaTypes.Text } => PreviewKind.Text,
        { } version when !PreviewEndpoints.Shows(version.MediaType, version.Size) => PreviewKind.None,
        { MediaType: MediaTypes.Pdf } => PreviewKind.Pdf,
        { } version => version.MediaType.Split('/')[0] switch
        {
            "image" => PreviewKind.Image,
            "audio" => PreviewKind.Audio,
            "video" => PreviewKind.Video,
            _ => PreviewKind.None,
        },
    };

    /// <summary>Null where there is no such entry. An unknown version shows the current one.</summary>
    internal static async Task<PanelView?> ReadAsync(TeamVisit visit, string? entry, int? version, string? close, CancellationToken cancellationToken)
    {
        if (await Entries.FindAsync(visit.Session, entry, cancellationToken) is not { } details)
        {
            return null;
        }
        var versions = details.Entry.IsFolder
            ? new VersionPage([], null)
            : await Files.Versions.ListAsync(visit, entry, null, MostVersions, cancellationToken) ?? new VersionPage([], null);
        var shown = versions.Versions.FirstOrDefault(v => v.Number == version) ?? versions.Versions.FirstOrDefault(v => v.Current);
        var members = await visit.Session.SqlAsync<int>($"""select count(*)::int as "Value" from memberships where team_id = app_team()""", cancellationToken);
        var activity = await ActivityLine.ReadAsync(visit, details.Entry, MostActivity, cancellationToken);
        return new PanelView(
            visit.Reference, details, versions, shown, members.Single(), activity, close ?? FilesLook.FolderAddress(visit.Reference, details.Entry.Folder),
            await Reach.ReadAsync(visit.Session, cancellationToken));
    }
}
