using System.Security.Cryptography;

namespace Appliance.Vault;

/// <summary>What verifying a file without a server came to.</summary>
/// <param name="Intact">Everything in it follows from the head in it, and that was signed by the key in it.</param>
/// <param name="Key">Whose key that is.</param>
/// <param name="What">The sentence for people.</param>
public sealed record OfflineVerdict(bool Intact, KeyStanding Key, string What)
{
    public Guid? Tree { get; init; }

    /// <summary>Entries under the last head.</summary>
    public long? Size { get; init; }

    public DateTimeOffset? SignedAt { get; init; }

    /// <summary>SHA-256 of the signer's SubjectPublicKeyInfo, hexadecimal.</summary>
    public string? KeyId { get; init; }

    /// <summary>Heads that were kept elsewhere and fit.</summary>
    public int Compared { get; init; }

    /// <summary>The entry that is wrong, or that is proved.</summary>
    public long? Index { get; init; }

    /// <summary>The line of the file that is wrong, from 1.</summary>
    public long? Line { get; init; }

    /// <summary>The entry that is proved.</summary>
    public LedgerLeaf? Entry { get; init; }
}

/// <summary>Whether the one who verifies knows the key.</summary>
public enum KeyStanding
{
    /// <summary>None was named to compare with: whoever made the file may have made the key.</summary>
    Unknown,

    /// <summary>It is one of those that were named.</summary>
    Known,
}

/// <summary>Verifies exports and proofs with nothing but the file and a key's fingerprint. Memory does not grow with the file.</summary>
public static class OfflineVerification
{
    /// <summary>Verifies an export, or several that were put one after the other.</summary>
    /// <param name="export">Read to its end.</param>
    /// <param name="trusted">Ids of the keys that are believed (64 lower-case hexadecimal digits); empty: none is known.</param>
    /// <param name="kept">Heads that were kept elsewhere; those of other trees are passed over.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static OfflineVerdict Export(Stream export, IReadOnlyCollection<string> trusted, IReadOnlyCollection<SignedHead> kept)
    {
        ArgumentNullException.ThrowIfNull(export);
        ArgumentNullException.ThrowIfNull(trusted);
        ArgumentNullException.ThrowIfNull(kept);
        var walk = new ExportWalk(trusted, kept);
        var lines = new BoundedLines(export);
        try
        {
            while (lines.Next() is { } line)
            {
                walk.Take(line);
            }

            return walk.End();
        }
        catch (WrongException wrong)
        {
            return new OfflineVerdict(false, KeyStanding.Unknown, wrong.Message) { Line = lines.Number, Index = wrong.Index, Tree = walk.Tree };
        }
    }

