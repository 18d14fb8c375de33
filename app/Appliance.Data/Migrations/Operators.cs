using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

[DbContext(typeof(ApplianceContext)), Migration("0120_operators")]
internal sealed class Operators : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0121_errors")]
internal sealed class ErrorGroups : SqlMigration;
