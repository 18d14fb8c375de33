using System.Text.RegularExpressions;
using Appliance.Tests.TestServers;

namespace Appliance.Benchmarks;

/// <summary>
/// For tests/load: sets up the first owner of a running appliance, makes teams and a token, and prints what a client needs as shell assignments.
/// Whom to trust is told in SSL_CERT_FILE.
/// </summary>
internal static partial class LoadPerson
{
    /// <param name="link">The set-up link as it was printed.</param>
    /// <param name="teams">Names of teams to make; each is printed as TEAM_NAME=reference.</param>
    public static async Task PrepareAsync(string link, IEnumerable<string> teams)
    {
        var address = new Uri(link);
        using var person = new RemotePerson(new Uri(address.GetLeftPart(UriPartial.Authority)));
        await person.SetUpAsync(address, "load");
        foreach (var team in teams)
        {
            Console.WriteLine($"TEAM_{team.ToUpperInvariant()}={await person.TeamAsync(team)}");
        }
        using var token = await person.SendAsync("/account/tokens/new", ("Name", "load"), ("Kind", "token"), ("Team", ""), ("May", "write"), ("Days", "7"));
        Console.WriteLine($"TOKEN={Secret().Match(await token.Content.ReadAsStringAsync()).Groups["value"].Value}");
    }

    [GeneratedRegex("<code id=\"secret\">(?<value>[^<]+)</code>", RegexOptions.None, 5000)]
    private static partial Regex Secret();
}
