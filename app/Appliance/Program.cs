using Appliance;

return await ApplianceProgram.RunAsync(args);
