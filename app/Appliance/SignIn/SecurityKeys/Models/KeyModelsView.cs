using System.Globalization;
using Appliance.Data;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>A model that can be allowed.</summary>
/// <param name="Ids">What it goes by; a U2F model has an id for each of its attestation keys.</param>
/// <param name="Name">What metadata calls it, or its id.</param>
/// <param name="IsU2f">It knows only U2F and has no AAGUID.</param>
/// <param name="IsAllowed">It is on the list.</param>
/// <param name="Keys">How many of the keys here have proven to be of it.</param>
/// <param name="Distrusted">The report for which it proves nothing any more; null: none.</param>
public sealed record ModelChoice(IReadOnlyList<Guid> Ids, string Name, bool IsU2f, bool IsAllowed, int Keys, string? Distrusted)
{
    public string Value => string.Join(',', Ids);
}

/// <summary>What the owner's page of models shows.</summary>
public sealed record KeyModelsView
{
    /// <summary>So many keys, those that were used last, are asked what they prove.</summary>
    public const int MostKeys = 200;

    /// <summary>Roots that the operator trusts: their names, and the one model that they are for.</summary>
    public required IReadOnlyList<(string Subject, Guid? Model)> Roots { get; init; }

    /// <summary>The BLOB's serial number; null: there is none.</summary>
    public required long? Number { get; init; }

    public required DateOnly NextUpdate { get; init; }

    public required bool IsOutOfDate { get; init; }

    /// <summary>The operator named a root for BLOBs.</summary>
    public required bool TakesUploads { get; init; }

    /// <summary>Those on the list first, then those that are in use here.</summary>
    public required IReadOnlyList<ModelChoice> Models { get; init; }

    /// <summary>How many keys were asked, and how many of them prove no model.</summary>
    public required (int All, int Unproven) Keys { get; init; }

    private static readonly StringComparer s_byName = StringComparer.Create(CultureInfo.InvariantCulture, CompareOptions.IgnoreCase | CompareOptions.NumericOrdering);

    internal static async Task<KeyModelsView> ReadAsync(TeamSession session, KeyModelStore store, DateTimeOffset now, CancellationToken ct)
    {
        var (known, allowed) = (await store.CurrentAsync(session, ct), await AllowedKeyModels.ListAsync(session, ct));
        var keys = await session.Query<SecurityKey>().AsNoTracking().OrderByDescending(k => k.LastUsedAt ?? k.CreatedAt).Take(MostKeys).ToListAsync(ct);
        var proven = keys.Select(known.ProvenBy).OfType<Guid>().CountBy(id => id).ToDictionary();
        var described = (known.Metadata?.Models ?? []).Where(m => m.Roots.Count > 0).ToList();
        var bare = allowed.Concat(proven.Keys).Except(described.SelectMany(m => m.Ids)).Select(id => (Ids: (IReadOnlyList<Guid>)[id], Name: id.ToString("D"), IsU2f: false, known.Find(id)?.Distrusted));
        return new KeyModelsView
        {
            Roots = [.. known.Roots.Select(r => (r.Subject, r.Model))],
            Number = known.Metadata?.Number,
            NextUpdate = known.Metadata?.NextUpdate ?? default,
            IsOutOfDate = known.Metadata?.IsOutOfDate(now) == true,
            TakesUploads = store.Signer is not null,
            Keys = (keys.Count, keys.Count - proven.Values.Sum()),
            Models = [.. described.Select(m => (m.Ids, Name: m.Description, m.IsU2f, m.Distrusted)).Concat(bare)
                .Select(m => new ModelChoice(m.Ids, m.Name, m.IsU2f, m.Ids.Any(allowed.Contains), m.Ids.Sum(proven.GetValueOrDefault), m.Distrusted))
                .OrderByDescending(m => m.IsAllowed).ThenByDescending(m => m.Keys).ThenBy(m => m.Name, s_byName)],
        };
    }
}
