using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

[DbContext(typeof(ApplianceContext)), Migration("0145_break_glass")]
internal sealed class BreakGlass : SqlMigration;
