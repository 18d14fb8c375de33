using System.Collections;
using Appliance.Accounts;
using Appliance.Data;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys.Models;
using Appliance.Tests.TestServers;
using Appliance.Web;
using Microsoft.AspNetCore.Http;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>The ceremonies where an operator trusts one root and the metadata of two models.</summary>
public sealed class KeyModelHost : SecurityKeyHost
{
    private readonly string _folder = Directory.CreateTempSubdirectory("appliance-models-").FullName;

    public static Guid Blue { get; } = Guid.NewGuid();

    public static Guid Red { get; } = Guid.NewGuid();

    public MetadataMaker Service { get; } = new();

    public MakerAuthority Root { get; } = MakerAuthority.Root("Keys Root");

    protected override KeyModelSettings Models
    {
        get
        {
            File.WriteAllText(Path.Combine(_folder, "root.pem"), Service.RootPem);
            File.WriteAllBytes(Path.Combine(_folder, "blob.jwt"), Blob(100));
            return new KeyModelSettings { Metadata = Path.Combine(_folder, "blob.jwt"), MetadataRoot = Path.Combine(_folder, "root.pem") };
        }
    }

    public byte[] Blob(int number, string report = "FIDO_CERTIFIED_L1") => Service.Blob(
        [MetadataMaker.Reported(MetadataMaker.Entry(Blue, "Blue key", Root.Certificate), report), MetadataMaker.Entry(Red, "Red key", Root.Certificate)], number);

    public SoftwareAuthenticator Key(Guid model) => Authenticator() with { Format = "packed", Maker = AttestationMaker.Make(aaguid: model, issuer: Root), Aaguid = model };

    /// <summary>As an owner does it.</summary>
    public async Task<string?> AllowAsync(User author, params Guid[] models)
    {
        await using var session = await Database.ForApplianceAsync(default);
        return await DoneAsync(session, await Allowed.ReplaceAsync(session, author.Id, models, new DefaultHttpContext(), default));
    }

    public async Task<string?> UploadAsync(User author, byte[] blob)
    {
        await using var session = await Database.ForApplianceAsync(default);
        return await DoneAsync(session, await Store.UploadAsync(session, author.Id, blob, new DefaultHttpContext(), default));
    }

    public async Task<long?> NumberAsync()
    {
        await using var session = await Database.ForApplianceAsync(default);
        return (await Store.CurrentAsync(session, default)).Metadata?.Number;
    }

    /// <summary>No list, and nothing uploaded.</summary>
    public Task ForgetAsync() => SqlAsync("delete from key_models; delete from fido_metadata");

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<string?> DoneAsync(TeamSession session, string? problem)
    {
        if (problem is null)
        {
            await session.CommitAsync(default);
        }
        return problem;
    }
}