    /// <summary>Verifies a proof of one entry.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static OfflineVerdict Proof(Stream file, IReadOnlyCollection<string> trusted)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(trusted);
        try
        {
            var lines = new BoundedLines(file);
            var proof = Parsed(() => LedgerLines.ParseProof(lines.Next() ?? throw new WrongException("The file is empty.")), "This is no proof of a ledger's entry, or it was changed.", null);
            if (lines.Next() is not null)
            {
                throw new WrongException("Something follows the proof.");
            }

            var (leaf, head) = (proof.Leaf, proof.Head.Head);
            RequireSigned(proof.Head, proof.PublicKey.Span, trusted);
            return MerkleTree.VerifyInclusion(leaf.Hash(), leaf.Index, head.Size, proof.Path, head.Root.Span)
                ? Good(proof.Head, trusted, $"Entry {leaf.Index} stands in the ledger of tree {head.Tree} as it is in the file") with { Index = leaf.Index, Entry = leaf }
                : throw new WrongException($"Entry {leaf.Index} is not in the tree that the head was signed over: the entry or the path was changed.", leaf.Index);
        }
        catch (WrongException wrong)
        {
            return new OfflineVerdict(false, KeyStanding.Unknown, wrong.Message) { Index = wrong.Index };
        }
    }

    /// <summary>Where an export of the appliance's own tree goes on: the entry that is next, and where in the file. Only the shape is judged; verifying is another matter.</summary>
    /// <exception cref="FormatException">It is no such export.</exception>
    public static (long Next, long End) Resume(Stream export)
    {
        ArgumentNullException.ThrowIfNull(export);
        var lines = new BoundedLines(export);
        var (next, end) = (0L, 0L);
        try
        {
            while (lines.Next() is { } line)
            {
                next = LedgerLines.Parse(line, Guid.Empty) switch
                {
                    HeaderLine { Tree: var tree } when tree != Guid.Empty => throw new FormatException("Another tree."),
                    EntryLine entry => entry.Leaf.Index + 1,
                    HeadLine when next == 0 => throw new FormatException("A head without entries."),
                    _ => next,
                };
                end += line.Length;
            }
        }
        catch (WrongException) when (end > 0)
        {
            // a line that was begun: it is written again
        }
        catch (WrongException wrong)
        {
            throw new FormatException("It does not begin as an export.", wrong);
        }

        return (next, end);
    }

    internal static T Parsed<T>(Func<T> parse, string otherwise, long? index)
    {
        try
        {
            return parse();
        }
        catch (FormatException)
        {
            throw new WrongException(otherwise, index);
        }
    }

    internal static void RequireSigned(SignedHead head, ReadOnlySpan<byte> publicKey, IReadOnlyCollection<string> trusted)
    {
        if (head.KeyId != Convert.ToHexStringLower(SHA256.HashData(publicKey)))
        {
            throw new WrongException($"The head of size {head.Head.Size} names another key than stands beside it.");
        }

        if (!TreeHeadSigner.Verify(publicKey, head.Head, head.Signature.Span))
        {
            throw new WrongException($"The signature over the head of size {head.Head.Size} is wrong.");
        }

        if (trusted.Count > 0 && !trusted.Contains(head.KeyId))
        {
            throw new WrongException($"The head of size {head.Head.Size} is signed by a foreign key: {head.KeyId}.");
        }
    }

    internal static OfflineVerdict Good(SignedHead head, IReadOnlyCollection<string> trusted, string what) =>
        new(true, trusted.Count > 0 ? KeyStanding.Known : KeyStanding.Unknown, what)
        {
            Tree = head.Head.Tree,
            Size = head.Head.Size,
            SignedAt = head.Head.SignedAt,
            KeyId = head.KeyId,
        };
}

/// <summary>One export, line by line.</summary>
internal sealed class ExportWalk(IReadOnlyCollection<string> trusted, IReadOnlyCollection<SignedHead> kept)
{
    private readonly MerkleFrontier _tree = new();
    private SignedHead? _last;
    private bool _ended;
    private long _vouched; // entries under the last head
    private Queue<SignedHead> _kept = [];
    private int _compared;

    public Guid? Tree { get; private set; }

    public void Take(ReadOnlyMemory<byte> line)
    {
        var read = OfflineVerification.Parsed(
            () => LedgerLines.Parse(line, Tree ?? Guid.Empty),
            _tree.Size == 0 ? "The line is none of a ledger's export, or it was changed." : $"The line after entry {_tree.Size - 1} is none of a ledger's export, or it was changed.", _tree.Size);
        switch (read)
        {
            case HeaderLine header:
                Begin(header);
                break;
            case EntryLine entry:
                Append(entry);
                break;
            case HeadLine head:
                Judge(head);
                break;
        }
    }

    public OfflineVerdict End()
    {
        if (!_ended || _last is null)
        {
            throw new WrongException(Tree is null ? "The file is empty." : $"The export is cut off: it ends after {_tree.Size} entries without the signed head that belongs there.", _tree.Size);
        }

        return _kept.TryPeek(out var beyond)
            ? throw new WrongException($"A head of size {beyond.Head.Size}, signed {beyond.Head.SignedAt:u}, was kept elsewhere; this export ends at {_tree.Size}. It is older, or the ledger was cut back.")
            : OfflineVerification.Good(_last, trusted, $"All {_tree.Size} entries of tree {Tree} are as they were sealed") with { Compared = _compared };
    }

