namespace Appliance.Files;

/// <summary>A heading of the list: a link that sorts by it. <c>AriaSort</c>: as WAI-ARIA says it; <c>Icon</c>: the arrow of the column that counts.</summary>
public sealed record ListColumn(string Title, string Look, string Address, string AriaSort, string? Icon);

/// <summary>The order of a list as its address says it (<c>?sort=name|size|modified&amp;order=asc|desc</c>); what it does not know counts as by name.</summary>
public sealed record ListView(ListOrder ListOrder)
{
    public static readonly ListView Default = new(ListOrder.ByName);

    private static readonly (ListSort Sort, string Key, string Title, string Look)[] s_columns =
    [
        (ListSort.Name, "name", "Name", "cell-name"), (ListSort.Size, "size", "Size", "num wide-only"), (ListSort.Modified, "modified", "Changed", "wide-only"),
    ];

    public string Key => KeyOf(ListOrder.Sort);

    public string Order => ListOrder.Descending ? "desc" : "asc";

    /// <summary>"" for the usual order, so that the usual address stays short.</summary>
    public string Query => this == Default ? "" : $"?sort={Key}&order={Order}";

    public static ListView Read(string? sort, string? order) =>
        new(new ListOrder(s_columns.FirstOrDefault(c => c.Key == sort).Sort, order == "desc"));

    /// <summary>The headings; a click on the one that counts turns it round. The newest and the largest are what people look for first.</summary>
    public IEnumerable<ListColumn> Columns(string here) => s_columns.Select(column =>
    {
        var counts = column.Sort == ListOrder.Sort;
        var next = new ListView(new ListOrder(column.Sort, counts ? !ListOrder.Descending : column.Sort != ListSort.Name));
        var icon = ListOrder.Descending ? "arrow-down" : "arrow-up";
        return new ListColumn(column.Title, column.Look, here + next.Query, counts ? ListOrder.Descending ? "descending" : "ascending" : "none", counts ? icon : null);
    });

    private static string KeyOf(ListSort sort) => Array.Find(s_columns, c => c.Sort == sort).Key;
}
