namespace Appliance.Vault;
public readonly record struct TeamId(Guid Value) { public static TeamId New() => new(Guid.CreateVersion7()); public override string ToString() => Value.ToString("D"); }
public readonly record struct ObjectId(Guid Value) { public static ObjectId New() => new(Guid.CreateVersion7()); public override string ToString() => Value.ToString("D"); }
