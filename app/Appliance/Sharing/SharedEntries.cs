using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Files;
using Appliance.Ledger;
using Appliance.SignIn;
using Appliance.Teams;
using Appliance.Teams.Groups;
using Appliance.Vault;
using Microsoft.AspNetCore.Identity;
using SignInResult = Appliance.SignIn.SignInResult;

namespace Appliance.Sharing;

/// <summary>A link that works, as whoever comes with it found it.</summary>
internal sealed record OpenLink(
    Guid TeamId, Guid Id, string Reference, string Entry, Guid MadeBy, string? PasswordHash, DateTimeOffset ExpiresAt, int? MaxDownloads, int Downloads)
{
    public TeamId Team => new(TeamId);

    public UserId Maker => new(MadeBy);

    /// <summary>Nothing more can be begun with it; what was begun goes on.</summary>
    public bool IsUsedUp => Downloads >= MaxDownloads;
}

/// <summary>
/// What links open to whoever has them. All of it is read as the link's maker, so the database decides what is there; a link only ever narrows that to one entry.
/// A link that never was, one that expired, was revoked or used up, one whose entry is gone, whose maker left or may no longer read it or share by link: all the same, nothing.
/// </summary>
internal sealed class SharedEntries(Database database, Delays delays, PasswordHasher hasher, PasswordGate gate, BlobProtector protector, TimeProvider clock)
{
    private const string Wrong = "This password is not right.";

    /// <summary>How long a download that was begun can be fetched, and gone on with after it broke off.</summary>
    public static readonly TimeSpan GrantLifetime = TimeSpan.FromHours(6);

    private const string GrantPurpose = "share-grant";

    public async Task<OpenLink?> FindAsync(string? token, CancellationToken ct)
    {
        if (Token.HashOf(token) is not { } hash)
        {
            return null;
        }
        await using var session = await database.ForApplianceAsync(ct);
        return (await session.SqlAsync<OpenLink>(
            $"""
            select team_id as "TeamId", id as "Id", reference as "Reference", entry as "Entry", made_by as "MadeBy", password_hash as "PasswordHash", expires_at as "ExpiresAt",
                   max_downloads as "MaxDownloads", downloads as "Downloads" from app_share_link({hash}, {clock.GetUtcNow()})
            """, ct)).SingleOrDefault();
    }

    /// <summary>What it opens; null: that is gone.</summary>
    public async Task<ListedEntry?> EntryAsync(OpenLink link, CancellationToken ct)
    {
        await using var session = await database.ForTeamAsync(link.Team, link.Maker, ct);
        return await EntryAsync(session, link, ct);
    }

    private static async Task<ListedEntry?> EntryAsync(TeamSession session, OpenLink link, CancellationToken ct) =>
        (await session.SqlAsync<bool>($"""select {Permission.Links} = any(app_permissions()) as "Value" """, ct)).Single()
            ? (await Entries.FindAsync(session, link.Entry, ct))?.Entry
            : null;

    /// <summary>
    /// Begins a download: checks the password where there is one, counts, and tells the ledger, in one transaction. Answers the grant with which the content is
    /// fetched, or why not.
    /// </summary>
    public async Task<(string? Grant, SignInResult Result)> BeginAsync(OpenLink link, string? password, HttpContext http, CancellationToken ct)
    {
        Delays.Keys? delay = null;
        if (link.PasswordHash is { } hash)
        {
            if (password is not { Length: > 0 } || !PasswordHasher.IsBounded(password))
            {
                return (null, new SignInResult(Wrong));
            }
            delay = delays.For("share-link " + link.Reference, http);
            var charge = await delays.ChargeAsync(delay, ct);
            if (charge.Wait > TimeSpan.Zero)
            {
                return (null, new SignInResult("Too many attempts went wrong. Try again in a while.", charge.Wait));
            }
            // Charged before it is checked; what was right, or was not checked at all, is refunded.
            PasswordVerificationResult verdict;
            try
            {
                verdict = await gate.RunAsync(() => Task.Run(() => hasher.VerifyHashedPassword(null!, hash, password), ct), ct);
            }
            catch (TooBusyException)
            {
                await using var refund = await database.ForApplianceAsync(ct);
                await delays.RefundAsync(refund, delay, ct);
                await refund.CommitAsync(ct);
                return (null, new SignInResult("Many passwords are being checked at this moment. Try again in a few seconds.", TimeSpan.FromSeconds(3)));
            }
            if (verdict == PasswordVerificationResult.Failed)
            {
                return (null, new SignInResult(Wrong));
            }
        }
        var now = clock.GetUtcNow();
        await using var session = await database.ForTeamAsync(link.Team, link.Maker, ct);
        if (await EntryAsync(session, link, ct) is not { } entry
            // Of several at once for the last download, the row's lock lets one through.
            || await session.ExecuteAsync(
                $"""
                update share_links set downloads = downloads + 1, last_used_at = {now}
                where team_id = app_team() and id = {link.Id} and revoked_at is null and expires_at > {now} and (max_downloads is null or downloads < max_downloads)
                """, ct) != 1)
        {
            return (null, new SignInResult("This link does not work any more."));
        }
        if (delay is not null)
        {
            await delays.RefundAsync(session, delay, ct);
        }
        session.Add(new ShareUse { TeamId = link.Team, LinkId = link.Id, Id = Guid.CreateVersion7(now), At = now, Address = http.Address() });
        session.Record(ShareLinks.Happened("share-link.used", link.Reference, entry.Name), new Origin(null, http.Address()));
        await session.CommitAsync(ct);
        return (Grant(link, now), SignInResult.Done);
    }

    /// <summary>Whether this grant is for this link, and still good.</summary>
    public bool IsGranted(OpenLink link, string? grant)
    {
        if (grant is not { Length: > 0 and < 300 } || !Base64Url.IsValid(grant))
        {
            return false;
        }
        byte[] said;
        try
        {
            said = protector.Unprotect(GrantPurpose, Base64Url.DecodeFromChars(grant));
        }
        catch (Exception e) when (e is CryptographicException or TamperedException or FormatException or ArgumentException)
        {
            return false;
        }
        return said.Length == 24 && new Guid(said.AsSpan(0, 16)) == link.Id && BinaryPrimitives.ReadInt64BigEndian(said.AsSpan(16)) > clock.GetUtcNow().UtcTicks;
    }

    private string Grant(OpenLink link, DateTimeOffset now)
    {
        Span<byte> said = stackalloc byte[24];
        link.Id.TryWriteBytes(said);
        BinaryPrimitives.WriteInt64BigEndian(said[16..], (now + GrantLifetime).UtcTicks);
        return Base64Url.EncodeToString(protector.Protect(GrantPurpose, said));
    }
}
