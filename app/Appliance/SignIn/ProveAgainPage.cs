using Appliance.SignIn.SecurityKeys;
using Appliance.SignIn.Totp;

namespace Appliance.SignIn;

/// <summary>What a person who is signed in proves again with.</summary>
public enum Proof
{
    Key,
    App,
    Password,
}

/// <summary>A page that asks a signed-in person for a factor again: the key first, where there is one.</summary>
public abstract class ProveAgainPage(ISecurityKeyCeremonies keys, SignInPeople people) : SignInPageModel
{
    private Proof? _failed;

    /// <summary>Null: the person has no key.</summary>
    public KeyPrompt? Prompt { get; private set; }

    /// <summary>Null: the person has no app.</summary>
    public AppPrompt? App { get; private set; }

    /// <summary>The password's form is unfolded: there is nothing else, or it was wrong.</summary>
    public bool PasswordFirst => (Prompt is null && App is null) || _failed == Proof.Password;

    /// <summary>Why the password failed.</summary>
    public string? PasswordProblem => _failed == Proof.Password ? Problem : null;

    protected void Failed(Proof proof, SignInResult result)
    {
        _failed = proof;
        Again(result);
    }

    protected async Task AskAsync(string keyButton, string? keyAction, string appButton, bool starts, CancellationToken ct, bool verify = false)
    {
        var (user, factors) = await people.SignedInAsync(HttpContext, ct);
        Prompt = !factors.Key ? null : new KeyPrompt
        {
            Ceremony = await keys.BeginAssertionAsync(user, HttpContext, ct, verify),
            Button = keyButton,
            Starts = starts && _failed is null,
            Error = _failed == Proof.Key ? Problem : null,
            Action = keyAction,
            Fields = ReturnField,
        };
        App = !factors.App ? null : new AppPrompt
        {
            Button = appButton,
            Problem = _failed == Proof.App ? Problem : null,
            Action = "?handler=App",
            Fields = ReturnField,
        };
    }
}
