using System.Text;
using Appliance.SignIn.Totp;
using Shouldly;
using Xunit;

namespace Appliance.Tests.SignIn.Totp;

/// <summary>The codes themselves, against the RFCs' own vectors.</summary>
[Trait("Requirement", "A4")]
public sealed class TotpCodeTests
{
    private static readonly byte[] s_secret = Encoding.ASCII.GetBytes("12345678901234567890");

    /// <summary>RFC 6238 Appendix B, SHA-1. Its codes have eight digits; six digits are the last six of them (RFC 4226 §5.3: modulo 10^digits).</summary>
    [Theory]
    [InlineData(59, "94287082")]
    [InlineData(1111111109, "07081804")]
    [InlineData(1111111111, "14050471")]
    [InlineData(1234567890, "89005924")]
    [InlineData(2000000000, "69279037")]
    [InlineData(20000000000, "65353130")]
    public void The_vectors_of_RFC_6238(long seconds, string code) =>
        TotpCode.Match(s_secret, code[2..], DateTimeOffset.FromUnixTimeSeconds(seconds)).ShouldBe(seconds / 30);

    /// <summary>RFC 4226 Appendix D.</summary>
    [Theory]
    [InlineData(0, "755224")]
    [InlineData(1, "287082")]
    [InlineData(2, "359152")]
    [InlineData(3, "969429")]
    [InlineData(4, "338314")]
    [InlineData(5, "254676")]
    [InlineData(6, "287922")]
    [InlineData(7, "162583")]
    [InlineData(8, "399871")]
    [InlineData(9, "520489")]
    public void The_vectors_of_RFC_4226(long counter, string code)
    {
        TotpCode.Match(s_secret, code, DateTimeOffset.FromUnixTimeSeconds(counter * 30)).ShouldBe(counter);
        new SoftwareApp(s_secret).Code(counter).ShouldBe(code); // the tests' own app
    }

    [Fact]
    public void One_step_each_way_is_accepted_and_no_more()
    {
        var app = new SoftwareApp(s_secret);
        foreach (var second in new[] { 0, 15, 29 })
        {
            var now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000 + second);
            for (var steps = -5; steps <= 5; steps++)
            {
                TotpCode.Match(s_secret, app.Code(now, steps), now).ShouldBe(Math.Abs(steps) <= 1 ? TotpCode.Step(now) + steps : null, $"{steps} at {second}");
            }
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("28708")]
    [InlineData("2870820")]
    [InlineData("94287082")]
    [InlineData("-87082")]
    [InlineData("28708a")]
    [InlineData("２８７０８２")] // full-width digits
    [InlineData("٢٨٧٠٨٢")] // Arabic-Indic digits
    [InlineData("287082\n")]
    [InlineData("287082\0")]
    [InlineData("                    287082")]
    public void What_is_not_six_digits_is_no_code(string? code) => TotpCode.Match(s_secret, code, DateTimeOffset.FromUnixTimeSeconds(59)).ShouldBeNull();

    [Fact]
    public void Spaces_as_apps_show_them_do_no_harm() => TotpCode.Match(s_secret, " 287 082 ", DateTimeOffset.FromUnixTimeSeconds(59)).ShouldBe(1);

    [Fact]
    public void A_secret_has_160_bits_and_is_another_each_time()
    {
        TotpCode.NewSecret().Length.ShouldBe(20);
        TotpCode.NewSecret().ShouldNotBe(TotpCode.NewSecret());
    }

    [Fact]
    public void A_QR_code_is_square_has_its_three_finders_and_its_quiet_zone()
    {
        var code = QrCode.Of("otpauth://totp/localhost:anna?secret=" + new string('A', 32));
        code.Size.ShouldBeGreaterThan(8 + 21);
        // Each finder's upper edge is seven dark modules, four modules away from the border (ISO/IEC 18004).
        code.Path.ShouldStartWith("M4 4h7v1h-7z");
        code.Path.ShouldContain($"M{code.Size - 11} 4h7v1h-7z");
        code.Path.ShouldContain($"M4 {code.Size - 5}h7v1h-7z");
        code.Path.ShouldNotContain($" {code.Size - 4}h");
    }
}
