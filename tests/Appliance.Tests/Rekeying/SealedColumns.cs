using System.Text;
using Appliance.Data;
using Appliance.Vault;
using Microsoft.Extensions.DependencyInjection;

namespace Appliance.Tests.Rekeying;

/// <summary>Everything that the database keeps under the appliance key: made, found and tried with one key alone.</summary>
public sealed class SealedColumns(RekeyHost host)
{
    /// <summary>A row in every place where something lies under the appliance key.</summary>
    public async Task FillAsync(UserId person, TeamId team)
    {
        var protector = host.Services.GetRequiredService<BlobProtector>();
        string Sealed(string purpose) => "'\\x" + Convert.ToHexString(protector.Protect(purpose, "something"u8)) + "'";
        await host.SqlAsync($"""
            insert into authenticator_apps (user_id, sealed_secret, last_step, created_at) values ('{person}', {Sealed("totp-secret " + person)}, 0, now());
            insert into phones (user_id, sealed_number, created_at) values ('{person}', {Sealed("sms-number " + person)}, now());
            update users set sealed_phrase = {Sealed("mail-phrase " + person)} where id = '{person}';
            insert into mail_links (id, token_hash, user_id, purpose, sealed_address, created_at, expires_at)
                values (gen_random_uuid(), '\x01', '{person}', 'confirm-address', {Sealed("mail-link " + person)}, now(), now() + interval '1 day');
            insert into mails (id, reference, user_id, kind, sealed_head, sealed_body, created_at, next_at, expires_at)
                select gen_random_uuid(), 'r' || i, '{person}', 'x', {Sealed("mail")}, {Sealed("mail")}, now(), now() + interval '1 day', now() + interval '1 day' from generate_series(1, 450) i;
            insert into saml_connections (team_id, state, changed_at) values ('{team}', 'draft', now());
            insert into saml_keys (id, team_id, use, sealed, certificate, created_at) values (gen_random_uuid(), '{team}', 'current', {Sealed("saml service provider key")}, '\x01', now());
            """);
        (await host.SqlAsync("select count(*) from data_protection_keys")).ShouldNotBe(0L);
    }

    /// <summary>Asked of the schema, so that a column that comes later is not forgotten: it needs a line in SealedRows, and one here.</summary>
    public async Task<List<Column>> ColumnsAsync()
    {
        var found = (string[])(await host.SqlAsync("""
            select array_agg(table_name || '.' || column_name order by 1) from information_schema.columns where table_schema = 'public' and data_type = 'bytea' and column_name like 'sealed%'
            """))!;
        found.Except(["sms_codes.sealed_number", "recovery_requests.sealed_name"]).ShouldBe(
        [
            "authenticator_apps.sealed_secret", "data_protection_keys.sealed", "mail_links.sealed_address", "mails.sealed_body", "mails.sealed_head", "phones.sealed_number",
            "saml_keys.sealed", "users.sealed_phrase",
        ], ignoreOrder: true, "columns that are sealed under the appliance key: SealedRows must put them under a new one");
        return
        [
            new("authenticator_apps", "user_id", "user_id", "sealed_secret", "totp-secret "), new("phones", "user_id", "user_id", "sealed_number", "sms-number "),
            new("users", "id", "id", "sealed_phrase", "mail-phrase "), new("mail_links", "id", "user_id", "sealed_address", "mail-link "),
            new("mails", "id", null, "sealed_head", "mail"), new("mails", "id", null, "sealed_body", "mail"), new("saml_keys", "id", null, "sealed", "saml service provider key"),
            new("data_protection_keys", "id", null, "sealed", "data protection keys"),
        ];
    }

    public sealed record Column(string Table, string Key, string? Owner, string Name, string Purpose);

    public async Task<List<(Column Column, Guid Id, string Purpose, byte[] Sealed)>> RowsAsync(IEnumerable<Column> columns)
    {
        var rows = new List<(Column, Guid, string, byte[])>();
        foreach (var column in columns)
        {
            var all = (string[])(await host.SqlAsync(
                $"select array_agg({column.Key} || ' ' || {(column.Owner is null ? "''" : column.Owner + "::text")} || ' ' || encode({column.Name}, 'hex')) from {column.Table} where {column.Name} is not null"))!;
            rows.AddRange(all.Select(row => row.Split(' ')).Select(p => (column, Guid.Parse(p[0]), column.Purpose + p[1], Convert.FromHexString(p[2]))));
        }
        return rows;
    }

    /// <summary>How many columns this key opens in all their rows; 0 only where it opens none of any.</summary>
    public async Task<int> ReadableAsync(List<Column> columns, IKeyProvider key)
    {
        var protector = new BlobProtector(new Alone(key));
        var byColumn = (await RowsAsync(columns)).GroupBy(row => row.Column).Select(rows => (All: rows.Count(), Open: rows.Count(row => Opens(row.Purpose, row.Sealed)))).ToList();
        byColumn.ShouldAllBe(c => c.Open == 0 || c.Open == c.All);
        return byColumn.Count(c => c.Open > 0);

        bool Opens(string purpose, byte[] stored)
        {
            try
            {
                if (stored[0] == (byte)'<')
                {
                    var part = System.Xml.Linq.XElement.Parse(Encoding.UTF8.GetString(stored)).DescendantsAndSelf("sealed").Single();
                    stored = Convert.FromBase64String(part.Value);
                }
                protector.Unprotect(purpose, stored);
                return true;
            }
            catch (TamperedException)
            {
                return false;
            }
        }
    }

    /// <summary>One generation without the others.</summary>
    private sealed class Alone(IKeyProvider key) : IKeyProvider
    {
        public string KeyId => key.KeyId;

        public void Wrap(ReadOnlySpan<byte> key32, ReadOnlySpan<byte> associatedData, Span<byte> wrapped60) => key.Wrap(key32, associatedData, wrapped60);

        public void Unwrap(ReadOnlySpan<byte> wrapped60, ReadOnlySpan<byte> associatedData, Span<byte> key32) => key.Unwrap(wrapped60, associatedData, key32);

        public void Derive(string purpose, Span<byte> key32) => key.Derive(purpose, key32);
    }
}
