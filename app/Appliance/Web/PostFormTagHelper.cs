using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc.Rendering;
using Microsoft.AspNetCore.Mvc.ViewFeatures;
using Microsoft.AspNetCore.Razor.TagHelpers;

namespace Appliance.Web;

/// <summary>
/// Puts the antiforgery token into every form that posts, as its first field: who streams a form can check it before anything else
/// arrives. The framework's own helper leaves out forms with an <c>action</c>, since they might lead to another site (ours never
/// do), and puts its field last; what it did is replaced.
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
        var tokens = antiforgery.GetAndStoreTokens(View.HttpContext);
        var field = new TagBuilder("input") { TagRenderMode = TagRenderMode.SelfClosing };
        field.Attributes["type"] = "hidden";
        field.Attributes["name"] = tokens.FormFieldName;
        field.Attributes["value"] = tokens.RequestToken;
        output.PreContent.AppendHtml(field);
        output.PostContent.Clear();
    }
}
