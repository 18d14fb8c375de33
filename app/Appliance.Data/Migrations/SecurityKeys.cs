using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

[DbContext(typeof(ApplianceContext)), Migration("0011_security_keys")]
internal sealed class SecurityKeys : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0110_key_models")]
internal sealed class KeyModels : SqlMigration;
