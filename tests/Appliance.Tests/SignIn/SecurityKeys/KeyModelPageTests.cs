using System.Net;
using System.Net.Http.Headers;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.Tests.SignIn.RememberedDevices;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>The whole service, whose operator trusts a metadata service and one root beside it.</summary>
public sealed class KeyModelSiteHost : SignInHost
{
    protected override SignInSettings SignInSettings => new() { RememberDevice = TimeSpan.FromDays(30) };

    public static Guid Blue { get; } = Guid.NewGuid();

    public MetadataMaker Service { get; } = new();

    public MakerAuthority Root { get; } = MakerAuthority.Root("Keys Root");

    public byte[] Blob(int number) => Service.Blob([MetadataMaker.Entry(Blue, "Blue <key>", Root.Certificate), MetadataMaker.Entry(Guid.NewGuid(), "Red key", Root.Certificate)], number);

    /// <summary>A browser whose person holds a key of the blue model.</summary>
    public Visitor BlueVisitor()
    {
        var visitor = Visitor();
        visitor.Key = visitor.Key with { Format = "packed", Maker = AttestationMaker.Make(aaguid: Blue, issuer: Root), Aaguid = Blue };
        return visitor;
    }

    public async Task<Visitor> OwnerAsync(string username)
    {
        var owner = BlueVisitor();
        await owner.SetUpAsync(await LinkAsync(), username, SignIn.Visitor.Password);
        await Cluster.SuperuserAsync(Settings.DatabaseName, $"update users set owner = true where username = '{username}'");
        return owner;
    }

    protected override Settings Change(Settings settings)
    {
        var folder = Path.GetDirectoryName(settings.DataFolder)!;
        File.WriteAllText(Path.Combine(folder, "root.pem"), Service.RootPem);
        File.WriteAllText(Path.Combine(folder, "makers.pem"), MakerAuthority.Root("Other Maker").Pem);
        return base.Change(settings) with
        {
            KeyModels = new KeyModelSettings { Roots = Path.Combine(folder, "makers.pem"), MetadataRoot = Path.Combine(folder, "root.pem") },
        };
    }
}

/// <summary>The owner's page of models, and what people meet whose key is of none of them.</summary>
[Trait("Requirement", "A3")]
public sealed class KeyModelPageTests(KeyModelSiteHost host) : IClassFixture<KeyModelSiteHost>
{
    private const string Page = "/people/key-models";

