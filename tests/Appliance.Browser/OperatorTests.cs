using Appliance.Tests.Admin;
using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace Appliance.Browser;

/// <summary>The operators' pages in a browser that holds an operator's certificate: wide in light and dark, on a phone in the dark.</summary>
[Collection("browser")]
[Trait("Requirement", "O10")]
public sealed class OperatorTests(Chromium chromium, FailingOperatorHost host) : IClassFixture<FailingOperatorHost>, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("operator-browser-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task An_operator_sees_how_it_does_finds_an_error_by_its_reference_and_closes_it(int width, ColorScheme theme)
    {
        var shape = $"{width}-{theme}".ToLowerInvariant();
        using var client = host.Client();
        var reference = System.Text.Json.JsonDocument.Parse(await (await client.GetAsync("/probe/throw")).Content.ReadAsStringAsync()).RootElement.GetProperty("reference").GetString()!;
        await Task.Delay(2500); // it is written once a second

        await using var ada = await PersonAsync(width, theme);
        var page = ada.Page;
        await page.GotoAsync("/admin");
        await Expect(page.GetByRole(AriaRole.Status).First).ToContainTextAsync("Ready");
        await ada.ScreenshotAsync($"operator-status-{shape}");
        await ada.ShouldBeAccessibleAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = "Errors" }).ClickAsync();
        await page.GetByLabel("Reference").FillAsync(reference);
        await page.ChooseAsync("Find");
        await Expect(page.GetByText("InvalidOperationException in GET /probe/throw")).ToBeVisibleAsync();
        await Expect(page.GetByText(reference)).ToBeVisibleAsync();
        await ada.ScreenshotAsync($"operator-errors-{shape}");
        await ada.ShouldBeAccessibleAsync();
        await page.ChooseAsync("Close InvalidOperationException in GET /probe/throw");
        await Expect(page.GetByText("No open errors.")).ToBeVisibleAsync();
        await ada.ScreenshotAsync($"operator-no-errors-{shape}");
        await ada.ShouldBeAccessibleAsync();
    }

    private async Task<Person> PersonAsync(int width, ColorScheme theme)
    {
        var (certificate, key) = (Path.Combine(_folder, "ada.pem"), Path.Combine(_folder, "ada.key"));
        await File.WriteAllTextAsync(certificate, host.Ada.Certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(key, host.Ada.Key.ExportPkcs8PrivateKeyPem());
        var context = await chromium.Browser.NewContextAsync(new()
        {
            BaseURL = host.AdminOrigin.ToString(),
            ViewportSize = new() { Width = width, Height = 800 },
            ColorScheme = theme,
            ReducedMotion = ReducedMotion.Reduce,
            Locale = "en-GB",
            // Playwright shows the certificate from a proxy of its own, which does not know the appliance's authority.
            IgnoreHTTPSErrors = true,
            ClientCertificates = [new() { Origin = host.AdminOrigin.GetLeftPart(UriPartial.Authority), CertPath = certificate, KeyPath = key }],
        });
        context.SetDefaultTimeout(20_000);
        return new Person(context, await context.NewPageAsync());
    }
}
