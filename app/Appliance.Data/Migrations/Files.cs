using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

[DbContext(typeof(ApplianceContext)), Migration("0020_files")]
internal sealed class Files : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0030_file_life")]
internal sealed class FileLife : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0040_one_flight")]
internal sealed class OneFlight : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0050_search")]
internal sealed class BoundedSearch : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0051_entries_upkeep")]
internal sealed class EntriesUpkeep : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0052_token_person")]
internal sealed class TokenPersonInOneFlight : SqlMigration;
