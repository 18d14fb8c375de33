using Microsoft.AspNetCore.Razor.TagHelpers;

namespace Appliance.Web;

/// <summary>Pages name assets plainly (<c>/css/base.css</c>, <c>/icons.svg#logo</c>); what is sent is the address with the fingerprint, cached for good.</summary>
[HtmlTargetElement("link", Attributes = "[href^='/']", TagStructure = TagStructure.WithoutEndTag)]
[HtmlTargetElement("use", Attributes = "[href^='/']")]
[HtmlTargetElement("script", Attributes = "[src^='/']")]
public sealed class AssetTagHelper(Assets assets) : TagHelper
{
    public override void Process(TagHelperContext context, TagHelperOutput output)
    {
        var name = output.TagName == "script" ? "src" : "href";
        if (output.Attributes[name]?.Value?.ToString() is { } address)
        {
            var hash = address.IndexOf('#', StringComparison.Ordinal);
            var (path, fragment) = hash < 0 ? (address, "") : (address[..hash], address[hash..]);
            output.Attributes.SetAttribute(name, assets.Url(path[1..]) + fragment);
        }
    }
}
