using System.Text;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.Ledger;
using Appliance.Mail;
using Appliance.Vault;
using Appliance.Web;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Appliance.SignIn.ForgottenPassword;

/// <summary>Somebody asked for a link to a new password. Whose account it is, if anybody's, is found out afterwards.</summary>
public sealed class RecoveryRequest
{
    public required Guid Id { get; init; }

    /// <summary>What was typed, sealed: it may be a password in the wrong field.</summary>
    public required byte[] SealedName { get; init; }

    public required DateTimeOffset RequestedAt { get; init; }

    public string? Address { get; init; }
}

internal sealed class RecoveryRequestConfiguration : IEntityTypeConfiguration<RecoveryRequest>
{
    public void Configure(EntityTypeBuilder<RecoveryRequest> builder)
    {
        builder.ToTable("recovery_requests");
        builder.HasKey(r => r.Id);
    }
}

/// <summary>
/// New passwords for people who forgot theirs. Asking writes one row, whatever was typed, and answers the same: what depends on whether there is such an account
/// happens in <see cref="NewPasswordMailer"/>, when nobody waits for it any more.
/// </summary>
public sealed class NewPasswords(Database database, BlobProtector protector, MailQueue mails, MailLinks links, Settings settings, TimeProvider clock)
{
    /// <summary>How long a link works.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(20);

    /// <summary>Mails to one person within an hour.</summary>
    public const int MostInAnHour = 3;

    /// <summary>How many requests may wait, so that a flood fills no disk. They are answered within seconds.</summary>
    private const int MostWaiting = 10_000;

    /// <summary>Accounts with one address that are written to.</summary>
    private const int MostAccounts = 5;

    private const string Purpose = "recovery-request";

    internal event EventHandler? Asked;

    /// <summary>Whether people are told of it at all: it takes a mail server.</summary>
    public bool AreOffered => mails.IsConfigured;

    /// <summary>Takes a request. False: too many wait; nothing was taken.</summary>
    public async Task<bool> AskAsync(string name, HttpContext http, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var (id, blob, address) = (Guid.CreateVersion7(now), protector.Protect(Purpose, Encoding.UTF8.GetBytes(name.PadRight(NameKey.LongestEmail))), http.Address());
        await using var session = await database.ForApplianceAsync(ct);
        var taken = await session.ExecuteAsync(
            $"""
            insert into recovery_requests (id, sealed_name, requested_at, address)
            select {id}, {blob}, {now}, {address} where (select count(*) from recovery_requests) < {MostWaiting}
            """,
            ct);
        await session.CommitAsync(ct);
        Asked?.Invoke(this, EventArgs.Empty);
        return taken == 1;
    }

    /// <summary>Answers the oldest request, in one transaction. False: none waits.</summary>
    internal async Task<bool> AnswerNextAsync(CancellationToken ct)
    {
        await using var session = await database.ForApplianceAsync(ct);
        var taken = await session.SqlAsync<Waiting>(
            $"""
            delete from recovery_requests where id = (select id from recovery_requests order by id limit 1 for update skip locked)
            returning sealed_name as "SealedName", requested_at as "RequestedAt", address as "Address"
            """,
            ct);
        if (taken is not [var request])
        {
            return false;
        }
        var key = NameKey.Of(Encoding.UTF8.GetString(protector.Unprotect(Purpose, request.SealedName)));
        var now = clock.GetUtcNow();
        if (request.RequestedAt > now - Lifetime)
        {
            var people = await session.Query<User>().AsNoTracking()
                .Where(u => u.EmailConfirmedAt != null && (u.UsernameKey == key || u.EmailKey == key)).OrderBy(u => u.Id).Take(MostAccounts).ToListAsync(ct);
            foreach (var person in people)
            {
                await WriteAsync(session, person, request, now, ct);
            }
        }
        await session.CommitAsync(ct);
        return true;
    }

    private async Task WriteAsync(TeamSession session, User person, Waiting request, DateTimeOffset now, CancellationToken ct)
    {
        var since = now.AddHours(-1);
        if (await session.Query<MailLink>().CountAsync(l => l.UserId == person.Id && l.Purpose == MailLinks.NewPassword && l.CreatedAt > since, ct) >= MostInAnHour)
        {
            return;
        }
        session.RecordForAppliance(new LedgerEvent("password.recovery-requested", person.Id.ToString()), new Origin(null, request.Address));
        if (person.PasswordHash is null)
        {
            mails.ToPerson(session, person.Id, new MailContent(
                "password.none",
                "You have no password here",
                ["Somebody asked for a new password for your account. It has none: you sign in through your organisation.", "If this was not you, there is nothing to do."]));
            return;
        }
        var token = links.Make(session, person.Id, MailLinks.NewPassword, Lifetime);
        mails.ToPerson(session, person.Id, new MailContent(
            "password.recovery",
            "Choose a new password",
            [
                $"Somebody asked for a new password for your account, from {request.Address ?? "an unknown address"}.",
                "The link works once, for 20 minutes, and asks for your second factor. If you lost that too, use one of your recovery codes.",
                "If this was not you, there is nothing to do: without the link and your second factor nothing changes.",
            ],
            new Uri(settings.Origin, "/new-password/" + token),
            "Choose a new password")
        { Lifetime = Lifetime });
    }

    private sealed record Waiting(byte[] SealedName, DateTimeOffset RequestedAt, string? Address);
}
