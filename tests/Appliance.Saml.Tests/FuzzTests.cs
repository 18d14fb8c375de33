using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Xml;
using Xunit.Abstractions;

namespace Appliance.Saml.Tests;

/// <summary>
/// Responses that were signed, and then changed at random: in their bytes, and in their tree. Whatever happens, either it is refused, or it says
/// exactly what was signed. <c>APPLIANCE_FUZZ_SECONDS</c> sets for how long (20).
/// </summary>
[Trait("Requirement", "A12")]
public sealed class FuzzTests(ITestOutputHelper output)
{
    private static readonly string[] s_words =
    [
        "ID", "Id", "_assertion", "_response", "#_assertion", "", "mallory", "http://www.w3.org/2000/09/xmldsig#", "urn:oasis:names:tc:SAML:2.0:assertion", "2999-01-01T00:00:00Z",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1", "https://evil.example", "&#0;", "\u0000", "-1", "9999999999999999999",
    ];

    [Fact]
    public void Nothing_that_was_changed_is_believed_and_nothing_crashes_or_hangs()
    {
        var seconds = double.TryParse(Environment.GetEnvironmentVariable("APPLIANCE_FUZZ_SECONDS"), NumberStyles.Float, CultureInfo.InvariantCulture, out var said) ? said : 20;
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var both = TestIdp.Signed();
        TestIdp.Sign(both.DocumentElement!, new());
        string[] originals = [TestIdp.Signed().OuterXml, TestIdp.SignedOutside().OuterXml, both.OuterXml, TestIdp.ResponseXml(new(), TestIdp.EncryptedXml(TestIdp.Signed().Assertion().OuterXml))];
        var facts = originals.Select(o => TestIdp.Facts(TestIdp.Read(TestIdp.Encode(o)))).Distinct(StringComparer.Ordinal).ShouldHaveSingleItem();
        var (tried, same, clock, slowest) = (0, 0, Stopwatch.StartNew(), TimeSpan.Zero);
        var refusals = new Dictionary<SamlRefusal, int>();
        while (clock.Elapsed.TotalSeconds < seconds)
        {
            var original = originals[random.Next(originals.Length)];
            var bytes = random.Next(3) == 0 ? Bytes(random, original) : Tree(random, original);
            var started = clock.Elapsed;
            try
            {
                var read = TestIdp.Read(Convert.ToBase64String(bytes));
                TestIdp.Facts(read).ShouldBe(facts, $"seed {seed}, case {tried}: {Encoding.UTF8.GetString(bytes)}");
                same++;
            }
            catch (SamlRefusedException e)
            {
                refusals[e.Refusal] = refusals.GetValueOrDefault(e.Refusal) + 1;
            }
            catch (Exception e) when (e is not ShouldAssertException)
            {
                throw new InvalidOperationException($"seed {seed}, case {tried}: {Encoding.UTF8.GetString(bytes)}", e);
            }
            slowest = TimeSpan.FromTicks(Math.Max(slowest.Ticks, (clock.Elapsed - started).Ticks));
            tried++;
        }
        output.WriteLine($"{tried} tried, {same} said what was signed, slowest {slowest.TotalMilliseconds:F0} ms; " + string.Join(", ", refusals.OrderByDescending(r => r.Value).Select(r => $"{r.Key} {r.Value}")));
        tried.ShouldBeGreaterThan((int)(seconds * 20));
        refusals.Count.ShouldBeGreaterThan(5);
        slowest.ShouldBeLessThan(TimeSpan.FromSeconds(5));
    }

    private static byte[] Bytes(Random random, string original)
    {
        var bytes = Encoding.UTF8.GetBytes(original).ToList();
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            var (at, length) = (random.Next(bytes.Count), random.Next(1, 60));
            length = Math.Min(length, bytes.Count - at);
            switch (random.Next(4))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes.RemoveRange(at, length); break;
                case 2: bytes.InsertRange(at, bytes.GetRange(random.Next(bytes.Count - length + 1), length)); break;
                default: bytes.InsertRange(at, Encoding.UTF8.GetBytes(s_words[random.Next(s_words.Length)])); break;
            }
        }
        return [.. bytes];
    }

    private static byte[] Tree(Random random, string original)
    {
        var document = TestIdp.Load(original);
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            if (document.DocumentElement is null)
            {
                break;
            }
            var elements = StrictXml.Descendants(document.DocumentElement!).ToList();
            XmlElement Any() => elements[random.Next(elements.Count)];
            var (one, other) = (Any(), Any());
            try
            {
                switch (random.Next(8))
                {
                    case 0: other.AppendChild(one.CloneNode(true)); break;
                    case 1: other.ParentNode!.InsertBefore(one.CloneNode(true), other); break;
                    case 2: one.ParentNode!.RemoveChild(one); break;
                    case 3: other.PrependChild(one); break;
                    case 4 when one.Attributes.Count > 0: one.Attributes[random.Next(one.Attributes.Count)].Value = s_words[random.Next(s_words.Length - 4)]; break;
                    case 5 when one.Attributes.Count > 0: one.Attributes.RemoveAt(random.Next(one.Attributes.Count)); break;
                    case 6: one.SetAttribute(s_words[random.Next(2)], s_words[random.Next(2, 6)]); break;
                    default: one.InnerText = s_words[random.Next(10)]; break;
                }
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException or XmlException)
            {
                // A change that the tree does not allow.
            }
        }
        try
        {
            return Encoding.UTF8.GetBytes(document.OuterXml);
        }
        catch (ArgumentException)
        {
            return Bytes(random, original); // a tree that has no text, such as a prefix without its name space
        }
    }
}
