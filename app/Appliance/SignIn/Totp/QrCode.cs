using System.Globalization;
using System.Text;
using QRCoder;

namespace Appliance.SignIn.Totp;

/// <summary>A QR code (ISO/IEC 18004) as one SVG path, made here: nobody else sees what is in it.</summary>
/// <param name="Size">Width and height in modules, the quiet zone included.</param>
/// <param name="Path">The dark modules, one unit each.</param>
public sealed record QrCode(int Size, string Path)
{
    public static QrCode Of(string text)
    {
        using var code = QRCodeGenerator.GenerateQrCode(text, QRCodeGenerator.ECCLevel.M);
        var (rows, path) = (code.ModuleMatrix, new StringBuilder());
        for (var y = 0; y < rows.Count; y++)
        {
            for (var x = 0; x < rows.Count; x++)
            {
                var start = x;
                while (x < rows.Count && rows[y][x])
                {
                    x++;
                }
                if (x > start)
                {
                    path.Append(CultureInfo.InvariantCulture, $"M{start} {y}h{x - start}v1h{start - x}z");
                }
            }
        }
        return new QrCode(rows.Count, path.ToString());
    }
}
