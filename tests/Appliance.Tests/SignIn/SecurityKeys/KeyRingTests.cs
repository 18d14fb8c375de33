using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Accounts;
using Appliance.SignIn;
using Appliance.SignIn.SecurityKeys;
using Appliance.Tests.TestServers;
using Microsoft.AspNetCore.Http;
using Npgsql;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.SecurityKeys;

/// <summary>Counters, names, the last key, and what the ledger hears.</summary>
[Trait("Requirement", "A3")]
public sealed class KeyRingTests(SecurityKeyHost host) : IClassFixture<SecurityKeyHost>
{
    private static readonly DefaultHttpContext Http = new();

    [Theory]
    [InlineData(5u, 5u)]
    [InlineData(5u, 4u)]
    [InlineData(5u, 0u)]
    [InlineData(uint.MaxValue, 0u)]
    [InlineData(uint.MaxValue, uint.MaxValue)]
    public async Task A_key_that_counts_backwards_or_stands_still_is_refused_and_the_incident_stays(uint stored, uint answered)
    {
        var (person, browser, key) = await host.EnrolledAsync(SecurityKeyHost.Authenticator() with { Counter = stored });

        var refused = await browser.AssertAsync(person, key with { Counter = answered });

        refused.Succeeded.ShouldBeFalse();
        refused.Reason.ShouldNotBeNull().ShouldContain("counted backwards");
        var mine = (await host.Keys.ListAsync(person.Id, default)).ShouldHaveSingleItem();
        mine.CounterRegressedAt.ShouldNotBeNull();
        mine.SignCount.ShouldBe(stored);
        mine.LastUsedAt.ShouldBeNull();
        (await host.Notices.OpenAsync(person.Id, default)).ShouldHaveSingleItem().Kind.ShouldBe(Notice.SecurityKeyMayBeCopied);
        var incident = JsonNode.Parse(await DetailsAsync("security-key.counter-regressed", mine.Reference))!;
        incident["user"]!.GetValue<string>().ShouldBe(person.Id.ToString());
        incident["expected-above"]!.GetValue<string>().ShouldBe(stored.ToString(CultureInfo.InvariantCulture));
        incident["count"]!.GetValue<string>().ShouldBe(answered.ToString(CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task A_counter_that_is_only_claimed_raises_no_incident()
    {
        var (person, browser, key) = await host.EnrolledAsync(SecurityKeyHost.Authenticator() with { Counter = 5 });
        (await browser.AssertAsync(person, key with { Counter = 1, ChangeSignature = AttestationTests.Flip })).Succeeded.ShouldBeFalse();
        (await host.Keys.ListAsync(person.Id, default)).ShouldHaveSingleItem().CounterRegressedAt.ShouldBeNull();
    }

    [Fact]
    public async Task A_counter_goes_up_with_each_use_as_far_as_it_goes()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        foreach (var count in new[] { 2u, 3u, 1000u, uint.MaxValue })
        {
            (await browser.AssertAsync(person, key with { Counter = count })).ShouldBe(new KeyResult(true));
            (await host.Keys.ListAsync(person.Id, default)).ShouldHaveSingleItem().SignCount.ShouldBe(count);
        }
    }

    [Fact]
    public async Task A_key_that_does_not_count_signs_in_again_and_again()
    {
        var (person, browser, key) = await host.EnrolledAsync(SecurityKeyHost.Authenticator() with { Counter = 0 });
        (await browser.AssertAsync(person, key)).Succeeded.ShouldBeTrue();
        (await browser.AssertAsync(person, key)).Succeeded.ShouldBeTrue();
        (await browser.AssertAsync(person, key with { Counter = 3 })).Succeeded.ShouldBeTrue("it begins to count");
        (await browser.AssertAsync(person, key)).Succeeded.ShouldBeFalse("and stops");
    }

    [Fact]
    public async Task A_key_and_its_copy_that_answer_at_once_do_not_both_pass()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        await browser.BeginAsync(person, "assertion"); // the cookie, before many at once
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => browser.AssertAsync(person, key)));
        answers.Count(a => a.Succeeded).ShouldBe(1);
        (await host.Keys.ListAsync(person.Id, default)).ShouldHaveSingleItem().CounterRegressedAt.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_backup_eligible_key_stays_so_and_its_backup_state_is_kept()
    {
        var synced = (byte)(SoftwareAuthenticator.UserPresent | SoftwareAuthenticator.BackupEligible);
        var (person, browser, key) = await host.EnrolledAsync(SecurityKeyHost.Authenticator() with { Flags = synced });
        (await browser.AssertAsync(person, key with { Flags = SoftwareAuthenticator.UserPresent })).Succeeded.ShouldBeFalse("§7.2 step 19");
        (await browser.AssertAsync(person, key with { Flags = (byte)(synced | SoftwareAuthenticator.BackedUp) })).Succeeded.ShouldBeTrue();
        (await host.Keys.ListAsync(person.Id, default)).ShouldHaveSingleItem().IsBackedUp.ShouldBeTrue();
    }

