using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Appliance.SignIn;
using Shouldly;

namespace Appliance.Tests.SignIn.Totp;

/// <summary>An authenticator app, written from the RFCs and not with the library that the service uses.</summary>
public sealed partial class SoftwareApp(byte[] secret)
{
    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    public byte[] Secret => secret;

    /// <summary>Set up as people do who cannot scan: from the secret that the page shows.</summary>
    public static SoftwareApp Typed(string html) => new(FromBase32(Shown().Match(html).Groups["secret"].Value.Replace(" ", "", StringComparison.Ordinal)));

    public string Code(DateTimeOffset now, int steps = 0) => Code((now.ToUnixTimeSeconds() / 30) + steps);

    /// <summary>RFC 4226 §5.3 of RFC 6238's counter.</summary>
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "HMAC-SHA-1 is what RFC 4226 asks for.")]
    public string Code(long counter)
    {
        Span<byte> message = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(message, counter);
        var hash = HMACSHA1.HashData(secret, message);
        var number = BinaryPrimitives.ReadUInt32BigEndian(hash.AsSpan(hash[^1] & 0xF)) & 0x7FFF_FFFF;
        return (number % 1_000_000).ToString("D6", CultureInfo.InvariantCulture);
    }

    private static byte[] FromBase32(string text)
    {
        text.Length.ShouldBe(32, "160 bits");
        var bits = string.Concat(text.Select(c => Convert.ToString(Base32.IndexOf(c, StringComparison.Ordinal), 2).PadLeft(5, '0')));
        return [.. bits.Chunk(8).Select(b => Convert.ToByte(new string(b), 2))];
    }

    [GeneratedRegex("<code class=\"app-secret\">(?<secret>[^<]+)</code>", RegexOptions.None, 5000)]
    private static partial Regex Shown();
}

/// <summary>What a person with an app does.</summary>
internal static class AppJourneys
{
    /// <summary>A person who set the account up with an app and no key.</summary>
    public static async Task<(Visitor Person, SoftwareApp App)> AppPersonAsync(this SignInHost host, string username)
    {
        var person = host.Visitor();
        await person.SendAsync("/set-up/" + await host.LinkAsync());
        await person.SendAsync("/set-up", null, ("Username", username), ("Password", Visitor.Password));
        var html = await person.HtmlAsync("/set-up/app");
        var app = SoftwareApp.Typed(html);
        var done = await person.PostAsync(html, "/set-up/app", ("Code", app.Code(host.Clock.GetUtcNow())));
        var codes = await done.Content.ReadAsStringAsync();
        Regex.Count(codes, "<li><code>[^<]+</code></li>", RegexOptions.None, TimeSpan.FromSeconds(5)).ShouldBe(RecoveryCodes.Count, codes);
        host.NextCode();
        return (person, app);
    }

    /// <summary>A further app, or another one, for somebody who is stepped up.</summary>
    public static async Task<SoftwareApp> AddAppAsync(this SignInHost host, Visitor person)
    {
        var html = await person.HtmlAsync("/account/security/app/add");
        var app = SoftwareApp.Typed(html);
        var done = await person.PostAsync(html, "/account/security/app/add", ("Code", app.Code(host.Clock.GetUtcNow())));
        done.Headers.Location?.ToString().ShouldBe("/account/security", await done.Content.ReadAsStringAsync());
        host.NextCode();
        return app;
    }

    /// <summary>Five seconds into the next time step, so that a test that is quick stays in it.</summary>
    public static void NextCode(this SignInHost host)
    {
        var into = TimeSpan.FromTicks(host.Clock.GetUtcNow().Ticks % TimeSpan.FromSeconds(30).Ticks);
        host.Clock.Move(TimeSpan.FromSeconds(35) - into);
    }

    /// <summary>Password and code.</summary>
    public static async Task<HttpResponseMessage> SignInWithAppAsync(this SignInHost host, Visitor visitor, string username, SoftwareApp app, int steps = 0)
    {
        await visitor.PasswordAsync(username);
        return await visitor.SendAsync("/sign-in/app", null, ("Code", app.Code(host.Clock.GetUtcNow(), steps)));
    }

    public static bool IsRefusal(this HttpResponseMessage answer) => answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.TooManyRequests && answer.Headers.Location is null;
}
