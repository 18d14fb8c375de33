using System.Globalization;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;

namespace Appliance.SignIn.Sms;

/// <param name="Reference">Comes back with the code; null: nothing was sent.</param>
/// <param name="Problem">Why not, as a sentence for the person.</param>
public sealed record SmsSent(string? Reference, string? Problem = null);

/// <summary>
/// Codes by text message: the last resort (NIST SP 800-63B §5.1.3.3 restricts them). Only where the operator named a gateway, only for who has neither key
/// nor app, and gone as soon as they do.
/// </summary>
public sealed class Phones(Database database, SmsGateway gateway, BlobProtector protector, Settings settings, TimeProvider clock)
{
    internal const int Digits = 8;
    internal const int MostTries = 5;
    internal const int MostInAnHour = 5;

    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private const string Wrong = "This code did not work. Codes have eight digits, work once, and for five minutes.";
    private const string NotOffered = "Text messages are not for you: use your key or app.";

    public bool AreOffered => gateway.IsConfigured;

    /// <summary>The last digits of the person's number; null: they have no phone that may be used.</summary>
    public async Task<string?> HintAsync(UserId user, CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        return await NumberAsync(session, user, ct) is { } number ? PhoneNumber.Mask(number) : null;
    }

    /// <summary>Sends a code to the person's own phone.</summary>
    public async Task<SmsSent> SendAsync(User user, HttpContext http, CancellationToken ct)
    {
        string? number;
        await using (var session = await database.ForApplianceAsync(ct))
        {
            number = await NumberAsync(session, user.Id, ct);
        }
        return number is null ? new SmsSent(null, NotOffered) : await SendAsync(user, number, enrols: false, http, ct);
    }

    /// <summary>Sends a code that confirms a new number.</summary>
    public async Task<SmsSent> SendToNewAsync(User user, string? number, HttpContext http, CancellationToken ct) =>
        !AreOffered ? new SmsSent(null, NotOffered)
        : PhoneNumber.Normalise(number) is { } normal ? await SendAsync(user, normal, enrols: true, http, ct)
        : new SmsSent(null, PhoneNumber.Rule);

    /// <summary>Whether this is the code that was sent to the person's phone. It is used up in a transaction of its own, however what follows ends.</summary>
    public async Task<KeyResult> VerifyAsync(User user, string? reference, string? code, HttpContext http, CancellationToken ct)
    {
        if (await TakeAsync(user.Id, reference, code, enrols: false, http, ct) is not { } sent)
        {
            return new KeyResult(false, Wrong);
        }
        await using var session = await database.ForApplianceAsync(ct);
        // The phone as it is now: removed or replaced meanwhile, the code is worth nothing.
        if (await NumberAsync(session, user.Id, ct) is not { } number || number != Number(user.Id, sent))
        {
            return new KeyResult(false, NotOffered);
        }
        await session.ExecuteAsync($"update phones set last_used_at = {clock.GetUtcNow()} where user_id = {user.Id.Value}", ct);
        await session.CommitAsync(ct);
        return new KeyResult(true);
    }

    /// <summary>Adds the phone that the code was sent to. In the caller's transaction, which it commits where this succeeds; the user's row is in it by now.</summary>
    public async Task<KeyResult> AddAsync(TeamSession session, User user, string? reference, string? code, HttpContext http, CancellationToken ct)
    {
        if (!AreOffered || await TakeAsync(user.Id, reference, code, enrols: true, http, ct) is not { } sent)
        {
            return new KeyResult(false, AreOffered ? Wrong : NotOffered);
        }
        await Factors.LockAsync(session, user.Id, ct);
        if ((await Factors.ReadAsync(session, user.Id, ct)).Better)
        {
            return new KeyResult(false, NotOffered);
        }
        session.Add(new Phone { UserId = user.Id, SealedNumber = sent, CreatedAt = clock.GetUtcNow() });
        session.RecordForAppliance(new LedgerEvent("phone.added", user.Id.ToString()), http.Origin());
        await session.SaveAsync(ct);
        return new KeyResult(true);
    }

    /// <summary>A key or an app was added: no text message signs in any more. In the caller's transaction, with the user's row locked.</summary>
    internal static async Task RemoveAsync(TeamSession session, UserId user, HttpContext http, CancellationToken ct)
    {
        if (await session.ExecuteAsync($"delete from phones where user_id = {user.Value}", ct) > 0)
        {
            session.RecordForAppliance(new LedgerEvent("phone.removed", user.ToString()), http.Origin());
        }
    }