    [Fact]
    public async Task What_a_key_is_asked_comes_from_the_settings_and_names_the_keys_of_the_person_alone()
    {
        var (person, browser, key) = await host.EnrolledAsync();
        var create = JsonNode.Parse((await browser.BeginAsync(person, "registration")).OptionsJson)!;
        create["rp"]!["id"]!.GetValue<string>().ShouldBe("appliance.example");
        create["attestation"]!.GetValue<string>().ShouldBe("direct");
        create["authenticatorSelection"]!["userVerification"]!.GetValue<string>().ShouldBe("discouraged");
        create["authenticatorSelection"]!["residentKey"]!.GetValue<string>().ShouldBe("discouraged");
        create["pubKeyCredParams"]!.AsArray().Select(p => p!["alg"]!.GetValue<int>()).ShouldBe([-7, -257], ignoreOrder: true);
        create["excludeCredentials"]!.AsArray().ShouldHaveSingleItem()!["id"]!.GetValue<string>().ShouldBe(SoftwareAuthenticator.Text(key.CredentialId));
        System.Buffers.Text.Base64Url.DecodeFromChars(create["challenge"]!.GetValue<string>()).Length.ShouldBe(32);

        var get = JsonNode.Parse((await browser.BeginAsync(person, "assertion")).OptionsJson)!;
        get["rpId"]!.GetValue<string>().ShouldBe("appliance.example");
        get["userVerification"]!.GetValue<string>().ShouldBe("discouraged");
        get["allowCredentials"]!.AsArray().ShouldHaveSingleItem()!["id"]!.GetValue<string>().ShouldBe(SoftwareAuthenticator.Text(key.CredentialId));
        get["challenge"]!.GetValue<string>().ShouldNotBe(create["challenge"]!.GetValue<string>());
    }

    [Fact]
    public async Task Several_keys_are_listed_renamed_and_removed_but_not_the_last_one()
    {
        var (person, browser, first) = await host.EnrolledAsync();
        var second = SecurityKeyHost.Authenticator();
        var ceremony = await browser.BeginAsync(person, "registration");
        (await browser.FinishAsync(person, "registration", ceremony.Reference, second.Register(ceremony.OptionsJson), "  Backup in the safe ")).ShouldBe(new KeyResult(true));
        var keys = await host.Keys.ListAsync(person.Id, default);
        keys.Select(k => k.Name).ShouldBe(["Blue key", "Backup in the safe"]);

        (await host.Keys.RenameAsync(person.Id, keys[0].Reference, "Green key", Http, default)).ShouldBe(KeyChange.Done);
        (await host.RemoveKeyAsync(person.Id, keys[0].Reference, Http, default)).ShouldBe(KeyChange.Done);
        (await host.RemoveKeyAsync(person.Id, keys[1].Reference, Http, default)).ShouldBe(KeyChange.LastFactor);
        (await host.RemoveKeyAsync(person.Id, keys[0].Reference, Http, default)).ShouldBe(KeyChange.Unknown);

        (await browser.AssertAsync(person, first)).Succeeded.ShouldBeFalse("removed");
        (await browser.AssertAsync(person, second with { Counter = 2 })).Succeeded.ShouldBeTrue();
        (await DetailsAsync("security-key.added", keys[0].Reference)).ShouldContain("\"attestation\":\"none\"");
        (await DetailsAsync("security-key.renamed", keys[0].Reference)).ShouldContain("\"before\":\"Blue key\"");
        (await DetailsAsync("security-key.removed", keys[0].Reference)).ShouldContain("Green key");
        // A removed key may come back.
        (await browser.RegisterAsync(person, first)).ShouldBe(new KeyResult(true));
    }

