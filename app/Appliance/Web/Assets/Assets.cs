using System.Collections.Frozen;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Appliance.Web;

/// <summary>One file of wwwroot, held in memory.</summary>
public sealed record Asset(byte[] Content, string ContentType, string ETag);

/// <summary>
/// The style sheets, modules and pictures that pages use. They are part of the assembly, so what is served is what was built.
/// One fingerprint over all of them stands in the path of each (<c>/assets/FINGERPRINT/css/base.css</c>): modules import one another
/// by relative paths, and everything can be cached for good.
/// </summary>
public sealed class Assets
{
    private const string Prefix = "wwwroot/";
    private readonly FrozenDictionary<string, Asset> _files;

    private Assets(FrozenDictionary<string, Asset> files, string fingerprint)
    {
        _files = files;
        Fingerprint = fingerprint;
    }

    /// <summary>The first 16 hexadecimal digits of SHA-256 over every name and content.</summary>
    public string Fingerprint { get; }

    /// <summary>The address of a file, such as <c>css/base.css</c>.</summary>
    /// <exception cref="InvalidOperationException">There is no such file.</exception>
    public string Url(string path) => _files.ContainsKey(path)
        ? $"/assets/{Fingerprint}/{path}"
        : throw new InvalidOperationException($"There is no asset '{path}'.");

    public Asset? Find(string path) => _files.GetValueOrDefault(path);

    internal static Assets Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var files = new Dictionary<string, Asset>(StringComparer.Ordinal);
        foreach (var name in assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            var content = new byte[stream.Length];
            stream.ReadExactly(content);
            all.AppendData(Encoding.UTF8.GetBytes(name));
            all.AppendData(SHA256.HashData(content));
            files[name[Prefix.Length..]] = new Asset(content, TypeOf(name), $"\"{Convert.ToHexStringLower(SHA256.HashData(content))[..32]}\"");
        }
        return new Assets(files.ToFrozenDictionary(StringComparer.Ordinal), Convert.ToHexStringLower(all.GetHashAndReset())[..16]);
    }

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".css" => "text/css; charset=utf-8",
        ".js" or ".mjs" => "text/javascript; charset=utf-8",
        ".svg" => "image/svg+xml",
        ".png" => "image/png",
        ".ico" => "image/vnd.microsoft.icon",
        ".txt" => "text/plain; charset=utf-8",
        _ => throw new InvalidOperationException($"{name} is of a kind that assets are not: give it a content type here."),
    };
}
