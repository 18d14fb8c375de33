using Appliance.Vault;

namespace Appliance.Objects;

/// <summary>The store holds no object of that team and id.</summary>
public sealed class ObjectMissingException(ObjectId id, Exception? inner = null)
    : Exception($"The object {id} is not in the object store.", inner)
{
    public ObjectId Id { get; } = id;
}

/// <summary>An object of that team and id is already there. Objects are written once and never changed.</summary>
public sealed class ObjectExistsException(ObjectId id, Exception? inner = null)
    : Exception($"The object {id} is already in the object store; objects are never overwritten.", inner)
{
    public ObjectId Id { get; } = id;
}

/// <summary>The store cannot be reached or does not work right now. Nothing of the attempted write is visible; trying again later is right.</summary>
public class StoreUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The store answers, but not as configured: wrong credentials, bucket, certificate or folder. Only an operator can help.</summary>
public sealed class StoreMisconfiguredException(string message, Exception? inner = null) : StoreUnavailableException(message, inner);

/// <summary>The store has no room left for what was being written. Nothing of it is visible.</summary>
public sealed class StoreFullException(string message, Exception? inner = null) : Exception(message, inner);
