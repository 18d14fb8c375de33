using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

/// <summary>
/// A migration that is one SQL file beside it, named as its id. EF's migrator keeps order, history and lock; the SQL is what a
/// reviewer reads. Each must work with the version of the application before it, and none is ever edited after a release.
/// </summary>
public abstract class SqlMigration : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        ArgumentNullException.ThrowIfNull(migrationBuilder);
        var id = ((MigrationAttribute)GetType().GetCustomAttributes(typeof(MigrationAttribute), inherit: false).Single()).Id;
        using var stream = typeof(SqlMigration).Assembly.GetManifestResourceStream($"Appliance.Data.Migrations.{id}.sql")
            ?? throw new InvalidOperationException($"Migration {id} has no SQL file.");
        using var reader = new StreamReader(stream);
        migrationBuilder.Sql(reader.ReadToEnd());
    }

    protected override void Down(MigrationBuilder migrationBuilder) =>
        throw new NotSupportedException("The schema only goes forward; to go back, restore a backup.");
}

[DbContext(typeof(ApplianceContext)), Migration("0001_foundation")]
internal sealed class Foundation : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0002_people_and_teams")]
internal sealed class PeopleAndTeams : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0003_ledger")]
internal sealed class Ledger : SqlMigration;
