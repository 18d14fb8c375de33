using System.Globalization;

namespace Appliance.Benchmarks;

/// <summary>A table in Markdown, as docs/performance.md holds it.</summary>
internal sealed class Results
{
    private readonly List<(string What, string Figure)> _rows = [];

    public void Add(string what, double figure, string unit) =>
        _rows.Add((what, string.Create(CultureInfo.InvariantCulture, $"{figure.ToString(figure < 10 ? "0.00" : "N0", CultureInfo.InvariantCulture)} {unit}")));

    public void Print(TextWriter output)
    {
        output.WriteLine("| what | figure |");
        output.WriteLine("|---|---:|");
        foreach (var (what, figure) in _rows)
        {
            output.WriteLine($"| {what} | {figure} |");
        }
    }

    public static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }
}
