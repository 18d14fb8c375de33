namespace Appliance.SignIn.Policy;

/// <summary>The proof that a key was touched.</summary>
/// <param name="CredentialId">Which key.</param>
/// <param name="UserVerified">It asked for PIN, fingerprint or face (UV).</param>
public sealed record KeyProof(byte[] CredentialId, bool UserVerified);

/// <summary>What opens a session, as it is kept with it.</summary>
internal sealed record SessionFactor(string? Name, KeyProof? Proof = null)
{
    public const string Password = "password";
    public const string RecoveryCode = "recovery-code";
    public const string Phone = "phone";
    public const string App = "app";
    public const string Key = "key";
    /// <summary>One that was remembered after a key or a code from an app, so a second factor, of which nothing more is known.</summary>
    public const string Device = "remembered-device";

    public const string Provider = "identity-provider";

    /// <summary>A key that was touched, or another factor.</summary>
    public static SessionFactor Of(KeyProof? proof, string otherwise) => proof is null ? new SessionFactor(otherwise) : new SessionFactor(Key, proof);
}
