using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Appliance.Files;

/// <summary>
/// The name of a file or folder: Unicode in normal form C, 1 to 255 bytes as UTF-8, and such that every system can hold it (Linux,
/// macOS and Windows clients reach the same folders). Case is kept, but does not tell names apart: <see cref="Key"/>.
/// </summary>
public sealed record EntryName
{
    /// <summary>Bytes as UTF-8: what Linux' file systems hold.</summary>
    public const int MaxBytes = 255;

    /// <summary>What Windows calls devices, in any folder, with any ending (Microsoft, "Naming Files, Paths, and Namespaces").</summary>
    private static readonly HashSet<string> s_devices = new(StringComparer.OrdinalIgnoreCase)
    {
        "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
        "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "COM¹", "COM²", "COM³",
        "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9", "LPT¹", "LPT²", "LPT³",
    };

    private EntryName(string text) => Text = text;

    /// <summary>As it is shown.</summary>
    public string Text { get; }

    /// <summary>As it is compared. Two names with one key are the same name.</summary>
    public string Key => Text.ToUpperInvariant();

    public override string ToString() => Text;

    /// <summary>Reads a name that somebody typed or a client sent.</summary>
    /// <exception cref="EntryNameException">It cannot be a name; the message is for people.</exception>
    public static EntryName Parse(string? text)
    {
        Check(text);
        // Again: what counts is what is kept, and composed letters can be more bytes, and others, than what was sent.
        var composed = text.Normalize(NormalizationForm.FormC);
        Check(composed);
        return new EntryName(composed);
    }

    /// <summary>As <see cref="Parse"/>, for who asks whether it can be one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out EntryName? name)
    {
        name = Problem(text) is null && text!.Normalize(NormalizationForm.FormC) is var composed && Problem(composed) is null ? new EntryName(composed) : null;
        return name is not null;
    }

    private static void Check([NotNull] string? text)
    {
        if (Problem(text) is { } problem)
        {
            throw new EntryNameException(problem);
        }
        ArgumentNullException.ThrowIfNull(text);
    }

    private static string? Problem(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return "The name is empty. Give it at least one character.";
        }
        // Bounded before anything that looks at each character: a name cannot have more characters than bytes.
        if (text.Length > MaxBytes)
        {
            return TooLong;
        }
        if (text is "." or "..")
        {
            return $"“{text}” means a folder itself. Choose another name.";
        }
        foreach (var rune in text.EnumerateRunes())
        {
            if (ProblemWith(rune) is { } problem)
            {
                return problem;
            }
        }
        if (!IsWellFormed(text))
        {
            return "The name holds half a character (an unpaired surrogate). Type it again.";
        }
        if (Encoding.UTF8.GetByteCount(text) > MaxBytes)
        {
            return TooLong;
        }
        if (IsSpace(text[0]) || IsSpace(text[^1]))
        {
            return "The name begins or ends with a space. Remove it.";
        }
        if (text[^1] == '.')
        {
            return "The name ends with a dot, which Windows drops. Remove it.";
        }
        if (text.EnumerateRunes().All(IsInvisible))
        {
            return "The name has nothing that can be seen. Give it at least one letter or sign.";
        }
        var stem = text.Split('.')[0].TrimEnd(' ');
        return s_devices.Contains(stem) ? $"“{stem}” is the name of a device on Windows. Choose another name." : null;
    }

    private static string TooLong => $"The name is longer than {MaxBytes} bytes. Shorten it.";

    private static string? ProblemWith(Rune rune) => rune.Value switch
    {
        '/' or '\\' => $"The name holds a “{rune}”, which separates folders. Leave it out.",
        '<' or '>' or ':' or '"' or '|' or '?' or '*' => $"The name holds a “{rune}”, which Windows does not allow. Leave it out.",
        // Unicode Standard Annex #9, section 2: they make a name look like another one.
        0x061C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069) =>
            $"The name holds a character that turns the direction of writing (U+{rune.Value:X4}). Leave it out; scripts written from right to left need none.",
        0x2028 or 0x2029 => "The name holds a line break. Leave it out.",
        // Joiners belong to the spelling of Persian, Hindi and many emoji; these have no such use.
        0x200B or 0x2060 or 0xFEFF => $"The name holds a character that cannot be seen (U+{rune.Value:X4}). Leave it out.",
        _ => Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.Control => $"The name holds a control character (U+{rune.Value:X4}), such as a tab or a line break. Leave it out.",
            _ => (rune.Value & 0xFFFE) == 0xFFFE || rune.Value is >= 0xFDD0 and <= 0xFDEF
                ? $"The name holds a code that is no character (U+{rune.Value:X4}). Leave it out."
                : null,
        },
    };

    private static bool IsSpace(char c) => char.IsWhiteSpace(c);

    private static bool IsInvisible(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.Format or UnicodeCategory.SpaceSeparator or UnicodeCategory.NonSpacingMark;

    private static bool IsWellFormed(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]) && (!char.IsHighSurrogate(text[i]) || ++i == text.Length || !char.IsLowSurrogate(text[i])))
            {
                return false;
            }
        }
        return true;
    }
}

/// <summary>What was given cannot be a name. The message says what is wrong with it and what to do, for people.</summary>
public sealed class EntryNameException(string message) : Exception(message);
