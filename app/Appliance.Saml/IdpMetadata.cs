using System.Xml;

namespace Appliance.Saml;

/// <summary>
/// What an identity provider's metadata says, of what we use. It is what an owner pasted: its signature is not looked at, and no address in
/// it is ever asked.
/// </summary>
public sealed record IdpMetadata
{
    /// <summary>1 MiB.</summary>
    public const int MaxLength = 1 << 20;

    private const int LongestAddress = 2048;
    private const int MostKeys = 8;

    public required string EntityId { get; init; }

    /// <summary>Where the browser is sent; https.</summary>
    public required string SignOnUrl { get; init; }

    /// <summary>By redirect; otherwise by a form.</summary>
    public required bool IsRedirect { get; init; }

    /// <summary>One, or several while it changes keys.</summary>
    public required IReadOnlyList<IdpKey> Keys { get; init; }

    /// <exception cref="SamlMetadataException">It cannot be used; the message says why.</exception>
    public static IdpMetadata Parse(ReadOnlySpan<byte> bytes, DateTimeOffset now)
    {
        XmlElement root;
        try
        {
            root = StrictXml.ParseMetadata(bytes, MaxLength).DocumentElement!;
        }
        catch (SamlRefusedException e)
        {
            throw new SamlMetadataException(e.Message.Replace("The message", "The metadata", StringComparison.Ordinal));
        }
        var entity = Entity(root);
        try
        {
            RequireValid(root, now);
            RequireValid(entity, now);
            if (StrictXml.Attribute(entity, "entityID") is not { Length: > 0 and <= 1024 } id || id.Any(c => char.IsControl(c) || char.IsWhiteSpace(c)))
            {
                throw new SamlMetadataException("The metadata does not name the identity provider (entityID).");
            }
            var role = Role(entity);
            RequireValid(role, now);
            var (address, redirect) = Address(role);
            return new IdpMetadata { EntityId = id, SignOnUrl = address, IsRedirect = redirect, Keys = KeysOf(role, now) };
        }
        catch (SamlRefusedException e)
        {
            throw new SamlMetadataException(e.Message);
        }
    }

    private static XmlElement Entity(XmlElement root)
    {
        if (root.Is(Names.Metadata, "EntityDescriptor"))
        {
            return root;
        }
        var providers = root.Is(Names.Metadata, "EntitiesDescriptor")
            ? root.ChildNodes.OfType<XmlElement>().Where(e => e.Is(Names.Metadata, "EntityDescriptor") && Roles(e).Any()).Take(2).ToList()
            : throw new SamlMetadataException("This is not SAML metadata: it begins with neither EntityDescriptor nor EntitiesDescriptor.");
        return providers is [var one] ? one : throw new SamlMetadataException("The metadata describes no identity provider, or more than one. Paste the part that describes yours.");
    }

    private static IEnumerable<XmlElement> Roles(XmlElement entity) => entity.ChildNodes.OfType<XmlElement>().Where(e =>
        e.Is(Names.Metadata, "IDPSSODescriptor")
        && StrictXml.Attribute(e, "protocolSupportEnumeration")?.Split(' ', StringSplitOptions.RemoveEmptyEntries).Contains(Names.Protocol, StringComparer.Ordinal) == true);

    private static XmlElement Role(XmlElement entity) =>
        Roles(entity).FirstOrDefault() ?? throw new SamlMetadataException("The metadata describes no identity provider for SAML 2.0 (IDPSSODescriptor).");

    private static (string Address, bool IsRedirect) Address(XmlElement role)
    {
        var services = role.ChildNodes.OfType<XmlElement>().Where(e => e.Is(Names.Metadata, "SingleSignOnService")).ToList();
        foreach (var binding in new[] { Names.RedirectBinding, Names.PostBinding })
        {
            if (services.Find(s => StrictXml.Attribute(s, "Binding") == binding) is { } service)
            {
                return StrictXml.Attribute(service, "Location") is { Length: > 0 and <= LongestAddress } location
                    && Uri.TryCreate(location, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps && uri.UserInfo.Length == 0 && uri.Fragment.Length == 0
                    ? (uri.AbsoluteUri, binding == Names.RedirectBinding)
                    : throw new SamlMetadataException("The identity provider's sign-on address is not an https address.");
            }
        }
        throw new SamlMetadataException("The metadata names no sign-on address by HTTP-Redirect or HTTP-POST.");
    }

    /// <summary>Certificates that are over are left out: a key whose owner let it run out is not believed any more.</summary>
    private static List<IdpKey> KeysOf(XmlElement role, DateTimeOffset now)
    {
        var certificates = role.ChildNodes.OfType<XmlElement>()
            .Where(e => e.Is(Names.Metadata, "KeyDescriptor") && (StrictXml.Attribute(e, "use") is null or "signing"))
            .SelectMany(e => StrictXml.Descendants(e).Where(c => c.Is(Names.Signature, "X509Certificate")))
            .Select(c => StrictXml.Base64(StrictXml.Text(c)) ?? throw new SamlMetadataException("A certificate in the metadata is not base64."))
            .ToList();
        if (certificates.Count is 0 or > MostKeys)
        {
            throw new SamlMetadataException(certificates.Count == 0
                ? "The metadata holds no certificate to verify signatures with."
                : $"The metadata holds more than {MostKeys} certificates.");
        }
        var keys = certificates.Select(IdpKey.Load).DistinctBy(k => k.Fingerprint, StringComparer.Ordinal).ToList();
        var valid = keys.Where(k => k.NotAfter > now).ToList();
        return valid.Count > 0
            ? valid
            : throw new SamlMetadataException($"The certificate in the metadata ended on {keys.Max(k => k.NotAfter):yyyy-MM-dd}. Renew it at the identity provider, then paste its new metadata.");
    }

    private static void RequireValid(XmlElement element, DateTimeOffset now)
    {
        if (StrictXml.Time(element, "validUntil") is { } until && until <= now)
        {
            throw new SamlMetadataException($"The metadata was valid until {until:yyyy-MM-dd HH:mm} UTC. Take the identity provider's current one.");
        }
    }
}
