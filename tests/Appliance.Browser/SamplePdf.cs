using System.Text;

namespace Appliance.Browser;

/// <summary>Small PDFs written by hand (ISO 32000-1 section 7.5), so that a test can put in what no program would.</summary>
internal static class SamplePdf
{
    /// <summary>One page for each text, in Helvetica. <paramref name="script"/>: JavaScript that the document wants run when it is opened.</summary>
    public static byte[] With(string[] pages, string? script = null)
    {
        var objects = new List<string>
        {
            $"<< /Type /Catalog /Pages 2 0 R{(script is null ? "" : $" /OpenAction << /S /JavaScript /JS ({script}) >>")} >>",
            $"<< /Type /Pages /Count {pages.Length} /Kids [{string.Join(' ', pages.Select((_, i) => $"{4 + i * 2} 0 R"))}] >>",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        };
        foreach (var text in pages)
        {
            var content = $"BT /F1 24 Tf 40 120 Td ({text}) Tj ET";
            objects.Add($"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Resources << /Font << /F1 3 0 R >> >> /Contents {objects.Count + 2} 0 R >>");
            objects.Add($"<< /Length {content.Length} >>\nstream\n{content}\nendstream");
        }
        var pdf = new StringBuilder("%PDF-1.4\n");
        var offsets = new List<int>();
        for (var i = 0; i < objects.Count; i++)
        {
            offsets.Add(pdf.Length);
            pdf.Append($"{i + 1} 0 obj\n{objects[i]}\nendobj\n");
        }
        var start = pdf.Length;
        pdf.Append($"xref\n0 {objects.Count + 1}\n0000000000 65535 f \n");
        foreach (var offset in offsets)
        {
            pdf.Append($"{offset:D10} 00000 n \n");
        }
        pdf.Append($"trailer << /Size {objects.Count + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
        return Encoding.Latin1.GetBytes(pdf.ToString());
    }
}
