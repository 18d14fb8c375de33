using System.Globalization;
using Appliance;

// The Unicode data is loaded, the language of the machine's settings is not: numbers, dates and order are the same everywhere.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.DefaultThreadCurrentUICulture = CultureInfo.InvariantCulture;

return await ApplianceProgram.RunAsync(args);
