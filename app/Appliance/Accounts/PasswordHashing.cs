using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Identity;

namespace Appliance.Accounts;

/// <summary>Identity's hasher over <see cref="Argon2"/>. Callers go through <see cref="PasswordGate"/>, which bounds the memory.</summary>
internal sealed class PasswordHasher(Argon2.Cost cost) : IPasswordHasher<User>
{
    /// <summary>Longer passwords, in bytes of UTF-8, are refused before anything is computed from them.</summary>
    public const int LongestBytes = 1024;

    /// <summary>A hash of nobody's password, to spend the same work on names that nobody has.</summary>
    private readonly Lazy<string> _nobody = new(() => Argon2.Hash(RandomNumberGenerator.GetBytes(32), cost));

    public PasswordHasher()
        : this(Argon2.Cost.Default)
    {
    }

    /// <summary>Whether the password may be hashed at all. Needs no time that depends on its content.</summary>
    public static bool IsBounded(string? password) =>
        password is { Length: > 0 and <= LongestBytes } && Encoding.UTF8.GetByteCount(password) <= LongestBytes;

    public string HashPassword(User user, string password)
    {
        var bytes = Bytes(password);
        try
        {
            return Argon2.Hash(bytes, cost);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    public PasswordVerificationResult VerifyHashedPassword(User user, string hashedPassword, string providedPassword)
    {
        var bytes = Bytes(providedPassword);
        try
        {
            var (matches, made) = Argon2.Verify(bytes, hashedPassword);
            return !matches ? PasswordVerificationResult.Failed
                : made!.Value.IsWeakerThan(cost) ? PasswordVerificationResult.SuccessRehashNeeded
                : PasswordVerificationResult.Success;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    /// <summary>The work of a check whose answer is no.</summary>
    public void VerifyNobody(string providedPassword)
    {
        var bytes = Bytes(providedPassword);
        Argon2.Verify(bytes, _nobody.Value);
        CryptographicOperations.ZeroMemory(bytes);
    }

    /// <summary>NFKC before hashing (NIST SP 800-63B §5.1.1.2), so that every keyboard's way of composing a character opens the account.</summary>
    private static byte[] Bytes(string password)
    {
        if (!IsBounded(password))
        {
            throw new ArgumentException("The password is longer than what is hashed.", nameof(password));
        }
        return Encoding.UTF8.GetBytes(NormalForm.Compatible(password));
    }
}

/// <summary>
/// Lets a few passwords be hashed at a time, each of which takes 46 MiB and a core, and a bounded number wait: a flood of sign-ins
/// costs its senders their turn, not everybody the memory.
/// </summary>
internal sealed class PasswordGate : IDisposable
{
    private const int MostWaiting = 100;

    private readonly SemaphoreSlim _places = new(Math.Max(2, Environment.ProcessorCount));
    private int _waiting;

    /// <exception cref="TooBusyException">Too many wait already.</exception>
    public async Task<T> RunAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _waiting) > MostWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            throw new TooBusyException();
        }
        try
        {
            await _places.WaitAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
        try
        {
            return await work();
        }
        finally
        {
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();
}

/// <summary>More people sign in at this moment than this machine can check. Trying again in a moment is safe.</summary>
public sealed class TooBusyException() : Exception("Too many passwords wait to be checked.");
