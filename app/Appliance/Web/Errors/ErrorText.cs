namespace Appliance.Web.Errors;

/// <summary>
/// What a refusal's author adds for the person, in place of the general text. Set with <c>context.Features.Set</c>; never holds an exception's text.
/// <c>Code</c> tells programs which refusal it is (<see cref="Api.ApiProblem"/>); null where the status tells all there is to tell.
/// </summary>
public sealed record ErrorDetail(string Detail, string? Code = null);

/// <summary>An error in a person's words: what happened, what was kept, what to do.</summary>
internal sealed record ErrorText(int Status, string Title, string Detail, string? Reference, string? Code)
{
    public static ErrorText Of(int status, string? reference, ErrorDetail? detail)
    {
        var (title, text) = status switch
        {
            400 => ("This request could not be understood", "Nothing was changed. If you came from a page that was open for long, reload it and try again."),
            401 => ("You are not signed in", "Nothing was changed. Sign in and try again."),
            403 => ("This is not open to you", "Nothing was changed. If you need it for your work, ask an owner of the team."),
            404 => ("Nothing at this address", "It may have been moved or deleted, or it belongs to a team you are not in."),
            405 => ("This address cannot do that", "Nothing was changed. Go back and use the page's own buttons."),
            408 => ("The request took too long to arrive", "Nothing was changed. Check your connection and try again."),
            409 => ("Someone else was faster", "Your change was not made, because this was changed meanwhile. Reload the page, look, and try again."),
            410 => ("This is gone", "It was here and has been removed for good."),
            411 or 412 or 428 => ("This request could not be carried out", "Nothing was changed. Reload the page and try again."),
            413 => ("This is too much at once", "Nothing was stored: the request is larger than this address takes. Files go in through the upload page, at any size."),
            414 or 431 => ("The request's head is too large", "Nothing was changed. Clear this site's cookies in your browser and try again."),
            415 => ("This kind of content is not taken here", "Nothing was changed. Go back and use the page's own buttons."),
            421 => ("This appliance has another address", "Nothing was changed. Use the address that your operator gave you."),
            422 => ("Something in this request is not right", "Nothing was changed. Correct it and try again."),
            429 => ("Too many requests", "Nothing was changed. Wait a moment, then try again."),
            503 => ("Not available right now", "Everything that was confirmed before is stored; this was not done. The appliance is waiting for one of its parts and goes on by itself. Try again in a few seconds."),
            507 => ("The appliance is full", "Everything that was confirmed before is stored; this was not. Ask your operator for more space, then try again."),
            >= 500 => ("Something went wrong here", "The appliance could not finish this. Everything that was confirmed before is stored; what you were just sending may not be. Go back and try once more. If it happens again, give your operator the reference below."),
            _ => ("This request could not be carried out", "Nothing was changed. Go back and try again."),
        };
        return new ErrorText(status, title, detail?.Detail ?? text, reference, detail?.Code);
    }
}
