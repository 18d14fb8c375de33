using System.Globalization;
using System.Security.Cryptography;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Web;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>
/// What is trusted just now: the operator's roots, read once at the start, and the newer one of the operator's BLOB and the uploaded one. The uploaded one
/// is verified again each time that it is read, and asked for by its number, so that every replica follows within a request.
/// </summary>
internal sealed partial class KeyModelStore(Settings settings, TimeProvider clock, ILogger<KeyModelStore> log) : IHostedService
{
    private readonly Lazy<Files> _files = new(() => new Files(
        settings.KeyModels.LoadRoots(), settings.KeyModels.LoadSigner(), settings.KeyModels.LoadMetadata(clock.GetUtcNow())));

    private Known? _known;

    /// <summary>Null: the operator named no root for BLOBs, so none can be uploaded.</summary>
    public MetadataSigner? Signer => _files.Value.Signer;

    /// <summary>As the session's transaction sees it.</summary>
    public async Task<KeyModels> CurrentAsync(TeamSession session, CancellationToken ct)
    {
        var stamp = (await session.SqlAsync<Stamp>($"""select number as "Number", uploaded_at as "UploadedAt" from fido_metadata""", ct)).SingleOrDefault();
        if (_known is { } known && known.Stamp == stamp)
        {
            return known.Models;
        }
        var (file, uploaded) = (_files.Value.Metadata, stamp is null ? null : await ReadUploadedAsync(session, ct));
        var models = new KeyModels(_files.Value.Roots, file is null || uploaded?.Number >= file.Number ? uploaded ?? file : file);
        Tell(models);
        _known = new Known(stamp, models);
        return models;
    }

    /// <summary>
    /// Takes a newer BLOB. Answers null, or a sentence why it was not taken. In the caller's transaction, which it commits where the answer is null.
    /// </summary>
    public async Task<string?> UploadAsync(TeamSession session, UserId author, byte[] blob, HttpContext http, CancellationToken ct)
    {
        if (Signer is not { } signer)
        {
            return "Nobody is trusted to sign metadata: the operator sets APPLIANCE_FIDO_METADATA_ROOT first.";
        }
        var now = clock.GetUtcNow();
        MetadataBlob read;
        try
        {
            read = MetadataBlob.Read(blob, signer, now);
        }
        catch (MetadataException e)
        {
            return e.Message;
        }
        if (read.SignerExpired)
        {
            return "The certificate that signed it has run out. Upload a newer one.";
        }
        // MDS §3.2: a number that is not higher is a step back. Of two uploads at once, the row's lock decides.
        if (read.Number <= (await CurrentAsync(session, ct)).Metadata?.Number || await session.ExecuteAsync(
            $"""
            insert into fido_metadata (number, blob, uploaded_at) values ({read.Number}, {blob}, {now})
            on conflict (id) do update set number = excluded.number, blob = excluded.blob, uploaded_at = excluded.uploaded_at
             where fido_metadata.number < excluded.number
            """,
            ct) != 1)
        {
            return "It is not newer than what is here already.";
        }
        if ((await AllowedKeyModels.ListAsync(session, ct)).Any(id => read.Models.Any(m => m.Distrusted is not null && m.Ids.Contains(id))))
        {
            // Nor does a device stand in any more for a key of a model that has fallen.
            await session.ExecuteAsync($"delete from remembered_devices", ct);
        }
        session.RecordForAppliance(
            new LedgerEvent("key-models.metadata-uploaded", author.ToString(), new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["number"] = read.Number.ToString(CultureInfo.InvariantCulture),
                ["next-update"] = read.NextUpdate.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
                ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(blob)),
            }),
            http.Origin());
        return null;
    }

    /// <summary>Says at the start what is out of date. Reads the files, which the settings have found to be right.</summary>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        Tell(new KeyModels(_files.Value.Roots, _files.Value.Metadata));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<MetadataBlob?> ReadUploadedAsync(TeamSession session, CancellationToken ct)
    {
        try
        {
            return Signer is { } signer && (await session.SqlAsync<byte[]>($"""select blob as "Value" from fido_metadata""", ct)) is [var blob]
                ? MetadataBlob.Read(blob, signer, clock.GetUtcNow())
                : null;
        }
        catch (MetadataException e)
        {
            NotTrusted(log, e.Message);
            return null;
        }
    }

    private void Tell(KeyModels models)
    {
        if (models.Metadata is { } metadata && metadata.IsOutOfDate(clock.GetUtcNow()))
        {
            OutOfDate(log, metadata.Number, metadata.NextUpdate);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The FIDO metadata (number {Number}) is out of date: the next one was due on {NextUpdate}. Models that were compromised since are still trusted; upload a newer one.")]
    private static partial void OutOfDate(ILogger log, long number, DateOnly nextUpdate);

    [LoggerMessage(Level = LogLevel.Error, Message = "The uploaded FIDO metadata is not used: {Problem}")]
    private static partial void NotTrusted(ILogger log, string problem);

    private sealed record Files(IReadOnlyList<OperatorRoot> Roots, MetadataSigner? Signer, MetadataBlob? Metadata);

    internal sealed record Stamp(long Number, DateTimeOffset UploadedAt);

    private sealed record Known(Stamp? Stamp, KeyModels Models);
}
