using Appliance.Files;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Files;

/// <summary>Which names there can be, and what a person is told of the others.</summary>
[Trait("Requirement", "F1")]
public sealed class EntryNameTests
{
    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/b", "separates folders")]
    [InlineData("a\\b", "separates folders")]
    [InlineData("nul\0", "control character")]
    [InlineData("tab\there", "control character")]
    [InlineData("line\nbreak", "control character")]
    [InlineData("\u007F", "control character")]
    [InlineData("c1\u0085", "control character")]
    [InlineData("gpj.\u202Eexe", "direction of writing")]
    [InlineData("a\u202Ab", "direction of writing")]
    [InlineData("a\u2066b", "direction of writing")]
    [InlineData("a\u2069b", "direction of writing")]
    [InlineData("a\u200Eb", "direction of writing")]
    [InlineData("a\u200Fb", "direction of writing")]
    [InlineData("a\u061Cb", "direction of writing")]
    [InlineData("a\u2028b", "line break")]
    [InlineData("a\u200Bb", "cannot be seen")]
    [InlineData("\uFEFFa", "cannot be seen")]
    [InlineData("\u200D", "can be seen")]
    [InlineData(" a", "space")]
    [InlineData("a ", "space")]
    [InlineData("a\u3000", "space")]
    [InlineData("a.", "ends with a dot")]
    [InlineData("a..", "ends with a dot")]
    [InlineData("CON", "device")]
    [InlineData("con.txt", "device")]
    [InlineData("Nul.tar.gz", "device")]
    [InlineData("COM1", "device")]
    [InlineData("lpt9.x", "device")]
    [InlineData("aux .txt", "device")]
    [InlineData("COM¹", "device")]
    [InlineData("a<b", "Windows")]
    [InlineData("a>b", "Windows")]
    [InlineData("C:x", "Windows")]
    [InlineData("a\"b", "Windows")]
    [InlineData("a|b", "Windows")]
    [InlineData("a?b", "Windows")]
    [InlineData("a*b", "Windows")]
    [InlineData("a\uFFFE", "no character")]
    [InlineData("a\uFDD0", "no character")]
    public void A_name_that_cannot_be_is_refused_with_its_reason(string name, string reason = "") =>
        Should.Throw<EntryNameException>(() => EntryName.Parse(name)).Message.ShouldContain(reason);

    [Fact]
    public void Half_a_character_is_refused()
    {
        // Not as inline data: the test runner would repair it.
        Should.Throw<EntryNameException>(() => EntryName.Parse("a\uD800b")).Message.ShouldContain("surrogate");
        Should.Throw<EntryNameException>(() => EntryName.Parse("a\uDC00")).Message.ShouldContain("surrogate");
        Should.Throw<EntryNameException>(() => EntryName.Parse("a\uD83D")).Message.ShouldContain("surrogate");
    }

    [Fact]
    public void A_name_has_at_most_255_bytes()
    {
        EntryName.Parse(new string('a', 255));
        EntryName.Parse(new string('ü', 127) + "a");
        Should.Throw<EntryNameException>(() => EntryName.Parse(new string('a', 256))).Message.ShouldContain("255");
        Should.Throw<EntryNameException>(() => EntryName.Parse(new string('ü', 128))).Message.ShouldContain("255");
        Should.Throw<EntryNameException>(() => EntryName.Parse(new string('東', 86))).Message.ShouldContain("255");
    }

    [Theory]
    [InlineData("a")]
    [InlineData(".gitkeep")]
    [InlineData("a b.txt")]
    [InlineData("console.log")]
    [InlineData("COM10")]
    [InlineData("מוזיקה ורישיונות")]
    [InlineData("東京スタジオ.txt")]
    [InlineData("नमस्\u200Dते")]
    [InlineData("می\u200Cخواهم")]
    [InlineData("👩\u200D🚀.png")]
    [InlineData("100 % & more")]
    [InlineData("'; drop table entries; --")]
    public void A_name_of_any_script_is_taken(string name) => Should.NotThrow(() => EntryName.Parse(name));

    [Fact]
    public void Names_come_into_normal_form_c_and_are_compared_without_case()
    {
        var composed = EntryName.Parse("Caf\u00E9.TXT");
        var decomposed = EntryName.Parse("cafe\u0301.txt");
        composed.Text.ShouldBe("Caf\u00E9.TXT");
        decomposed.Text.ShouldBe("caf\u00E9.txt");
        decomposed.Key.ShouldBe(composed.Key);
        EntryName.Parse("\u1112\u1161\u11AB").Text.ShouldBe("\uD55C");
        EntryName.Parse("straße").Key.ShouldNotBe(EntryName.Parse("strasse").Key);
        // Compatibility is for passwords: a name keeps the signs that its author chose.
        EntryName.Parse("\uFB01le m\u00B2").Text.ShouldBe("\uFB01le m\u00B2");
        // 84 letters that fit become, composed as the standard says, more bytes than fit: what counts is what is kept.
        Should.Throw<EntryNameException>(() => EntryName.Parse(new string('\u0958', 84)));
        // Greek's question mark is, composed, a semicolon; and this one becomes what separates folders nowhere, but must be checked too.
        EntryName.Parse("a\u037Eb").Text.ShouldBe("a;b");
    }
}