/// <summary>A list of allowed models, at enrolment and at sign-in; and metadata that is uploaded.</summary>
[Trait("Requirement", "A3")]
public sealed class AllowedModelTests(KeyModelHost host) : IClassFixture<KeyModelHost>, IAsyncLifetime
{
    public Task InitializeAsync() => host.ForgetAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Without_a_list_any_key_is_added_and_signs_in()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        (await browser.AssertAsync(person, key)).ShouldBe(new KeyResult(true));
    }

    [Fact]
    public async Task With_a_list_a_key_of_a_listed_model_is_added_and_signs_in_and_no_other()
    {
        var (owner, _, _) = await host.EnrolledAsync(host.Key(KeyModelHost.Blue));
        (await host.AllowAsync(owner, KeyModelHost.Blue)).ShouldBeNull();

        var (person, browser, key) = await host.EnrolledAsync(host.Key(KeyModelHost.Blue));
        (await browser.AssertAsync(person, key)).ShouldBe(new KeyResult(true));

        await RefusedAsync(host.Key(KeyModelHost.Red));
        await RefusedAsync(SecurityKeyHost.Authenticator());
        await RefusedAsync(SecurityKeyHost.Authenticator() with { Aaguid = KeyModelHost.Blue });
        await RefusedAsync(SecurityKeyHost.Authenticator() with { Format = "packed", Aaguid = KeyModelHost.Blue }, "self attestation that claims a listed model");
        await RefusedAsync(SecurityKeyHost.Authenticator() with
        {
            Format = "packed", Maker = AttestationMaker.Make(aaguid: KeyModelHost.Blue, issuer: MakerAuthority.Root("Keys Root")), Aaguid = KeyModelHost.Blue,
        }, "under a root of the same name");
    }

    [Fact]
    public async Task A_key_from_before_the_list_signs_in_no_more_unless_it_proves_a_listed_model()
    {
        var (owner, ownersBrowser, ownersKey) = await host.EnrolledAsync(host.Key(KeyModelHost.Blue));
        var selfAttested = await host.EnrolledAsync(SecurityKeyHost.Authenticator() with { Format = "packed", Aaguid = KeyModelHost.Blue });
        var other = await host.EnrolledAsync(host.Key(KeyModelHost.Red));
        (await selfAttested.Browser.AssertAsync(selfAttested.Person, selfAttested.Key)).Succeeded.ShouldBeTrue();

        (await host.AllowAsync(owner, KeyModelHost.Blue)).ShouldBeNull();
        foreach (var (person, browser, key) in new[] { selfAttested, other })
        {
            var refused = await browser.AssertAsync(person, key with { Counter = 9 });
            refused.Reason.ShouldNotBeNull().ShouldContain("not proven to be of a model that is allowed");
            (await host.SqlAsync($"select details from ledger_entries where action = 'security-key.refused' and subject = '{person.Id}'"))
                .ShouldBeOfType<string>().ShouldContain("assertion");
        }
        (await ownersBrowser.AssertAsync(owner, ownersKey)).ShouldBe(new KeyResult(true));

        (await host.AllowAsync(owner)).ShouldBeNull();
        (await other.Browser.AssertAsync(other.Person, other.Key with { Counter = 10 })).ShouldBe(new KeyResult(true));
    }

    [Fact]
    public async Task A_proof_that_was_moved_to_another_credential_proves_nothing()
    {
        var (owner, _, _) = await host.EnrolledAsync(host.Key(KeyModelHost.Blue));
        var (person, browser, key) = await host.EnrolledAsync(SecurityKeyHost.Authenticator() with { Aaguid = KeyModelHost.Blue });
        await host.SqlAsync($"""
            update security_keys k set attestation_object = o.attestation_object, client_data_json = o.client_data_json, attestation_format = o.attestation_format
              from security_keys o where k.user_id = '{person.Id}' and o.user_id = '{owner.Id}'
            """);
        (await host.AllowAsync(owner, KeyModelHost.Blue)).ShouldBeNull();
        (await browser.AssertAsync(person, key)).Succeeded.ShouldBeFalse();
    }

    [Fact]
    public async Task A_list_that_would_lock_its_author_out_is_refused_and_changes_nothing()
    {
        var (owner, _, _) = await host.EnrolledAsync(host.Key(KeyModelHost.Blue));
        (await host.AllowAsync(owner, KeyModelHost.Red)).ShouldNotBeNull().ShouldContain("lock you out");
        (await host.AllowAsync(await host.PersonAsync(), KeyModelHost.Red)).ShouldNotBeNull().ShouldContain("lock you out");
        (await host.AllowAsync(owner, KeyModelHost.Blue, Guid.Empty)).ShouldNotBeNull();
        (await host.SqlAsync("select count(*) from key_models")).ShouldBe(0L);

        (await host.AllowAsync(owner, KeyModelHost.Red, KeyModelHost.Blue)).ShouldBeNull();
        (await host.SqlAsync($"select details from ledger_entries where action = 'key-models.changed' and subject = '{owner.Id}'"))
            .ShouldBeOfType<string>().ShouldContain(KeyModelHost.Red.ToString());
    }

    [Fact]
    public async Task The_last_key_of_an_allowed_model_stays_and_the_others_go()
    {
        var (owner, browser, _) = await host.EnrolledAsync(host.Key(KeyModelHost.Blue));
        (await browser.RegisterAsync(owner, host.Key(KeyModelHost.Red))).Succeeded.ShouldBeTrue();
        (await host.AllowAsync(owner, KeyModelHost.Blue)).ShouldBeNull();
        var keys = await host.Keys.ListAsync(owner.Id, default);
        (await host.RemoveKeyAsync(owner.Id, keys[0].Reference, new DefaultHttpContext(), default)).ShouldBe(Appliance.SignIn.SecurityKeys.KeyChange.LastFactor);
        (await host.RemoveKeyAsync(owner.Id, keys[1].Reference, new DefaultHttpContext(), default)).ShouldBe(Appliance.SignIn.SecurityKeys.KeyChange.Done);
    }

    [Fact]
    public async Task Newer_metadata_counts_at_once_and_older_or_forged_is_refused()
    {
        var (owner, browser, key) = await host.EnrolledAsync(host.Key(KeyModelHost.Blue));
        (await host.AllowAsync(owner, KeyModelHost.Blue)).ShouldBeNull();
        (await host.NumberAsync()).ShouldBe(100);

        (await host.UploadAsync(owner, host.Blob(99, "REVOKED"))).ShouldBe("It is not newer than what is here already.");
        (await host.UploadAsync(owner, host.Blob(100))).ShouldBe("It is not newer than what is here already.");
        (await host.UploadAsync(owner, new MetadataMaker().Blob([], 200))).ShouldNotBeNull().ShouldContain("not signed by");
        (await host.UploadAsync(owner, [.. "garbage"u8])).ShouldNotBeNull();
        (await host.NumberAsync()).ShouldBe(100);

        (await host.UploadAsync(owner, host.Blob(101))).ShouldBeNull();
        (await host.UploadAsync(owner, host.Blob(101))).ShouldBe("It is not newer than what is here already.");
        (await host.UploadAsync(owner, host.Blob(100))).ShouldBe("It is not newer than what is here already.");
        (await browser.AssertAsync(owner, key)).Succeeded.ShouldBeTrue();

        (await host.UploadAsync(owner, host.Blob(102, "REVOKED"))).ShouldBeNull();
        (await browser.AssertAsync(owner, key with { Counter = 8 })).Succeeded.ShouldBeFalse("its model was revoked");
        await RefusedAsync(host.Key(KeyModelHost.Blue), "its model was revoked");
        (await host.SqlAsync($"select count(*) from ledger_entries where action = 'key-models.metadata-uploaded' and subject = '{owner.Id}'")).ShouldBe(2L);
    }

    [Fact]
    public async Task Metadata_that_was_altered_in_the_database_is_not_used()
    {
        var (owner, _, _) = await host.EnrolledAsync(host.Key(KeyModelHost.Blue));
        (await host.UploadAsync(owner, host.Blob(101, "REVOKED"))).ShouldBeNull();
        (await host.NumberAsync()).ShouldBe(101);
        await host.SqlAsync("update fido_metadata set number = 900, blob = set_byte(blob, 400, get_byte(blob, 400) # 1)");
        (await host.NumberAsync()).ShouldBe(100);
    }

    [Fact]
    public void Whom_the_operator_trusts_is_looked_at_when_it_starts_and_files_are_named_that_cannot_be_used()
    {
        var folder = Directory.CreateTempSubdirectory("appliance-models-").FullName;
        try
        {
            var service = new MetadataMaker();
            var (root, blob, garbage, roots) = (Write("root.pem", service.RootPem), Write("blob.jwt", ""), Write("garbage.pem", "garbage"), Path.Combine(folder, "roots"));
            File.WriteAllBytes(blob, service.Blob([]));
            Directory.CreateDirectory(roots);
            Said("APPLIANCE_ATTESTATION_ROOTS", garbage).ShouldContain(garbage);
            Said("APPLIANCE_ATTESTATION_ROOTS", roots).ShouldContain(roots);
            Said("APPLIANCE_ATTESTATION_ROOTS", "/nonexistent").ShouldContain("/nonexistent");
            Said("APPLIANCE_FIDO_METADATA", blob).ShouldContain("APPLIANCE_FIDO_METADATA_ROOT");
            Said("APPLIANCE_FIDO_METADATA", garbage, ("APPLIANCE_FIDO_METADATA_ROOT", root)).ShouldContain(garbage);
            Said("APPLIANCE_FIDO_METADATA", blob, ("APPLIANCE_FIDO_METADATA_ROOT", Write("other.pem", MakerAuthority.Root("Metadata Root").Pem))).ShouldContain("not signed by");
            Said("APPLIANCE_FIDO_METADATA", blob, ("APPLIANCE_FIDO_METADATA_ROOT", root), ("APPLIANCE_FIDO_METADATA_SIGNER", "example.org")).ShouldContain("example.org");

            File.WriteAllText(Path.Combine(roots, $"{KeyModelHost.Blue}.pem"), host.Root.Pem + service.RootPem);
            File.WriteAllText(Path.Combine(roots, "others.crt"), service.RootPem);
            var settings = SettingsReader.Read(new Hashtable
            {
                ["APPLIANCE_ATTESTATION_ROOTS"] = roots, ["APPLIANCE_FIDO_METADATA"] = blob, ["APPLIANCE_FIDO_METADATA_ROOT"] = root,
            });
            settings.KeyModels.LoadRoots().Select(r => (r.Subject, r.Model)).ShouldBe(
                [("CN=Keys Root", KeyModelHost.Blue), ("CN=Metadata Root", KeyModelHost.Blue), ("CN=Metadata Root", null)], ignoreOrder: true);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        string Write(string name, string text)
        {
            File.WriteAllText(Path.Combine(folder, name), text);
            return Path.Combine(folder, name);
        }

        static string Said(string name, string value, params (string Name, string Value)[] more)
        {
            var environment = new Hashtable { [name] = value };
            foreach (var (other, text) in more)
            {
                environment[other] = text;
            }
            var message = Should.Throw<SettingsException>(() => SettingsReader.Read(environment)).Message;
            message.ShouldContain(name);
            return message;
        }
    }

    private async Task RefusedAsync(SoftwareAuthenticator key, string? why = null)
    {
        var person = await host.PersonAsync();
        var refused = await host.Browser().RegisterAsync(person, key);
        refused.Succeeded.ShouldBeFalse(why);
        refused.Reason.ShouldNotBeNull().ShouldContain("only certain models are allowed");
        refused.Reason.ShouldEndWith("Allowed: Blue key.");
        (await host.Keys.ListAsync(person.Id, default)).ShouldBeEmpty(why);
    }
}
