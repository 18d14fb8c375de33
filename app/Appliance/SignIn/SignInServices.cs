using Appliance.Accounts;
using Appliance.Accounts.Address;
using Appliance.Accounts.People;
using Appliance.SignIn.Alerts;
using Appliance.SignIn.ForgottenPassword;
using Appliance.SignIn.LostKey;
using Appliance.SignIn.Policy;
using Appliance.SignIn.RememberedDevices;
using Appliance.SignIn.Sms;
using Appliance.SignIn.Tokens;
using Appliance.SignIn.Totp;
using Appliance.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Appliance.SignIn;

public static class SignInServices
{
    /// <summary>Accounts on Identity, sessions, signing in, set-up links, and the policies of <see cref="Access"/>.</summary>
    public static IServiceCollection AddSignIn(this IServiceCollection services, SignInSettings? settings = null)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(settings ?? new SignInSettings());
        services.AddSingleton<Sessions>().AddSingleton<ApiTokens>().AddSingleton<Delays>().AddSingleton<Notices>().AddSingleton<RecoveryCodes>().AddSingleton<SetUpLinks>().AddSingleton<SignInPeople>();
        services.AddSingleton<MailLinks>().AddSingleton<KnownOrigins>().AddSingleton<AccountAlerts>().AddSingleton<Addresses>().AddSingleton<NewPasswords>().AddSingleton<ApplianceOwners>().AddSingleton<LostKeyMails>().AddSingleton<LostKeys>().AddSingleton<LostKeyRecovery>();
        services.AddSingleton<DeviceMemory>().AddSingleton<AppOffers>().AddSingleton<AuthenticatorApps>().AddSingleton<SmsGateway>().AddSingleton<Phones>();
        services.AddSingleton<PasswordGate>().AddSingleton<PasswordPolicy>().AddSingleton<PasswordHasher>();
        services.AddScoped<AccountSession>();
        services.AddScoped<Attempts>();
        services.AddScoped(provider => new SignInFlow(provider));
        services.AddScoped(provider => new UnlockFlow(provider));
        services.AddScoped(provider => new SetUpFlow(provider));
        services.AddScoped(provider => new NewPasswordFlow(provider));
        services.AddHostedService<NewPasswordMailer>();
        services.AddScoped(provider => new PasskeySignIn(provider));
        services.AddSingleton<Policies>();
        services.AddSingleton<PasswordCheckLimit>();
        services.TryAddSingleton(new Announcements(Console.Out));
        services.AddHostedService<SetUpAtStart>();
        services.AddHostedService<SignInSweeper>();
        AddIdentity(services);
        AddSchemesAndPolicies(services);
        return services;
    }

    private static void AddIdentity(IServiceCollection services)
    {
        services.AddSingleton<IPasswordHasher<User>>(provider => provider.GetRequiredService<PasswordHasher>());
        services.AddSingleton<ILookupNormalizer, NameKey>();
        services.AddScoped<IUserStore<User>, UserStore>();
        services.AddIdentityCore<User>(options =>
        {
            // Identity's own rules of composition are off; the policy is PasswordPolicy's.
            options.Password.RequireDigit = false;
            options.Password.RequireLowercase = false;
            options.Password.RequireUppercase = false;
            options.Password.RequireNonAlphanumeric = false;
            options.Password.RequiredUniqueChars = 1;
            options.Password.RequiredLength = 7;
        });
        services.AddScoped<IPasswordValidator<User>>(provider => provider.GetRequiredService<PasswordPolicy>());
    }

    private static void AddSchemesAndPolicies(IServiceCollection services)
    {
        services.AddAuthentication(ApiSignIn.ByEndpoint)
            .AddApiSignIn()
            .AddScheme<AuthenticationSchemeOptions, SessionAuthenticationHandler>(SessionAuthenticationHandler.Scheme, null)
            .AddScheme<AuthenticationSchemeOptions, HalfSignedInHandler>(HalfSignedInHandler.Scheme, null)
            .AddScheme<AuthenticationSchemeOptions, SetUpHandler>(SetUpHandler.Scheme, null)
            .AddScheme<AuthenticationSchemeOptions, NewPasswordHandler>(NewPasswordHandler.Scheme, null);
        services.AddAuthorizationBuilder()
            .AddApiPolicies()
            .AddPolicy(Access.SignedIn, p => InState(p, SignedInPerson.Open))
            .AddPolicy(Access.SteppedUp, p => InState(p, SignedInPerson.Open).RequireClaim(SignedInPerson.SteppedUpClaim, "true"))
            .AddPolicy(Access.Enrol, p => InState(p, SignedInPerson.Open, SignedInPerson.MustEnrol))
            .AddPolicy(Access.EnrolSteppedUp, p => InState(p, SignedInPerson.Open, SignedInPerson.MustEnrol).RequireClaim(SignedInPerson.SteppedUpClaim, "true"))
            .AddPolicy(Access.SteppingUp, p => InState(p, SignedInPerson.Open, SignedInPerson.PasswordDue, SignedInPerson.MustEnrol))
            .AddPolicy(Access.PasswordDueSteppedUp, p => InState(p, SignedInPerson.Open, SignedInPerson.PasswordDue).RequireClaim(SignedInPerson.SteppedUpClaim, "true"))
            .AddPolicy(Access.Locked, p => p.AddAuthenticationSchemes(SessionAuthenticationHandler.Scheme).RequireAuthenticatedUser())
            .AddPolicy(Access.HalfSignedIn, p => p.AddAuthenticationSchemes(HalfSignedInHandler.Scheme).RequireAuthenticatedUser())
            .AddPolicy(Access.SettingUp, p => p.AddAuthenticationSchemes(SetUpHandler.Scheme).RequireAuthenticatedUser())
            .AddPolicy(Access.NewPassword, p => p.AddAuthenticationSchemes(NewPasswordHandler.Scheme).RequireAuthenticatedUser())
            .AddPolicy(Access.ChoosingPassword, p => p.AddAuthenticationSchemes(SessionAuthenticationHandler.Scheme, SetUpHandler.Scheme, NewPasswordHandler.Scheme)
                .RequireAuthenticatedUser()
                .RequireAssertion(c => c.User.HasClaim(claim => claim.Type is SetUpHandler.LinkClaim or NewPasswordHandler.UserClaim)
                    || (c.User.IdOrNull() is not null && !c.User.IsLocked() && !c.User.IsToEnrol() && c.User.OnlyTeamReference() is null)));
    }

    private static AuthorizationPolicyBuilder InState(AuthorizationPolicyBuilder policy, params string[] states) => policy
        .AddAuthenticationSchemes(SessionAuthenticationHandler.Scheme)
        .RequireAuthenticatedUser()
        .RequireClaim(SignedInPerson.StateClaim, states)
        .AddRequirements(new TeamDoor.Requirement());
}
