using System.Text;
using Appliance.Accounts;
using Appliance.SignIn;
using Microsoft.AspNetCore.Identity;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Accounts;

/// <summary>How passwords are hashed and judged.</summary>
public sealed class PasswordTests
{
    private static readonly Argon2.Cost Cheap = new(64, 1, 1);

    private static PasswordPolicy Policy(int length = 12) => new(new SignInSettings { PasswordLength = length }, null!);

    /// <summary>Made with the reference implementation's own command line: <c>echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1</c>.</summary>
    [Fact, Trait("Requirement", "A1")]
    public void The_reference_implementations_hash_is_understood() =>
        Argon2.Verify("password"u8, "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc").Matches.ShouldBeTrue();

    [Fact, Trait("Requirement", "A1")]
    public void A_hash_says_how_it_was_made_and_takes_at_least_19_MiB()
    {
        var hash = new PasswordHasher().HashPassword(null!, "some password");
        hash.ShouldStartWith("$argon2id$v=19$m=47104,t=2,p=1$");
        Argon2.Cost.Default.Memory.ShouldBeGreaterThanOrEqualTo(19u * 1024);
        hash.ShouldNotBe(new PasswordHasher().HashPassword(null!, "some password"));
    }

    [Fact, Trait("Requirement", "A1")]
    public void A_weaker_hash_still_opens_and_asks_to_be_made_anew()
    {
        var weak = Argon2.Hash("some password"u8, Cheap);
        var hasher = new PasswordHasher(new Argon2.Cost(128, 1, 1));
        hasher.VerifyHashedPassword(null!, weak, "some password").ShouldBe(PasswordVerificationResult.SuccessRehashNeeded);
        hasher.VerifyHashedPassword(null!, weak, "another password").ShouldBe(PasswordVerificationResult.Failed);
        hasher.VerifyHashedPassword(null!, hasher.HashPassword(null!, "x"), "x").ShouldBe(PasswordVerificationResult.Success);
    }