    [Fact]
    public async Task It_is_there_for_the_appliances_owner_alone_and_takes_a_factor_again()
    {
        using var owner = await host.OwnerAsync("models.owner");
        using var person = await host.PersonAsync("models.person");
        (await person.GetAsync(Page)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        var html = await person.HtmlAsync("/account/sessions");
        (await person.PostAsync(html, Page, ("Choice", "any"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await UploadAsync(person, html, host.Blob(500))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await host.LedgerAsync("key-models.metadata-uploaded")).ShouldNotContain(e => e.Details.Contains("\"500\"", StringComparison.Ordinal));

        (await owner.HtmlAsync("/people")).ShouldContain(Page);
        (await owner.GetAsync(Page)).StatusCode.ShouldBe(HttpStatusCode.OK);
        host.Clock.Move(TimeSpan.FromMinutes(6));
        (await owner.GetAsync(Page)).Headers.Location!.ToString().ShouldStartWith("/step-up");
    }

    [Fact]
    public async Task Metadata_is_uploaded_a_model_is_allowed_and_whoever_has_another_key_gets_in_by_a_code_and_adds_one()
    {
        using var owner = await host.OwnerAsync("models.author");
        using var person = await host.PersonAsync("models.other");
        await person.SignOutAsync();
        await person.RememberAsync();
        await person.SignOutAsync();
        (await person.PasswordAloneAsync()).ShouldBe("/", "the device is remembered");
        await person.SignOutAsync();
        var html = await owner.HtmlAsync(Page);
        html.ShouldContain("CN=Other Maker");
        foreach (var (wrong, said) in new[] { ((byte[])[.. "garbage"u8], "signed BLOB"), (new MetadataMaker().Blob([], 1000), "not signed by"), (host.Service.Blob([], header: h => h["alg"] = "none"), "signature") })
        {
            var refused = await UploadAsync(owner, html, wrong);
            refused.StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
            (await refused.Content.ReadAsStringAsync()).ShouldContain(said);
        }
        (await UploadAsync(owner, html, host.Blob(7))).Headers.Location!.ToString().ShouldBe(Page);
        (await (await UploadAsync(owner, html, host.Blob(6))).Content.ReadAsStringAsync()).ShouldContain("not newer");

        html = await owner.HtmlAsync(Page);
        html.ShouldContain("number 7");
        html.ShouldContain("Blue &lt;key&gt;");
        await SaidAsync(owner, html, "lock you out", ("Choice", "only"), ("Others", Guid.NewGuid().ToString()));
        await SaidAsync(owner, html, "Choose at least one model", ("Choice", "only"));
        await SaidAsync(owner, html, "Choose at least one model", ("Choice", "only"), ("Others", "nonsense"), ("Models", KeyModelSiteHost.Blue.ToString()));
        await SaidAsync(owner, html, "Choose whether", ("Choice", "both"));
        (await owner.PostAsync(html, Page, ("Choice", "only"), ("Models", KeyModelSiteHost.Blue.ToString()))).Headers.Location!.ToString().ShouldBe(Page);

        (await person.PasswordAloneAsync()).ShouldBe("/sign-in/key", "a device stood in for a key that is not allowed any more");
        (await (await person.TouchAsync("/sign-in/key")).Content.ReadAsStringAsync()).ShouldContain("not proven to be of a model that is allowed");
        (await person.IsSignedInAsync()).ShouldBeFalse();
        (await person.SendAsync("/sign-in/recovery", null, ("Code", person.Codes[0]))).Headers.Location!.ToString().ShouldBe("/");
        (await person.HtmlAsync("/account/security")).ShouldContain("Not allowed here");
        var add = await person.HtmlAsync("/account/security/keys/add");
        var same = await person.PostAsync(add, "/account/security/keys/add", ("Credential", new SoftwareAuthenticator { Origin = person.Key.Origin }.Register(Visitor.Options(add))), ("Name", "Same"));
        (await same.Content.ReadAsStringAsync()).ShouldContain("only certain models are allowed here");
        using var blue = host.BlueVisitor();
        add = await person.HtmlAsync("/account/security/keys/add");
        (await person.PostAsync(add, "/account/security/keys/add", ("Credential", blue.Key.Register(Visitor.Options(add))), ("Name", "Blue")))
            .Headers.Location!.ToString().ShouldBe("/account/security");
        await person.SignOutAsync();
        person.Key = blue.Key;
        (await person.SignInAsync()).Headers.Location!.ToString().ShouldBe("/");

        (await owner.SignInAsync()).Headers.Location!.ToString().ShouldBe("/");
        (await owner.PostAsync(await owner.HtmlAsync(Page), Page, ("Choice", "any"))).Headers.Location!.ToString().ShouldBe(Page);
        (await host.LedgerAsync("key-models.changed")).ShouldContain(e => e.Details.Contains("\"any\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_upload_that_is_too_large_is_refused()
    {
        using var owner = await host.OwnerAsync("models.large");
        var html = await owner.HtmlAsync(Page);
        (await UploadAsync(owner, html, new byte[MetadataBlob.MaxBytes + 1])).StatusCode.ShouldBeOneOf(HttpStatusCode.UnprocessableEntity, HttpStatusCode.BadRequest, HttpStatusCode.RequestEntityTooLarge);
        (await UploadAsync(owner, html, [])).StatusCode.ShouldBe(HttpStatusCode.UnprocessableEntity);
    }

    private static async Task SaidAsync(Visitor owner, string html, string sentence, params (string Name, string Value)[] fields)
    {
        using var answer = await owner.PostAsync(html, Page, fields);
        (await answer.Content.ReadAsStringAsync()).ShouldContain(sentence);
    }

    private static async Task<HttpResponseMessage> UploadAsync(Visitor visitor, string html, byte[] blob)
    {
        const string Before = "<meta name=\"csrf\" content=\"";
        var start = html.IndexOf(Before, StringComparison.Ordinal) + Before.Length;
        using var form = new MultipartFormDataContent { { new ByteArrayContent(blob) { Headers = { ContentType = new MediaTypeHeaderValue("application/octet-stream") } }, "File", "blob.jwt" } };
        using var request = new HttpRequestMessage(HttpMethod.Post, Page + "/metadata") { Content = form };
        request.Headers.Add("RequestVerificationToken", html[start..html.IndexOf('"', start)]);
        request.Headers.Accept.ParseAdd("text/html");
        return await visitor.Client.SendAsync(request);
    }
}
