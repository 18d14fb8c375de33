using System.Security.Cryptography;

namespace Appliance.Accounts;

/// <summary>Passphrases of six random words: 6 × log2(7776) = 77.5 bits.</summary>
public static class Passphrases
{
    public const int Words = 6;

    private static readonly string[] List = Read();

    public static double Bits => Words * Math.Log2(List.Length);

    public static string Make() => string.Join(' ', Enumerable.Range(0, Words).Select(_ => List[RandomNumberGenerator.GetInt32(List.Length)]));

    private static string[] Read()
    {
        using var stream = typeof(Passphrases).Assembly.GetManifestResourceStream("words/eff_large_wordlist.txt")
            ?? throw new InvalidOperationException("The word list is missing from the assembly.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