    private void Begin(HeaderLine header)
    {
        if (header.From != _tree.Size)
        {
            throw new WrongException(header.From > _tree.Size
                ? $"Entries {_tree.Size} to {header.From - 1} are missing: this piece begins at {header.From}."
                : $"This piece begins at {header.From}, and entries up to {_tree.Size - 1} were there already.", _tree.Size);
        }

        if (Tree is { } tree && tree != header.Tree)
        {
            throw new WrongException($"This piece is of another tree, {header.Tree}.", _tree.Size);
        }

        if (Tree is null)
        {
            Tree = header.Tree;
            _kept = new Queue<SignedHead>(kept.Where(head => head.Head.Tree == header.Tree && head.Head.Size > 0).OrderBy(head => head.Head.Size));
        }

        _ended = false;
    }

    private void Append(EntryLine entry)
    {
        var index = entry.Leaf.Index;
        if (Tree is null || _ended)
        {
            throw new WrongException(Tree is null ? "The export does not begin with its header." : $"Entry {index} stands after the head.", index);
        }

        if (index != _tree.Size)
        {
            throw new WrongException($"Entry {index} stands where entry {_tree.Size} belongs: entries were removed, repeated or reordered.", _tree.Size);
        }

        var hash = entry.Leaf.Hash();
        if (!hash.AsSpan().SequenceEqual(entry.Hash))
        {
            throw new WrongException($"Entry {index}, dated {entry.Leaf.At:u}, is not what was sealed: it or its leaf was changed.", index);
        }

        _tree.Append(hash);
        while (_kept.TryPeek(out var head) && head.Head.Size == _tree.Size)
        {
            if (!_kept.Dequeue().Head.Root.Span.SequenceEqual(_tree.Root()))
            {
                throw new WrongException($"What stands here up to size {_tree.Size} is not what the head kept elsewhere, signed {head.Head.SignedAt:u}, was signed over.");
            }

            _compared++;
        }
    }

    private void Judge(HeadLine line)
    {
        var head = line.Head.Head;
        if (Tree is null || _ended || head.Tree != Tree)
        {
            throw new WrongException(Tree is null ? "The export does not begin with its header." : _ended ? "A head stands after the head." : $"The head is of another tree, {head.Tree}.", _tree.Size);
        }

        if (head.Size != _tree.Size)
        {
            throw new WrongException($"The head was signed over {head.Size} entries, and {_tree.Size} stand before it.", Math.Min(head.Size, _tree.Size));
        }

        OfflineVerification.RequireSigned(line.Head, line.PublicKey, trusted);
        if (!head.Root.Span.SequenceEqual(_tree.Root()))
        {
            throw new WrongException($"Entries {_vouched} to {_tree.Size - 1} are not what the head of size {head.Size} was signed over: among them, some were rewritten together with their leaves.", _vouched);
        }

        (_last, _ended, _vouched) = (line.Head, true, _tree.Size);
    }
}

/// <summary>Lines with their ends, none longer than <see cref="LedgerLines.Longest"/>.</summary>
internal sealed class BoundedLines(Stream stream)
{
    private byte[] _buffer = new byte[64 << 10];
    private int _start;
    private int _end;

    /// <summary>That of the line last read, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>Good until the next call; null at the end.</summary>
    /// <exception cref="WrongException">The line is too long, or the file ends within it.</exception>
    public ReadOnlyMemory<byte>? Next()
    {
        Number++;
        for (var searched = _start; ;)
        {
            var at = _buffer.AsSpan(searched, _end - searched).IndexOf((byte)'\n');
            if (at >= 0)
            {
                var line = _buffer.AsMemory(_start, searched + at + 1 - _start);
                _start = searched + at + 1;
                return line;
            }

            if (_end - _start >= LedgerLines.Longest)
            {
                throw new WrongException($"A line is longer than {LedgerLines.Longest} bytes.");
            }

            MakeRoom();
            searched = _end;
            var read = stream.Read(_buffer, _end, _buffer.Length - _end);
            _end += read;
            if (read == 0)
            {
                return _end == _start ? null : throw new WrongException("The file is cut off: it ends within a line.");
            }
        }
    }

    private void MakeRoom()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Min(2 * _buffer.Length, LedgerLines.Longest));
        }
    }
}

/// <summary>The file is not what it should be; the message says why.</summary>
internal sealed class WrongException(string what, long? index = null) : Exception(what)
{
    public long? Index { get; } = index;
}
