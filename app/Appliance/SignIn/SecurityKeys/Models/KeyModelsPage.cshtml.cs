using Appliance.Accounts;
using Appliance.Accounts.People;
using Appliance.Web;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;

namespace Appliance.SignIn.SecurityKeys.Models;

/// <summary>The appliance's owner says which models of keys may be used, and sees what proves a model. A page that nobody else has.</summary>
[Authorize(Policy = Access.SteppedUp)]
public sealed class KeyModelsPage(AccountSession accounts, AllowedKeyModels allowed) : ApplianceOwnerPage
{
    public KeyModelsView View { get; private set; } = null!;

    /// <summary>Why nothing was changed.</summary>
    public string? Problem { get; private set; }

    /// <summary>What was typed, where it was not saved.</summary>
    public string? Others { get; private set; }

    /// <summary>Any key, as it is or as it was chosen and not saved.</summary>
    public bool Any { get; private set; }

    public async Task OnGetAsync(CancellationToken ct)
    {
        View = await allowed.ViewAsync(await accounts.OpenAsync(ct), ct);
        Any = !View.Models.Any(m => m.IsAllowed);
    }

    public async Task<IActionResult> OnPostAsync(string? choice, string[]? models, string? others, CancellationToken ct)
    {
        Problem = choice switch
        {
            "any" => await ReplaceAsync([], ct),
            "only" when Read([.. models ?? [], others ?? ""]) is { Count: > 0 } list => await ReplaceAsync(list, ct),
            "only" => "Choose at least one model; a model by hand is its AAGUID, as in d8522d9f-575b-4866-88a9-ba99fa02f35b.",
            _ => "Choose whether any key may be used, or only some models.",
        };
        if (Problem is null)
        {
            return Redirect("/people/key-models");
        }
        await OnGetAsync(ct);
        (Any, Others) = (choice != "only", others);
        View = View with { Models = [.. View.Models.Select(m => m with { IsAllowed = (models ?? []).Contains(m.Value, StringComparer.Ordinal) })] };
        return Page();
    }

    private async Task<string?> ReplaceAsync(IReadOnlyCollection<Guid> list, CancellationToken ct)
    {
        var problem = await allowed.ReplaceAsync(await accounts.OpenAsync(ct), User.Id(), list, HttpContext, ct);
        if (problem is null)
        {
            await accounts.CommitAsync(ct);
        }
        else
        {
            await accounts.DisposeAsync();
        }
        return problem;
    }

    /// <summary>Empty where one of them is none.</summary>
    private static List<Guid> Read(string[] texts)
    {
        var parts = texts.SelectMany(t => t.Split([',', ' ', '\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries));
        var ids = parts.Select(p => Guid.TryParseExact(p, "D", out var id) ? id : Guid.Empty).ToList();
        return ids.Contains(Guid.Empty) ? [] : ids;
    }
}
