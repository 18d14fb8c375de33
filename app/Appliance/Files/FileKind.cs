namespace Appliance.Files;

/// <summary>What a name looks like: for the icon beside it, and nothing else. Nothing is served or run because of it.</summary>
public static class FileKind
{
    /// <summary>The name of the icon: folder, audio, video, image, pdf or file.</summary>
    public static string Of(string name, bool isFolder)
    {
        ArgumentNullException.ThrowIfNull(name);
        return isFolder ? "folder" : Path.GetExtension(name).ToLowerInvariant() switch
        {
            ".wav" or ".mp3" or ".flac" or ".m4a" or ".aac" or ".ogg" or ".opus" or ".aif" or ".aiff" => "audio",
            ".mp4" or ".mov" or ".mkv" or ".webm" or ".avi" or ".m4v" => "video",
            ".png" or ".jpg" or ".jpeg" or ".gif" or ".webp" or ".avif" or ".tif" or ".tiff" or ".svg" or ".heic" => "image",
            ".pdf" => "pdf",
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
}
