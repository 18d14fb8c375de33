using System.Security.Cryptography;
using Appliance.Data;
using Appliance.Saml;
using Appliance.Vault;

namespace Appliance.SignIn.Sso;

/// <summary>A key of ours as it is kept. <c>Use</c>: next, current or old.</summary>
public sealed record SsoKey(Guid Id, string Use, byte[] Sealed, byte[] Certificate, DateTimeOffset CreatedAt)
{
    public string Fingerprint => Convert.ToHexStringLower(SHA256.HashData(Certificate));
}

/// <summary>
/// The team's own keys. A new one is first shown in the metadata ("next"), then signs ("current"), and the one before it still opens what was
/// encrypted to it ("old") until it is taken out: at no moment does anything fail.
/// </summary>
public sealed class SsoKeys(BlobProtector protector, TimeProvider clock)
{
    internal const string Purpose = "saml service provider key";

    public async Task<IReadOnlyList<SsoKey>> ListAsync(TeamSession session, CancellationToken ct) => await session.SqlAsync<SsoKey>(
        $"""
        select id as "Id", use as "Use", sealed as "Sealed", certificate as "Certificate", created_at as "CreatedAt" from saml_keys
        where team_id = app_team() order by case use when 'current' then 0 when 'next' then 1 else 2 end
        """, ct);

    /// <summary>The current key first. The caller disposes them.</summary>
    public async Task<IReadOnlyList<SpKey>> OpenAsync(TeamSession session, CancellationToken ct)
    {
        var keys = new List<SpKey>();
        foreach (var kept in await ListAsync(session, ct))
        {
            var clear = protector.Unprotect(Purpose, kept.Sealed);
            try
            {
                keys.Add(SpKey.Load(clear, kept.Certificate));
            }
            finally
            {
                CryptographicOperations.ZeroMemory(clear);
            }
        }
        return keys;
    }

    public async Task AddAsync(TeamSession session, string use, string name, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        using var key = SpKey.Create(name, now);
        var clear = key.Export();
        try
        {
            var closed = protector.Protect(Purpose, clear);
            await session.ExecuteAsync(
                $"insert into saml_keys (id, team_id, use, sealed, certificate, created_at) values ({Guid.CreateVersion7(now)}, app_team(), {use}, {closed}, {key.Certificate}, {now})", ct);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(clear);
        }
    }

    /// <summary>The next key signs from now on. False: there is none.</summary>
    public static async Task<bool> ActivateAsync(TeamSession session, CancellationToken ct)
    {
        if ((await session.SqlAsync<int>($"""select count(*)::int as "Value" from saml_keys where team_id = app_team() and use = 'next'""", ct)).Single() == 0)
        {
            return false;
        }
        await session.ExecuteAsync($"delete from saml_keys where team_id = app_team() and use = 'old'", ct);
        await session.ExecuteAsync(
            $"update saml_keys set use = case use when 'current' then 'old' else 'current' end where team_id = app_team() and use in ('current', 'next')", ct);
        return true;
    }

    public static Task RetireAsync(TeamSession session, CancellationToken ct) => session.ExecuteAsync($"delete from saml_keys where team_id = app_team() and use = 'old'", ct);
}
