using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Appliance.Data.Migrations;

[DbContext(typeof(ApplianceContext)), Migration("0114_access_review")]
internal sealed class AccessReview : SqlMigration;
