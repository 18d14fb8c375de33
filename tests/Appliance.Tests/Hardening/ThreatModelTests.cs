using System.Text.RegularExpressions;
using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Hardening;

/// <summary>hardening/threat-model.md names what covers each threat: the names must exist, or it is a wish.</summary>
public sealed partial class ThreatModelTests
{
    [Fact, Trait("Requirement", "L6")]
    public async Task Every_threat_is_covered_by_tests_or_controls_that_exist_or_is_named_as_open()
    {
        var rows = (await File.ReadAllLinesAsync(Path.Combine(Repository.Root, "hardening/threat-model.md"))).Where(line => Row().IsMatch(line)).ToArray();
        rows.Length.ShouldBeGreaterThan(50);
        var tests = Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => TestClass().Matches(File.ReadAllText(file)).Select(m => m.Groups["name"].Value)).ToHashSet(StringComparer.Ordinal);
        var controls = Directory.EnumerateFiles(Path.Combine(Repository.Root, "hardening/controls"), "*.sh")
            .SelectMany(file => Control().Matches(File.ReadAllText(file)).Select(m => m.Groups["id"].Value)).ToHashSet(StringComparer.Ordinal);

        foreach (var row in rows)
        {
            var covered = row.Split('|')[^2];
            var named = NamedTest().Matches(covered).Select(m => m.Groups["name"].Value).ToArray();
            var held = NamedControl().Matches(covered).Select(m => m.Groups["id"].Value).ToArray();
            named.Where(name => !tests.Contains(name)).ShouldBeEmpty(row);
            held.Where(id => !controls.Contains(id)).ShouldBeEmpty(row);
            (named.Length + held.Length > 0 || Open().IsMatch(covered)).ShouldBeTrue(row);
        }
    }

    [GeneratedRegex(@"^\| [STRIDE] \|", RegexOptions.None, 1000)]
    private static partial Regex Row();

    [GeneratedRegex(@"class (?<name>[A-Za-z0-9]+Tests)\b", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TestClass();

    [GeneratedRegex(@"\b(control|each) ""(?<id>[^""]+)""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Control();

    [GeneratedRegex("`(?<name>[A-Za-z0-9]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NamedTest();

    [GeneratedRegex(@"\[(?<id>[^\]]+)\]", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NamedControl();

    [GeneratedRegex(@"\*open: issue \d+\*", RegexOptions.None, 1000)]
    private static partial Regex Open();
}
