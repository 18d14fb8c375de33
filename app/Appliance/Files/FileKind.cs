namespace Appliance.Files;

/// <summary>What a name looks like: for the icon beside it, and nothing else. Nothing is served or run because of it.</summary>
public static class FileKind
{
    /// <summary>The name of the icon: folder, audio, video, image, pdf, text, archive or file.</summary>
    public static string Of(string name, bool isFolder)
    {
        ArgumentNullException.ThrowIfNull(name);
        return isFolder ? "folder" : Path.GetExtension(name).ToLowerInvariant() switch
        {
            ".wav" or ".mp3" or ".flac" or ".m4a" or ".aac" or ".ogg" or ".opus" or ".aif" or ".aiff" => "audio",
            ".mp4" or ".mov" or ".mkv" or ".webm" or ".avi" or ".m4v" => "video",
            ".png" or ".jpg" or ".jpeg" or ".gif" or ".webp" or ".avif" or ".tif" or ".tiff" or ".svg" or ".heic" => "image",
            ".pdf" => "pdf",
            ".txt" or ".md" or ".csv" or ".json" or ".xml" or ".yaml" or ".yml" or ".log" or ".html" or ".css" or ".js" or ".ts" or ".cs" or ".py" or ".sh" or ".sql" or ".srt" or ".vtt" => "text",
            ".zip" or ".gz" or ".tgz" or ".xz" or ".zst" or ".7z" or ".tar" or ".rar" => "archive",
            _ => "file",
        };
    }

    /// <summary>The name in two: when there is no room, the stem is cut and the ending stays.</summary>
    public static (string Stem, string Ending) Split(string name, bool isFolder)
    {
        ArgumentNullException.ThrowIfNull(name);
        const int LongestEnding = 12;
        var dot = name.LastIndexOf('.');
        return isFolder || dot <= 0 || name.Length - dot > LongestEnding ? (name, "") : (name[..dot], name[dot..]);
    }

    /// <summary>A media type in words; what has no usual name is said as it is.</summary>
    public static string Describe(string mediaType) => mediaType switch
    {
        "application/octet-stream" => "Unknown",
        "application/pdf" => "PDF document",
        "application/zip" => "ZIP archive",
        "application/json" => "JSON text",
        "text/plain" => "Text",
        "text/html" => "HTML text",
        "image/svg+xml" => "SVG drawing",
        "image/jpeg" => "JPEG image",
        "image/png" or "image/gif" or "image/webp" or "image/avif" or "image/bmp" or "image/heic" or "image/tiff" => $"{mediaType["image/".Length..].ToUpperInvariant()} image",
        "audio/mpeg" => "MP3 audio",
        { } type when type.StartsWith("audio/", StringComparison.Ordinal) => $"{Subtype(type)} audio",
        { } type when type.StartsWith("video/", StringComparison.Ordinal) => $"{Subtype(type)} video",
        { } type => type,
    };

    private static string Subtype(string type)
    {
        var name = type[(type.IndexOf('/', StringComparison.Ordinal) + 1)..];
        return (name.StartsWith("x-", StringComparison.Ordinal) ? name[2..] : name).ToUpperInvariant();
    }
}
