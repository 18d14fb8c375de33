namespace Appliance.Files;

/// <summary>
/// A row of the list as <c>_Row.cshtml</c> draws it. <c>Here</c> is the address of the list that it stands in: a file opens beside it.
/// <c>IsFixed</c>: who sees it may not change it. Without an entry it is the blank that <c>js/files/rows.js</c> copies and fills.
/// </summary>
public sealed record FileRow(string Team, string Here, ListedEntry? Entry, bool IsOpen = false, bool IsFixed = false)
{
    public static FileRow Blank(string team, string here, bool isFixed) => new(team, here, null, IsFixed: isFixed);

    /// <summary>A folder is a place; a file is shown in the panel.</summary>
    public string Address => Entry is null ? "#" : Entry.IsFolder
        ? $"/teams/{Team}/files/{Entry.Reference}"
        : Here + (Here.Contains('?', StringComparison.Ordinal) ? "&" : "?") + "panel=" + Entry.Reference;

    /// <summary>The page with everything that can be done with it, for whoever has no script or a phone.</summary>
    public string Details => Entry is null ? "#" : $"/teams/{Team}/files/{Entry.Reference}/details";
}
