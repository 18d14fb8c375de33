using System.Text;
using System.Text.Encodings.Web;

namespace Appliance.Web.Errors;

/// <summary>
/// The page of an error. Written by hand and not by Razor, because it must come out when the database, and with it the keys of
/// the antiforgery token that every page carries, is away.
/// </summary>
internal sealed class ErrorPage(Assets assets)
{
    public async Task WriteAsync(HttpContext context, ErrorText error)
    {
        var body = Encoding.UTF8.GetBytes(Html(error));
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
        }
    }

    private string Html(ErrorText error)
    {
        var icons = assets.Url("icons.svg");
        return $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width, initial-scale=1">
              <title>{Encode(error.Title)} · Appliance</title>
              <link rel="icon" href="{assets.Url("favicon.svg")}" type="image/svg+xml">
              <link rel="stylesheet" href="{assets.Url("css/tokens.css")}">
              <link rel="stylesheet" href="{assets.Url("css/base.css")}">
              <link rel="stylesheet" href="{assets.Url("css/shell.css")}">
              <link rel="stylesheet" href="{assets.Url("css/components.css")}">
              <link rel="stylesheet" href="{assets.Url("css/auth.css")}">
              <script type="module" async blocking="render" src="{assets.Url("js/theme.js")}"></script>
              <script type="module" src="{assets.Url("js/copy.js")}"></script>
            </head>
            <body class="auth">
              <header class="auth-brand"><a class="brand" href="/"><svg class="logo" aria-hidden="true"><use href="{icons}#logo"/></svg>Appliance</a></header>
              <main class="auth-card message" id="content">
                <div><p class="message-code">Error {error.Status}</p><h1>{Encode(error.Title)}</h1></div>
                <p>{Encode(error.Detail)}</p>{Reference(error.Reference, icons)}
                <div class="form-actions"><a class="btn btn-primary" href="/">Go to the start page</a></div>
              </main>
              <footer class="auth-foot"></footer>
              <div class="toasts" data-toasts role="status"></div>
            </body>
            </html>
            """;
    }

    private static string Reference(string? reference, string icons) => reference is null ? "" : $"""

                <p class="notice"><span class="copyable"><code>{Encode(reference)}</code><button class="btn btn-quiet btn-icon btn-small" type="button" data-copy="{Encode(reference)}" data-copied="Reference copied" aria-label="Copy reference" hidden><svg class="icon" aria-hidden="true"><use href="{icons}#i-copy"/></svg></button></span></p>
        """;

    private static string Encode(string text) => HtmlEncoder.Default.Encode(text);
}
