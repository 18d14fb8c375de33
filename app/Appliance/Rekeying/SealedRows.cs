using System.Text;
using System.Xml.Linq;
using Appliance.Data;
using Appliance.Mail;
using Appliance.SignIn;
using Appliance.SignIn.Sms;
using Appliance.SignIn.Sso;
using Appliance.SignIn.Totp;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Rekeying;

/// <summary>
/// What the database keeps under the appliance key, and how to seal it anew. Not here is what ends within the hour anyway: codes on their way (sms_codes) and requests
/// for a new password (recovery_requests).
/// </summary>
internal sealed partial class SealedRows(Database database, BlobProtector protector, ILogger<SealedRows> log)
{
    private const int AtOnce = 200;

    private static readonly Column[] s_columns =
    [
        new("authenticator_apps", owner => AuthenticatorApps.Purpose(owner),
            after => $"""select user_id as "Id", user_id as "Owner", sealed_secret as "Sealed" from authenticator_apps where user_id > {after} order by user_id limit {AtOnce}""",
            row => $"update authenticator_apps set sealed_secret = {row.New} where user_id = {row.Id} and sealed_secret = {row.Sealed}"),
        new("phones", owner => Phones.Purpose(owner),
            after => $"""select user_id as "Id", user_id as "Owner", sealed_number as "Sealed" from phones where user_id > {after} order by user_id limit {AtOnce}""",
            row => $"update phones set sealed_number = {row.New} where user_id = {row.Id} and sealed_number = {row.Sealed}"),
        new("users", owner => Phrases.Purpose(owner),
            after => $"""select id as "Id", id as "Owner", sealed_phrase as "Sealed" from users where id > {after} and sealed_phrase is not null order by id limit {AtOnce}""",
            row => $"update users set sealed_phrase = {row.New} where id = {row.Id} and sealed_phrase = {row.Sealed}"),
        new("mail_links", owner => MailLinks.AddressPurpose(owner),
            after => $"""select id as "Id", user_id as "Owner", sealed_address as "Sealed" from mail_links where id > {after} and sealed_address is not null order by id limit {AtOnce}""",
            row => $"update mail_links set sealed_address = {row.New} where id = {row.Id} and sealed_address = {row.Sealed}"),
        new("mails", _ => MailQueue.Purpose,
            after => $"""select id as "Id", id as "Owner", sealed_head as "Sealed" from mails where id > {after} order by id limit {AtOnce}""",
            row => $"update mails set sealed_head = {row.New} where id = {row.Id} and sealed_head = {row.Sealed}"),
        new("mails", _ => MailQueue.Purpose,
            after => $"""select id as "Id", id as "Owner", sealed_body as "Sealed" from mails where id > {after} and sealed_body is not null order by id limit {AtOnce}""",
            row => $"update mails set sealed_body = {row.New} where id = {row.Id} and sealed_body = {row.Sealed}"),
    ];

    private static readonly Column s_saml = new("saml_keys", _ => SsoKeys.Purpose,
        after => $"""select id as "Id", id as "Owner", sealed as "Sealed" from saml_keys where team_id = app_team() and id > {after} order by id limit {AtOnce}""",
        row => $"update saml_keys set sealed = {row.New} where id = {row.Id} and sealed = {row.Sealed}");

    private static readonly Column s_dataProtection = new("data_protection_keys", _ => SealingXmlEncryptor.Purpose,
        after => $"""select id as "Id", id as "Owner", sealed as "Sealed" from data_protection_keys where id > {after} order by id limit {AtOnce}""",
        row => $"update data_protection_keys set sealed = {row.New} where id = {row.Id} and sealed = {row.Sealed}");

    /// <summary>Seals everything anew that is not under the current key; answers how many that were, and how many no key opens.</summary>
    public async Task<(long Resealed, long Unreadable)> ResealAsync(CancellationToken ct)
    {
        var (resealed, unreadable) = (0L, 0L);
        foreach (var column in s_columns)
        {
            Add(await ResealAsync(column, () => database.ForApplianceAsync(ct), protector.Reseal, ct));
        }
        Add(await ResealAsync(s_dataProtection, () => database.ForApplianceAsync(ct), ResealXml, ct));
        foreach (var team in await database.AllTeamsAsync(ct))
        {
            Add(await ResealAsync(s_saml, () => database.ForJobAsync(team, ct), protector.Reseal, ct));
        }
        return (resealed, unreadable);

        void Add((long Resealed, long Unreadable) more) => (resealed, unreadable) = (resealed + more.Resealed, unreadable + more.Unreadable);
    }

    private async Task<(long Resealed, long Unreadable)> ResealAsync(Column column, Func<Task<TeamSession>> open, Reseal reseal, CancellationToken ct)
    {
        var (resealed, unreadable) = (0L, 0L);
        for (var after = Guid.Empty; ;)
        {
            await using var session = await open();
            var page = await session.SqlAsync<Row>(column.Select(after), ct);
            foreach (var row in page)
            {
                try
                {
                    // Where somebody changed it meanwhile, it is under the current key already.
                    if (reseal(column.Purpose(new UserId(row.Owner)), row.Sealed) is { } sealedAnew)
                    {
                        resealed += await session.ExecuteAsync(column.Update(new Change(row.Id, row.Sealed, sealedAnew)), ct);
                    }
                }
                catch (TamperedException e)
                {
                    unreadable++;
                    LogUnreadable(log, e, column.Table, row.Id);
                }
            }
            await session.CommitAsync(ct);
            if (page.Count < AtOnce)
            {
                return (resealed, unreadable);
            }
            after = page[^1].Id;
        }
    }

    /// <summary>The sealed part is within XML.</summary>
    private byte[]? ResealXml(string purpose, ReadOnlySpan<byte> row)
    {
        var xml = XElement.Parse(Encoding.UTF8.GetString(row));
        var changed = false;
        foreach (var part in xml.DescendantsAndSelf("sealed"))
        {
            if (protector.Reseal(purpose, Convert.FromBase64String(part.Value)) is { } sealedAnew)
            {
                part.Value = Convert.ToBase64String(sealedAnew);
                changed = true;
            }
        }
        return changed ? Encoding.UTF8.GetBytes(xml.ToString(SaveOptions.DisableFormatting)) : null;
    }

    private delegate byte[]? Reseal(string purpose, ReadOnlySpan<byte> blob);

    private sealed record Row(Guid Id, Guid Owner, byte[] Sealed);

    private sealed record Change(Guid Id, byte[] Sealed, byte[] New);

    private sealed record Column(string Table, Func<UserId, string> Purpose, Func<Guid, FormattableString> Select, Func<Change, FormattableString> Update);

    [LoggerMessage(EventId = 4303, Level = LogLevel.Error, Message = "Re-keying: no key opens what row {Row} of {Table} holds.")]
    private static partial void LogUnreadable(ILogger logger, Exception error, string table, Guid row);
}
