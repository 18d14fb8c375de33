using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

[DbContext(typeof(ApplianceContext)), Migration("0140_groups")]
internal sealed class Groups : SqlMigration;
