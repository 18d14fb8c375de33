using Appliance.Data;
using Appliance.Vault;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.Ledger;

/// <summary>One event that matters, written in the transaction that makes it.</summary>
public sealed class LedgerEntry
{
    public required Guid Id { get; init; }

    /// <summary>The team's id, or <see cref="LedgerAppend.ApplianceTree"/>.</summary>
    public required Guid Tree { get; init; }

    /// <summary>When, to the microsecond (what PostgreSQL keeps).</summary>
    public required DateTimeOffset At { get; init; }

    public UserId? Actor { get; init; }

    /// <summary>What was done, in the past tense and dotted: <c>file.uploaded</c>, <c>sign-in.failed</c>.</summary>
    public required string Action { get; init; }

    /// <summary>What it was done to: an id, never content.</summary>
    public string? Subject { get; init; }

    /// <summary>The address the request came from.</summary>
    public string? Address { get; init; }

    /// <summary>A JSON object, kept as the exact text that is hashed.</summary>
    public required string Details { get; init; }
}

internal sealed class LedgerEntryConfiguration : IEntityTypeConfiguration<LedgerEntry>
{
    public void Configure(EntityTypeBuilder<LedgerEntry> builder)
    {
        builder.ToTable("ledger_entries");
        builder.HasKey(e => e.Id);
    }
}

/// <summary>What a change tells the ledger of itself.</summary>
/// <param name="Action">Past tense, dotted: <c>member.added</c>.</param>
/// <param name="Subject">The id of what was changed.</param>
/// <param name="Details">Names and values that a reader needs; no secret, no content.</param>
public sealed record LedgerEvent(string Action, string? Subject = null, IReadOnlyDictionary<string, string?>? Details = null);

/// <summary>Where a change comes from: the person and the address of the request; both null in a job.</summary>
public sealed record Origin(UserId? Actor, string? Address)
{
    /// <summary>The token that the request came with, which a request that runs for long asks for again; null for a session.</summary>
    public Guid? Token { get; init; }

    /// <summary>What that token is called; null for a session. Every entry that the change writes says it.</summary>
    public TokenName? Named { get; init; }

    /// <summary>The operator whose key the request came with; then there is no person.</summary>
    public OperatorName? Operator { get; init; }
}

/// <summary>How a ledger names an operator: as the list of keys does, and by the key itself, because a name can be given to another key.</summary>
/// <param name="Name">In the list of keys.</param>
/// <param name="Fingerprint">SHA-256 of the public key (SubjectPublicKeyInfo, DER), hexadecimal.</param>
public sealed record OperatorName(string Name, string Fingerprint)
{
    /// <summary>The detail that holds <see cref="Name"/>.</summary>
    public const string NameDetail = "operator";

    /// <summary>The detail that holds <see cref="Fingerprint"/>.</summary>
    public const string KeyDetail = "operator_key";
}

/// <summary>How a ledger names a token: as its person called it, and its public reference, because two may be called the same. Never the secret.</summary>
public sealed record TokenName(string Name, string Reference)
{
    /// <summary>The detail that holds <see cref="Name"/>.</summary>
    public const string NameDetail = "token";

    /// <summary>The detail that holds <see cref="Reference"/>.</summary>
    public const string ReferenceDetail = "token_reference";
}
