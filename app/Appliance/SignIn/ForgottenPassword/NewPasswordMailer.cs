using Appliance.Data;

namespace Appliance.SignIn.ForgottenPassword;

/// <summary>Answers requests for new passwords, a moment after they were made.</summary>
internal sealed partial class NewPasswordMailer(NewPasswords passwords, ILogger<NewPasswordMailer> log) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(5);

    /// <summary>
    /// What is answered takes more work than what is not. It is done at a time of its own choosing, within this, so that whoever asks again and again does
    /// not feel it in the answers that follow.
    /// </summary>
    private const int LongestPauseMilliseconds = 1000;

    private readonly SemaphoreSlim _wake = new(0);

    public override void Dispose()
    {
        _wake.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!passwords.AreOffered)
        {
            return;
        }
        void Wake(object? sender, EventArgs e) => _wake.Release();
        passwords.Asked += Wake;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                try
                {
                    while (await passwords.AnswerNextAsync(stoppingToken))
                    {
                    }
                }
                catch (DatabaseUnavailableException)
                {
                    Postponed(log);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    Unexpected(log, e);
                }
                await _wake.WaitAsync(Look, stoppingToken);
                await Task.Delay(System.Security.Cryptography.RandomNumberGenerator.GetInt32(LongestPauseMilliseconds), stoppingToken);
                while (await _wake.WaitAsync(TimeSpan.Zero, stoppingToken))
                {
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The appliance stops.
        }
        finally
        {
            passwords.Asked -= Wake;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The database is away; requests for new passwords wait.")]
    private static partial void Postponed(ILogger log);

    [LoggerMessage(Level = LogLevel.Error, Message = "A request for a new password could not be answered.")]
    private static partial void Unexpected(ILogger log, Exception error);
}
