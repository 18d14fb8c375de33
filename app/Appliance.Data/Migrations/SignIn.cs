using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

[DbContext(typeof(ApplianceContext)), Migration("0010_sign_in")]
internal sealed class SignIn : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0060_totp")]
internal sealed class Totp : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0061_sms")]
internal sealed class Sms : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0111_remembered_devices")]
internal sealed class RememberedDevices : SqlMigration;

[DbContext(typeof(ApplianceContext)), Migration("0113_lost_key")]
internal sealed class LostKey : SqlMigration;
