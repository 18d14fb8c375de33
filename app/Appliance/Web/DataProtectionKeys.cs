using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.Extensions.Options;

namespace Appliance.Web;

/// <summary>One key of ASP.NET Core's data protection, which signs antiforgery tokens and the like: its XML, the secret in it sealed under the appliance key.</summary>
public sealed class DataProtectionKey
{
    public required Guid Id { get; init; }

    public required string Name { get; init; }

    public required byte[] Sealed { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

internal sealed class DataProtectionKeyConfiguration : IEntityTypeConfiguration<DataProtectionKey>
{
    public void Configure(EntityTypeBuilder<DataProtectionKey> builder)
    {
        builder.ToTable("data_protection_keys");
        builder.HasKey(key => key.Id);
    }
}

internal static class DataProtectionServices
{
    public static void AddDataProtectionKeys(this IServiceCollection services)
    {
        // Fixed: what one version protected, the next and its replicas must open.
        services.AddDataProtection().SetApplicationName("appliance");
        services.AddSingleton<IConfigureOptions<KeyManagementOptions>>(provider => new ConfigureOptions<KeyManagementOptions>(options =>
        {
            options.XmlRepository = new DataProtectionKeyRepository(provider.GetRequiredService<Database>(), provider.GetRequiredService<TimeProvider>());
            options.XmlEncryptor = new SealingXmlEncryptor(provider.GetRequiredService<BlobProtector>());
        }));
    }
}

/// <summary>Keeps the keys in the database, so that replicas share them and backups hold them.</summary>
internal sealed class DataProtectionKeyRepository(Database database, TimeProvider time) : IXmlRepository
{
    // The interface is synchronous; the key ring asks once a day, behind its own lock.
    public IReadOnlyCollection<XElement> GetAllElements() => GetAllAsync().GetAwaiter().GetResult();

    public void StoreElement(XElement element, string friendlyName) => StoreAsync(element, friendlyName).GetAwaiter().GetResult();

    private async Task<IReadOnlyCollection<XElement>> GetAllAsync()
    {
        await using var session = await database.ForApplianceAsync(CancellationToken.None).ConfigureAwait(false);
        var rows = await session.Query<DataProtectionKey>().AsNoTracking().OrderBy(key => key.CreatedAt).ToListAsync().ConfigureAwait(false);
        return [.. rows.Select(row => XElement.Parse(Encoding.UTF8.GetString(row.Sealed)))];
    }

    private async Task StoreAsync(XElement element, string name)
    {
        await using var session = await database.ForApplianceAsync(CancellationToken.None).ConfigureAwait(false);
        var now = time.GetUtcNow();
        session.Add(new DataProtectionKey
        {
            Id = Guid.CreateVersion7(now),
            Name = name,
            Sealed = Encoding.UTF8.GetBytes(element.ToString(SaveOptions.DisableFormatting)),
            CreatedAt = now,
        });
        await session.CommitAsync(CancellationToken.None).ConfigureAwait(false);
    }
}

/// <summary>Seals the secret part of a key before it is stored.</summary>
internal sealed class SealingXmlEncryptor(BlobProtector protector) : IXmlEncryptor
{
    internal const string Purpose = "data protection keys";

    public EncryptedXmlInfo Encrypt(XElement plaintextElement)
    {
        var clear = Encoding.UTF8.GetBytes(plaintextElement.ToString(SaveOptions.DisableFormatting));
        try
        {
            return new EncryptedXmlInfo(
                new XElement("sealed", Convert.ToBase64String(protector.Protect(Purpose, clear))), typeof(SealingXmlDecryptor));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(clear);
        }
    }
}

/// <summary>Opens what <see cref="SealingXmlEncryptor"/> sealed. Made by data protection itself, from the name that stands in the XML.</summary>
public sealed class SealingXmlDecryptor(IServiceProvider services) : IXmlDecryptor
{
    public XElement Decrypt(XElement encryptedElement)
    {
        var clear = services.GetRequiredService<BlobProtector>().Unprotect(SealingXmlEncryptor.Purpose, Convert.FromBase64String(encryptedElement.Value));
        try
        {
            return XElement.Parse(Encoding.UTF8.GetString(clear));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(clear);
        }
    }
}
