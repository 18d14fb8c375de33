using Appliance.Web;

namespace Appliance.Files;

/// <summary>
/// The style sheets and modules of every page about files. They are the same on all of them: while uploads run, js/files/page.js puts one
/// page's content in the place of another's.
/// </summary>
public static class FilesLook
{
    public static string[] Styles { get; } = ["files", "files-panel", "files-views", "uploads"];

    public static string[] Scripts { get; } = ["files/app"];

    /// <summary>The module that must have run before the first paint: it tells whether the list is drawn as tiles.</summary>
    public static string EarlyScript => "files/view";

    /// <summary>The way to a folder from the team's root; the last step is where one is.</summary>
    public static IEnumerable<Crumb> Crumbs(string team, IReadOnlyList<FolderStep> path) => path.Count == 0
        ? [new Crumb("Files")]
        : [new Crumb("Files", $"/teams/{team}/files"), .. path.SkipLast(1).Select(s => Step(team, s)), new Crumb(path[^1].Name)];

    /// <summary>The way to something in a folder.</summary>
    public static IEnumerable<Crumb> CrumbsTo(string team, IReadOnlyList<FolderStep> path, string title) =>
        [new Crumb("Files", $"/teams/{team}/files"), .. path.Select(s => Step(team, s)), new Crumb(title)];

    public static string FolderAddress(string team, string? folder) => folder is null ? $"/teams/{team}/files" : $"/teams/{team}/files/{folder}";

    /// <summary>Where selected entries of a folder are posted to.</summary>
    public static string SelectionAddress(string team, string? folder) => folder is null ? $"/teams/{team}/selection" : $"/teams/{team}/selection/{folder}";

    /// <summary>"3 folders, 1 file".</summary>
    public static string Count(int folders, int files) => (folders, files) switch
    {
        (0, _) => Files(files),
        (_, 0) => Folders(folders),
        _ => $"{Folders(folders)}, {Files(files)}",
    };

    private static Crumb Step(string team, FolderStep step) => new(step.Name, FolderAddress(team, step.Reference));

    private static string Folders(int count) => count == 1 ? "1 folder" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{count:N0} folders");

    private static string Files(int count) => count == 1 ? "1 file" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{count:N0} files");
}
