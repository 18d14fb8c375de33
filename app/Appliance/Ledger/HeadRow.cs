using Appliance.Vault;

namespace Appliance.Ledger;

/// <summary>A row of <c>ledger_heads</c>.</summary>
internal sealed class HeadRow
{
    public required long Size { get; init; }

    public required byte[] Root { get; init; }

    public required byte[] Frontier { get; init; }

    public required DateTimeOffset SignedAt { get; init; }

    public required string KeyId { get; init; }

    public required byte[] Signature { get; init; }

    public SignedHead ToSigned(Guid tree) => new(new TreeHead(tree, Size, Root, SignedAt), KeyId, Signature);

    /// <summary>The frontier, where it is that of this very head; null where it was altered.</summary>
    public MerkleFrontier? ReadFrontier()
    {
        try
        {
            var frontier = MerkleFrontier.Import(Frontier);
            return frontier.Size == Size && frontier.Root().AsSpan().SequenceEqual(Root) ? frontier : null;
        }
        catch (TamperedException)
        {
            return null;
        }
    }
}
