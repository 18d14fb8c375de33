using System.Collections;
using System.Globalization;
using System.Net;

namespace Appliance.Web;

/// <summary>
/// Reads variables of ours from the environment, each as what it has to be. What is wrong is collected in <see cref="Problems"/>, as sentences that name the
/// variable and what to put into it; reading goes on.
/// </summary>
internal abstract class EnvironmentReader
{
    protected const string Prefix = "APPLIANCE_";

    private readonly Dictionary<string, string> _given;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    protected EnvironmentReader(IDictionary environment)
    {
        _given = environment.Keys.Cast<string>()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && environment[name] is string { Length: > 0 })
            .ToDictionary(name => name, name => (string)environment[name]!, StringComparer.Ordinal);
    }

    protected List<string> Problems { get; } = [];

    /// <summary>After everything was read: what was given and nothing asked for is no setting.</summary>
    protected void RefuseUnknown()
    {
        foreach (var name in _given.Keys.Except(_known, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            Problems.Add($"{name} is not a setting of this version. Correct its name or unset it; the settings are {string.Join(", ", _known.Order(StringComparer.Ordinal))}.");
        }
    }

    /// <summary>Networks in CIDR form; a single address is a network of one.</summary>
    protected List<IPNetwork> Networks(string name)
    {
        const int Most = 64;
        var networks = new List<IPNetwork>();
        var parts = Text(name)?.Split(',', Most + 1, StringSplitOptions.TrimEntries) ?? [];
        foreach (var part in parts)
        {
            // The base address as it is written: the runtime would take 10.0.0.1/24 for the whole of 10.0.0.0/24.
            if (IPNetwork.TryParse(part, out var network) && IPAddress.TryParse(part.Split('/')[0], out var first) && first.Equals(network.BaseAddress))
            {
                networks.Add(network);
            }
            else if (IPAddress.TryParse(part, out var address))
            {
                networks.Add(new IPNetwork(address, address.GetAddressBytes().Length * 8));
            }
            else
            {
                Problems.Add($"{Prefix}{name} holds '{part}'; it must be at most {Most} networks or addresses with commas between them, such as 172.31.84.2/32.");
            }
        }
        if (networks.Exists(network => network.PrefixLength == 0))
        {
            Problems.Add($"{Prefix}{name} holds a network of everybody, who could then claim to come from any address. Name the proxy's own.");
        }
        return networks;
    }

    protected IPEndPoint EndPoint(string name, IPEndPoint otherwise)
    {
        if (Text(name) is not { } text)
        {
            return otherwise;
        }
        if (text.LastIndexOf(':') > 0 && IPEndPoint.TryParse(text, out var endPoint) && endPoint.Port > 0)
        {
            return endPoint;
        }
        Problems.Add($"{Prefix}{name} is '{text}'; it must be an address and a port, such as 0.0.0.0:8443 or [::]:8443.");
        return otherwise;
    }

    protected string? File(string name)
    {
        if (Text(name) is not { } path)
        {
            return null;
        }
        if (!System.IO.File.Exists(path))
        {
            Problems.Add($"{Prefix}{name} is '{path}', which is no file that this account can see.");
        }
        return Path.GetFullPath(path);
    }

    protected int Number(string name, int otherwise, int least, int most)
    {
        if (Text(name) is not { } text)
        {
            return otherwise;
        }
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
        {
            return number;
        }
        Problems.Add($"{Prefix}{name} is '{text}'; it must be a whole number from {least} to {most}.");
        return otherwise;
    }

    protected int? NumberOrNone(string name, int least, int most) => Text(name) is null ? null : Number(name, least, least, most);

    protected bool YesNo(string name, bool otherwise)
    {
        switch (Text(name))
        {
            case null:
                return otherwise;
            case "yes" or "true" or "1":
                return true;
            case "no" or "false" or "0":
                return false;
            case var text:
                Problems.Add($"{Prefix}{name} is '{text}'; it must be yes or no.");
                return otherwise;
        }
    }

    protected string? Text(string name)
    {
        _known.Add(Prefix + name);
        return _given.GetValueOrDefault(Prefix + name);
    }
}
