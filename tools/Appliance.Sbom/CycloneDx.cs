using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Appliance.Sbom;

/// <summary>CycloneDX 1.6 (ECMA-424) as JSON. No time and no random number in it: the same image has the same bill.</summary>
internal static class CycloneDx
{
    private static readonly JsonSerializerOptions s_readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write(IReadOnlyCollection<Component> components, string version) => new JsonObject
    {
        ["$schema"] = "http://cyclonedx.org/schema/bom-1.6.schema.json",
        ["bomFormat"] = "CycloneDX",
        ["specVersion"] = "1.6",
        ["version"] = 1,
        ["metadata"] = new JsonObject
        {
            ["component"] = new JsonObject
            {
                ["type"] = "container", ["bom-ref"] = "appliance", ["name"] = "appliance", ["version"] = version,
                ["licenses"] = new JsonArray(new JsonObject { ["license"] = new JsonObject { ["id"] = "Apache-2.0" } }),
            },
        },
        ["components"] = new JsonArray([.. components.DistinctBy(c => c.Reference).OrderBy(c => c.Reference, StringComparer.Ordinal).Select(One)]),
        ["dependencies"] = new JsonArray(new JsonObject
        {
            ["ref"] = "appliance",
            ["dependsOn"] = new JsonArray([.. components.Select(c => c.Reference).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(r => (JsonNode)r)]),
        }),
    }.ToJsonString(s_readable) + "\n";

    private static JsonNode One(Component component)
    {
        var node = new JsonObject { ["type"] = component.Kind switch { "container" => "application", "data" => "data", _ => "library" }, ["bom-ref"] = component.Reference, ["name"] = component.Name, ["version"] = component.Version };
        if (component.Hashes is { } hashes)
        {
            node["hashes"] = new JsonArray([.. hashes.Select(h => new JsonObject { ["alg"] = h.Key, ["content"] = h.Value })]);
        }
        // One SPDX expression, or names: the schema lets the two not be mixed. Debian's short names look like SPDX's and are not always.
        if (component.Kind != "deb" && component.Licences is [var expression])
        {
            node["licenses"] = new JsonArray(new JsonObject { ["expression"] = expression });
        }
        else if (component.Licences.Count > 0)
        {
            node["licenses"] = new JsonArray([.. component.Licences.Select(name => new JsonObject { ["license"] = new JsonObject { ["name"] = name } })]);
        }
        else if (component.LicenceAt is { } address)
        {
            node["licenses"] = new JsonArray(new JsonObject { ["license"] = new JsonObject { ["name"] = "see its address", ["url"] = address.AbsoluteUri } });
        }
        if (component.Purl is { } purl)
        {
            node["purl"] = purl;
        }
        return node;
    }
}
