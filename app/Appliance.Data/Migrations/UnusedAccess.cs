using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

[DbContext(typeof(ApplianceContext)), Migration("0112_unused_access")]
internal sealed class UnusedAccess : SqlMigration;
