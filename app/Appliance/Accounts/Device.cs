namespace Appliance.Accounts;

/// <summary>A browser's own words in ours. A help to recognise a session, never proof: anybody can send any words.</summary>
public static class Device
{
    private static readonly (string Token, string Name)[] Browsers =
        [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("CriOS/", "Chrome"), ("FxiOS/", "Firefox"), ("Safari/", "Safari")];

    private static readonly (string Token, string Name)[] Systems =
        [("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux")];

    public static string Name(string? agent) => (Find(Browsers, agent), Find(Systems, agent)) switch
    {
        ({ } browser, { } system) => $"{browser} on {system}",
        ({ } browser, null) => browser,
        (null, { } system) => $"Unknown browser on {system}",
        _ => "Unknown browser",
    };

    public static bool IsPhone(string? agent) => Find(Systems, agent) is "iPhone" or "Android";

    private static string? Find((string Token, string Name)[] list, string? agent) =>
        agent is null ? null : list.FirstOrDefault(e => agent.Contains(e.Token, StringComparison.Ordinal)).Name;
}