    private async Task<SmsSent> SendAsync(User user, string number, bool enrols, HttpContext http, CancellationToken ct)
    {
        var (reference, code) = (Reference.New(), RandomNumberGenerator.GetString("0123456789", Digits));
        if (!await KeepAsync(user.Id, number, enrols, reference, code, http, ct))
        {
            return new SmsSent(null, $"You were sent {MostInAnHour} messages within an hour. Wait, then try again.");
        }
        // No transaction is open meanwhile.
        var outcome = await gateway.SendAsync(number, $"{code} is your code for {settings.Origin.IdnHost}. It works once, for five minutes. Give it to nobody.", ct);
        await using var session = await database.ForApplianceAsync(ct);
        if (outcome == SmsOutcome.Refused)
        {
            // Nothing was sent, so nothing is counted.
            await session.ExecuteAsync($"delete from sms_codes where reference_hash = {Hash(reference)}", ct);
        }
        session.RecordForAppliance(new LedgerEvent(outcome == SmsOutcome.Sent ? "sms.sent" : "sms.failed", user.Id.ToString()), http.Origin());
        await session.CommitAsync(ct);
        return outcome switch
        {
            SmsOutcome.Sent => new SmsSent(reference),
            SmsOutcome.Unknown => new SmsSent(reference, "The message is slow: it may still come. If it does not, try again, or use a recovery code."),
            _ => new SmsSent(null, "The message could not be sent. Try again in a few minutes, or use a recovery code."),
        };
    }

    /// <summary>Keeps what was made of the code before it is sent. False: the person had enough messages; of many at once no more than that go.</summary>
    private async Task<bool> KeepAsync(UserId user, string number, bool enrols, string reference, string code, HttpContext http, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var (hash, sealedNumber, binding, mac) = (Hash(reference), protector.Protect(Purpose(user), Encoding.ASCII.GetBytes(number)), Binding(http), Mac(reference, code));
        await using var session = await database.ForApplianceAsync(ct);
        await session.SqlAsync<int>($"""select 1 as "Value" from (select pg_advisory_xact_lock(hashtextextended('sms' || {user.ToString()}, 0))) as locked""", ct);
        await session.ExecuteAsync($"delete from sms_codes where user_id = {user.Value} and sent_at <= {now - Hour}", ct);
        var kept = await session.ExecuteAsync(
            $"""
            insert into sms_codes (reference_hash, user_id, enrols, sealed_number, binding, mac, sent_at, expires_at)
            select {hash}, {user.Value}, {enrols}, {sealedNumber}, {binding}, {mac}, {now}, {now + Lifetime}
             where (select count(*) from sms_codes where user_id = {user.Value}) < {MostInAnHour}
            """,
            ct);
        await session.CommitAsync(ct);
        return kept == 1;
    }

    /// <summary>
    /// The sealed number that the code was sent to; null: wrong, used, too old, tried too often, or sent to somebody else or for something else. A try is
    /// counted before the code is looked at, and both are committed here.
    /// </summary>
    private async Task<byte[]?> TakeAsync(UserId user, string? reference, string? code, bool enrols, HttpContext http, CancellationToken ct)
    {
        if (!Reference.IsWellFormed(reference))
        {
            return null;
        }
        var (hash, now, binding) = (Hash(reference!), clock.GetUtcNow(), Binding(http));
        await using var session = await database.ForApplianceAsync(ct);
        var tried = await session.SqlAsync<Tried>(
            $"""
            update sms_codes set tries = tries + 1
             where reference_hash = {hash} and user_id = {user.Value} and enrols = {enrols} and binding = {binding}
               and used_at is null and tries < {MostTries} and sent_at <= {now + Sessions.ClockTolerance} and expires_at > {now}
            returning mac as "Mac", sealed_number as "SealedNumber"
            """,
            ct);
        // The row is ours until the commit: of two right ones at once, the second waits above and then finds it used.
        var right = tried is [var row] && CryptographicOperations.FixedTimeEquals(row.Mac, Mac(reference!, Normalise(code)));
        if (right)
        {
            await session.ExecuteAsync($"update sms_codes set used_at = {now} where reference_hash = {hash}", ct);
        }
        await session.CommitAsync(ct);
        return right ? tried[0].SealedNumber : null;
    }

    private async Task<string?> NumberAsync(TeamSession session, UserId user, CancellationToken ct)
    {
        if (!AreOffered || (await Factors.ReadAsync(session, user, ct)).Better)
        {
            return null;
        }
        var phone = await session.Query<Phone>().AsNoTracking().SingleOrDefaultAsync(p => p.UserId == user, ct);
        return phone is null ? null : Number(user, phone.SealedNumber);
    }

    private string Number(UserId user, byte[] sealedNumber) => Encoding.ASCII.GetString(protector.Unprotect(Purpose(user), sealedNumber));

    private byte[] Mac(string reference, string code) => protector.Mac("sms-code", Encoding.UTF8.GetBytes(reference + " " + code));

    private static string Normalise(string? code) => code is null or { Length: > 40 } ? "" : string.Concat(code.Where(c => c is not (' ' or '-')));

    internal static string Purpose(UserId user) => "sms-number " + user;

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    // The sign-in, the set-up or the session that the browser is in the middle of.
    private static byte[] Binding(HttpContext http) => Hash(string.Create(
        CultureInfo.InvariantCulture,
        $"{http.User.FindFirstValue(SignedInPerson.SessionClaim)} {http.User.FindFirstValue(HalfSignedInHandler.SignInClaim)} {http.User.FindFirstValue(SetUpHandler.LinkClaim)}"));

    private sealed record Tried(byte[] Mac, byte[] SealedNumber);
}
