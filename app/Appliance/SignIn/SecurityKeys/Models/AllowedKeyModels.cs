using Appliance.Data;
using Appliance.Ledger;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>
/// The models of security keys that may be used on this appliance; none listed: any key. Judged where a key is added and wherever one answers, by the
/// proof that it brought along when it was added.
/// </summary>
public sealed class AllowedKeyModels
{
    /// <summary>The advisory lock's number: any, but no other's.</summary>
    private const long ChangeLock = 0x4E1_0DE15;

    private const int Most = 1000;

    private readonly KeyModelStore _store;
    private readonly TimeProvider _clock;

    internal AllowedKeyModels(KeyModelStore store, TimeProvider clock) => (_store, _clock) = (store, clock);

    /// <summary>As <see cref="ProvenModel.Id"/>; empty: any key, whether or not it proves a model.</summary>
    public static async Task<IReadOnlyList<Guid>> ListAsync(TeamSession session, CancellationToken ct) =>
        await session.SqlAsync<Guid>($"""select id as "Value" from key_models order by id""", ct);

    /// <summary>Whether the key may be used.</summary>
    public async Task<bool> AllowsAsync(TeamSession session, SecurityKey key, CancellationToken ct) => (await AllowedOfAsync(session, [key], ct)).Count == 1;

    /// <summary>Those of the keys that may be used.</summary>
    public async Task<IReadOnlyCollection<SecurityKey>> AllowedOfAsync(TeamSession session, IReadOnlyCollection<SecurityKey> keys, CancellationToken ct)
    {
        if (await ListAsync(session, ct) is not { Count: > 0 } allowed)
        {
            return keys;
        }
        var known = await _store.CurrentAsync(session, ct);
        return [.. keys.Where(k => known.IsAllowed(k, allowed))];
    }

    /// <summary>What they are called, for people; the first few of them.</summary>
    public async Task<string> NamesAsync(TeamSession session, CancellationToken ct)
    {
        const int Few = 8;
        var (allowed, known) = (await ListAsync(session, ct), await _store.CurrentAsync(session, ct));
        var names = allowed.Select(id => known.Find(id)?.Description ?? id.ToString("D")).Distinct(StringComparer.Ordinal).Order(StringComparer.OrdinalIgnoreCase).ToList();
        return string.Join(", ", names.Take(Few)) + (names.Count > Few ? " and others" : "");
    }

    /// <summary>
    /// Makes this the list. Answers null, or a sentence why nothing was changed: whoever changes it must be able to sign in afterwards. In the caller's
    /// transaction, which it commits where the answer is null.
    /// </summary>
    public async Task<string?> ReplaceAsync(TeamSession session, UserId author, IReadOnlyCollection<Guid> models, HttpContext http, CancellationToken ct)
    {
        await session.SqlAsync<string>($"""select pg_advisory_xact_lock({ChangeLock})::text as "Value" """, ct);
        // Nor does the author remove their key meanwhile.
        await Factors.LockAsync(session, author, ct);
        var (before, known) = (await ListAsync(session, ct), await _store.CurrentAsync(session, ct));
        Guid[] after = [.. models.Distinct()];
        if (after.Length > Most || after.Contains(Guid.Empty))
        {
            return "Choose models that are known here.";
        }
        if (after.Length > 0 && !await CanSignInAsync(session, author, known, after, ct))
        {
            return "This would lock you out: neither is one of your own keys of a model on this list, with a proof, nor do you have an authenticator app. Add such a key first.";
        }
        var now = _clock.GetUtcNow();
        await session.ExecuteAsync($"delete from key_models where not id = any({after})", ct);
        await session.ExecuteAsync($"insert into key_models (id, added_at) select id, {now} from unnest({after}) as id on conflict do nothing", ct);
        // A device that is remembered stood in for a key that may not be allowed any more.
        await session.ExecuteAsync($"delete from remembered_devices", ct);
        session.RecordForAppliance(
            new LedgerEvent("key-models.changed", author.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["allowed"] = after.Length == 0 ? "any" : string.Join(' ', after.Order()),
                ["before"] = before.Count == 0 ? "any" : string.Join(' ', before),
            }),
            http.Origin());
        return null;
    }

    /// <summary>What the owner's page shows.</summary>
    public Task<KeyModelsView> ViewAsync(TeamSession session, CancellationToken ct) => KeyModelsView.ReadAsync(session, _store, _clock.GetUtcNow(), ct);

    /// <summary>Takes a newer BLOB; null, or a sentence why not. In the caller's transaction, which it commits where the answer is null.</summary>
    public Task<string?> UploadAsync(TeamSession session, UserId author, byte[] blob, HttpContext http, CancellationToken ct) =>
        _store.UploadAsync(session, author, blob, http, ct);

    private static async Task<bool> CanSignInAsync(TeamSession session, UserId author, KeyModels known, Guid[] models, CancellationToken ct)
    {
        var keys = await session.Query<SecurityKey>().AsNoTracking().Where(k => k.UserId == author).ToListAsync(ct);
        return (await Factors.ReadAsync(session, author, ct)).App || keys.Exists(k => known.IsAllowed(k, models));
    }
}