    [Theory, Trait("Requirement", "A1")]
    [InlineData("")]
    [InlineData("plain text")]
    [InlineData("$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("$argon2id$v=19$m=64,t=4000000,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$")]
    [InlineData("$argon2id$v=19$m=64,t=1,p=1$$AAAA")]
    [InlineData("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$!!!")]
    public void What_is_no_hash_of_ours_opens_nothing_and_costs_nothing(string hash) => Argon2.Verify("x"u8, hash).ShouldBe((false, null));

    [Fact, Trait("Requirement", "A1")]
    public void Passwords_are_bounded_before_they_are_hashed()
    {
        PasswordHasher.IsBounded(new string('a', 1024)).ShouldBeTrue();
        PasswordHasher.IsBounded(new string('a', 1025)).ShouldBeFalse();
        PasswordHasher.IsBounded(new string('\u20ac', 342)).ShouldBeFalse();
        PasswordHasher.IsBounded("").ShouldBeFalse();
        Should.Throw<ArgumentException>(() => new PasswordHasher(Cheap).HashPassword(null!, new string('a', 1 << 20)));
    }

    [Fact, Trait("Requirement", "A1")]
    public async Task A_flood_waits_in_a_bounded_line_and_the_rest_is_sent_away()
    {
        using var gate = new PasswordGate();
        var release = new TaskCompletionSource<int>();
        var all = Enumerable.Range(0, 300).Select(_ => gate.RunAsync(() => release.Task, default)).ToList();
        all.Count(t => t.IsFaulted).ShouldBeGreaterThan(150);
        release.SetResult(1);
        await Task.WhenAll(all.Where(t => !t.IsFaulted));
        (await gate.RunAsync(() => Task.FromResult(2), default)).ShouldBe(2);
    }

    [Theory, Trait("Requirement", "A2")]
    [InlineData("plinth gopher ravine tulip", "")]
    [InlineData("short9!Xq", "length strength")]
    [InlineData("password1234", "strength")]
    [InlineData("123456", "length common strength")]
    [InlineData("PASSWORD", "length common strength")]
    [InlineData("mara.sommer-ravine-gopher-plinth-tulip", "personal")]
    [InlineData("ravine gopher REMMOS plinth", "personal")]
    [InlineData("ravine gopher S0mm3r plinth", "personal")]
    [InlineData("ravine gopher nordlicht plinth", "personal")]
    [InlineData("ravine gopher Finance Team plinth", "personal")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "strength")]
    [InlineData("", "length personal common strength")]
    public void The_policy_says_which_rules_are_not_met(string password, string broken)
    {
        var verdict = Policy().Check(password, ["mara.sommer", "mara@nordlicht.example", "Finance Team"]);
        string.Join(' ', verdict.Reasons.Where(r => !r.Ok).Select(r => r.Id)).ShouldBe(broken);
        verdict.Ok.ShouldBe(broken.Length == 0);
        verdict.Reasons.ShouldAllBe(r => r.Text.Length > 10);
    }

    [Fact, Trait("Requirement", "A2")]
    public void The_length_can_be_set_but_never_below_seven()
    {
        Policy(3).Check("xq7Wz!", []).Reasons.Single(r => r.Id == "length").Ok.ShouldBeFalse();
        Policy(3).Check("xq7Wz!k", []).Reasons.Single(r => r.Id == "length").Ok.ShouldBeTrue();
        Policy(20).Check("plinth gopher ravin", []).Reasons.Single(r => r.Id == "length").Ok.ShouldBeFalse();
    }

    [Fact, Trait("Requirement", "A2")]
    public void Characters_are_counted_not_their_parts() =>
        Policy().Check(string.Concat(Enumerable.Repeat("\ud83d\udd11", 11)), []).Reasons.Single(r => r.Id == "length").Ok.ShouldBeFalse();

    [Fact, Trait("Requirement", "A2")]
    public void An_endless_password_is_judged_without_being_read_to_its_end() =>
        Policy().Check(new string('x', 1 << 20), ["mara"]).Ok.ShouldBeFalse();

    [Fact, Trait("Requirement", "A2")]
    public void Suggested_passphrases_are_strong_meet_the_policy_and_differ()
    {
        Passphrases.Bits.ShouldBeGreaterThanOrEqualTo(64);
        var phrases = Enumerable.Range(0, 20).Select(_ => Passphrases.Make()).ToList();
        phrases.Distinct().Count().ShouldBe(20);
        foreach (var phrase in phrases)
        {
            phrase.Split(' ', StringSplitOptions.None).Length.ShouldBe(6);
            Policy().Check(phrase, []).Ok.ShouldBeTrue(phrase);
        }
    }

    [Fact, Trait("Requirement", "A6")]
    public void Recovery_codes_have_eighty_bits_each_and_no_letters_that_look_like_digits()
    {
        var codes = RecoveryCodes.Make();
        codes.Count.ShouldBe(10);
        codes.Distinct().Count().ShouldBe(10);
        codes.ShouldAllBe(c => c.Length == 19 && c.Split('-', StringSplitOptions.None).All(g => g.Length == 4 && g.All("23456789ABCDEFGHJKLMNPQRSTUVWXYZ".Contains)));
    }

    [Theory, Trait("Requirement", "A1")]
    [InlineData("\uFB01nch gopher", "finch gopher")] // the ligature ﬁ
    [InlineData("caf\u00E9 gopher", "cafe\u0301 gopher")]
    [InlineData("\uFF47opher ravine", "gopher ravine")] // full width
    [InlineData("plinth\u00A0gopher", "plinth gopher")] // the space that does not break
    public void A_password_opens_however_the_keyboard_composes_it(string set, string typed)
    {
        var hasher = new PasswordHasher(Cheap);
        hasher.VerifyHashedPassword(null!, hasher.HashPassword(null!, set), typed).ShouldBe(PasswordVerificationResult.Success);
        hasher.VerifyHashedPassword(null!, hasher.HashPassword(null!, typed), set).ShouldBe(PasswordVerificationResult.Success);
        hasher.VerifyHashedPassword(null!, hasher.HashPassword(null!, set), typed.ToUpperInvariant()).ShouldBe(PasswordVerificationResult.Failed);
    }

    [Fact, Trait("Requirement", "A2")]
    public void A_password_is_judged_as_it_is_hashed() =>
        Policy().Check("\uFF30\uFF21\uFF33\uFF33\uFF37\uFF2F\uFF32\uFF24", []).Reasons.Single(r => r.Id == "common").Ok.ShouldBeFalse();

    [Fact, Trait("Requirement", "A1")]
    public void What_is_no_text_is_hashed_and_looked_up_without_an_error()
    {
        var hasher = new PasswordHasher(Cheap);
        foreach (var text in new[] { "a\uD800b", "\uDC00", "\uFFFE", "\uFB01\uFFFE\uD83D" })
        {
            hasher.VerifyHashedPassword(null!, hasher.HashPassword(null!, text), text).ShouldBe(PasswordVerificationResult.Success);
            Policy().Check(text, []).Ok.ShouldBeFalse();
            NameKey.Of(text).ShouldNotBeEmpty();
        }
        NameKey.Of("\uFB01\uFFFE\uD83D").ShouldBe("FI\uFFFD\uFFFD");
        NameKey.Of("\uD83D\uDD11").ShouldBe("\uD83D\uDD11");
    }

    [Theory, Trait("Requirement", "A1")]
    [InlineData("mara.sommer", true)]
    [InlineData("m4", true)]
    [InlineData("m", false)]
    [InlineData(".mara", false)]
    [InlineData("mara sommer", false)]
    [InlineData("m\u0430ra", false)]
    [InlineData("mara@x", false)]
    [InlineData("", false)]
    public void A_username_has_letters_that_nobody_can_confuse(string name, bool good) => (NameKey.UsernameProblem(name) is null).ShouldBe(good);
}
