using System.Reflection;
using System.Text;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Appliance.Data;

/// <summary>The model. Internal: whoever wants data opens a <see cref="TeamSession"/>.</summary>
internal sealed class ApplianceContext(DbContextOptions<ApplianceContext> options) : DbContext(options)
{
    /// <summary>Set at each opening of a session; null only while migrating and checking the model.</summary>
    public SessionIdentity? Identity { get; set; }

    private static Assembly[] ModelAssemblies => [typeof(ApplianceContext).Assembly, .. _capabilities];

    private static Assembly[] _capabilities = [];

    /// <summary>The assemblies whose <see cref="IEntityTypeConfiguration{T}"/> classes make up the model: each capability brings its own.</summary>
    public static void UseCapabilities(params Assembly[] assemblies) => _capabilities = assemblies;

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        foreach (var assembly in ModelAssemblies)
        {
            modelBuilder.ApplyConfigurationsFromAssembly(assembly);
        }
        foreach (var entity in modelBuilder.Model.GetEntityTypes())
        {
            foreach (var property in entity.GetProperties().Where(p => p.FindAnnotation("Relational:ColumnName") is null))
            {
                property.SetColumnName(SnakeCase(property.Name));
            }
            // The database makes no value that the application does not know: keys are UUIDv7 from here.
            foreach (var property in entity.GetProperties())
            {
                property.ValueGenerated = ValueGenerated.Never;
            }
        }
    }

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        configurationBuilder.Properties<TeamId>().HaveConversion<TeamIdConverter>();
        configurationBuilder.Properties<UserId>().HaveConversion<UserIdConverter>();
        configurationBuilder.Properties<ObjectId>().HaveConversion<ObjectIdConverter>();
    }

    /// <summary><c>PasswordHash</c> → <c>password_hash</c>.</summary>
    internal static string SnakeCase(string name)
    {
        var result = new StringBuilder(name.Length + 8);
        for (var i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]) && !char.IsUpper(name[i - 1]))
            {
                result.Append('_');
            }
            result.Append(char.ToLowerInvariant(name[i]));
        }
        return result.ToString();
    }

    private sealed class TeamIdConverter() : ValueConverter<TeamId, Guid>(id => id.Value, value => new TeamId(value));

    private sealed class UserIdConverter() : ValueConverter<UserId, Guid>(id => id.Value, value => new UserId(value));

    private sealed class ObjectIdConverter() : ValueConverter<ObjectId, Guid>(id => id.Value, value => new ObjectId(value));
}