    [Fact]
    public async Task Two_removals_at_once_leave_one_key()
    {
        var (person, browser, _) = await host.EnrolledAsync();
        (await browser.RegisterAsync(person, SecurityKeyHost.Authenticator())).Succeeded.ShouldBeTrue();
        var keys = await host.Keys.ListAsync(person.Id, default);
        var results = await Task.WhenAll(keys.Select(k => host.RemoveKeyAsync(person.Id, k.Reference, Http, default)));
        results.ShouldBe([KeyChange.Done, KeyChange.LastFactor], ignoreOrder: true);
        (await host.Keys.ListAsync(person.Id, default)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Anothers_key_can_neither_be_found_nor_renamed_nor_removed()
    {
        var (alice, browser, _) = await host.EnrolledAsync();
        (await browser.RegisterAsync(alice, SecurityKeyHost.Authenticator())).Succeeded.ShouldBeTrue();
        var (mallory, _, _) = await host.EnrolledAsync();
        var target = (await host.Keys.ListAsync(alice.Id, default))[0];
        (await host.Keys.FindAsync(mallory.Id, target.Reference, default)).ShouldBeNull();
        (await host.Keys.RenameAsync(mallory.Id, target.Reference, "Mine", Http, default)).ShouldBe(KeyChange.Unknown);
        (await host.RemoveKeyAsync(mallory.Id, target.Reference, Http, default)).ShouldBe(KeyChange.Unknown);
        (await host.Keys.FindAsync(alice.Id, target.Reference, default)).ShouldNotBeNull().Name.ShouldBe(target.Name);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData(null)]
    [InlineData("tab\tin it")]
    [InlineData("right\u202Eto left")]
    [InlineData("zero\u200Bwidth")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345")]
    public async Task A_name_that_is_none_is_refused_without_using_the_question_up(string? name)
    {
        var (person, browser, _) = await host.EnrolledAsync();
        var reference = (await host.Keys.ListAsync(person.Id, default))[0].Reference;
        (await host.Keys.RenameAsync(person.Id, reference, name, Http, default)).ShouldBe(KeyChange.BadName);

        var (ceremony, key) = (await browser.BeginAsync(person, "registration"), SecurityKeyHost.Authenticator());
        (await browser.FinishAsync(person, "registration", ceremony.Reference, key.Register(ceremony.OptionsJson), name ?? "")).Reason.ShouldBe(KeyName.Rule);
        (await browser.FinishAsync(person, "registration", ceremony.Reference, key.Register(ceremony.OptionsJson), "Grüner Schlüssel 🔑")).ShouldBe(new KeyResult(true));
    }

    [Fact]
    public async Task A_refusal_is_in_the_ledger_with_its_rule_and_nothing_that_was_sent()
    {
        var (person, browser) = (await host.PersonAsync(), host.Browser());
        (await browser.RegisterAsync(person, SecurityKeyHost.Authenticator() with { Format = "tpm" })).Succeeded.ShouldBeFalse();
        var details = await DetailsAsync("security-key.refused", person.Id.ToString());
        details.ShouldContain("a format that is not accepted here");
        (await browser.RegisterAsync(person, SecurityKeyHost.Authenticator() with { Origin = "https://evil-words.example" })).Succeeded.ShouldBeFalse();
        var all = await host.SqlAsync($"select string_agg(details, ' ') from ledger_entries where subject = '{person.Id}'");
        all.ShouldBeOfType<string>().ShouldNotContain("evil-words");
    }

    [Fact]
    public async Task The_app_cannot_alter_what_a_key_is()
    {
        var (_, _, key) = await host.EnrolledAsync();
        var id = $"'\\x{Convert.ToHexString(key.CredentialId)}'";
        foreach (var change in new[] { "public_key = ''", "user_id = gen_random_uuid()", "credential_id = '\\x00'", "aaguid = gen_random_uuid()" })
        {
            var refused = await Should.ThrowAsync<PostgresException>(() => host.SqlAsync($"set role appliance_app; update security_keys set {change} where credential_id = {id}"));
            refused.SqlState.ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
        }
    }

    private async Task<string> DetailsAsync(string action, string subject) =>
        (string)(await host.SqlAsync($"select details from ledger_entries where action = '{action}' and subject = '{subject}' and tree = '{Guid.Empty}'"))!;
}
