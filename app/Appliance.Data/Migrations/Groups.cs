using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

[DbContext(typeof(ApplianceContext)), Migration("0138_entry_place")]
internal sealed class EntryPlace : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0139_entry_place_filled")]
internal sealed class EntryPlaceFilled : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0140_groups")]
internal sealed class Groups : SqlMigration;
