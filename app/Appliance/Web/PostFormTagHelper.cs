using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc.Rendering;
using Microsoft.AspNetCore.Mvc.ViewFeatures;
using Microsoft.AspNetCore.Razor.TagHelpers;

namespace Appliance.Web;

/// <summary>
/// Puts the antiforgery token into every form that posts. The framework's own helper leaves out forms with an <c>action</c>, since
/// they might lead to another site; ours never do.
/// </summary>
[HtmlTargetElement("form", Attributes = "[method='post']")]
public sealed class PostFormTagHelper(IAntiforgery antiforgery) : TagHelper
{
    /// <summary>After the framework's (-1000), to see what it did.</summary>
    public override int Order => 0;

    [HtmlAttributeNotBound, ViewContext]
    public ViewContext View { get; set; } = null!;

    public override void Process(TagHelperContext context, TagHelperOutput output)
    {
        if (output.PostContent.IsEmptyOrWhiteSpace)
        {
            var tokens = antiforgery.GetAndStoreTokens(View.HttpContext);
            var field = new TagBuilder("input") { TagRenderMode = TagRenderMode.SelfClosing };
            field.Attributes["type"] = "hidden";
            field.Attributes["name"] = tokens.FormFieldName;
            field.Attributes["value"] = tokens.RequestToken;
            output.PostContent.AppendHtml(field);
        }
    }
}
