namespace Appliance.Mail;

public static class MailServices
{
    /// <summary>The queue of mail and whoever empties it.</summary>
    public static IServiceCollection AddMail(this IServiceCollection services)
    {
        services.AddSingleton<MailQueue>().AddSingleton<Phrases>().AddSingleton<SmtpChannel>();
        services.AddHostedService<MailDispatcher>();
        return services;
    }
}
