using Appliance.Data;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Appliance.Web;

namespace Appliance.Tests.Web;

[Trait("Requirement", "O2")]
public sealed class FirstStartTests
{
    [Fact]
    public async Task A_first_start_makes_every_key_for_its_own_account_alone()
    {
        await using var host = await ApplianceHost.StartAsync();
        foreach (var file in new[] { host.Settings.ApplianceKeyFile, host.Settings.LedgerKeyFile })
        {
            File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead);
        }
        foreach (var folder in new[] { host.Settings.DataFolder, host.Settings.KeyFolder, host.Settings.CertificateFolder })
        {
            File.GetUnixFileMode(folder).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Fact]
    public async Task A_second_start_finds_everything_again()
    {
        await using var host = await ApplianceHost.StartAsync(map: Probes.Map);
        var key = await File.ReadAllTextAsync(host.Settings.ApplianceKeyFile);
        using (var before = host.Client())
        {
            await before.GetStringAsync("/probe/token");
        }
        await host.StopServiceAsync();
        await host.StartServiceAsync();
        (await File.ReadAllTextAsync(host.Settings.ApplianceKeyFile)).ShouldBe(key);
        (await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "select count(*) from data_protection_keys")).ShouldBe(1L);
    }

    [Theory]
    [InlineData("appliance.key")]
    [InlineData("ledger.key")]
    public async Task A_missing_key_stops_the_start_and_is_not_made_anew(string name)
    {
        await using var host = await StoppedAsync();
        var file = Path.Combine(host.Settings.KeyFolder, name);
        File.Delete(file);
        var error = await Should.ThrowAsync<KeyFileException>(host.StartServiceAsync);
        error.Message.ShouldContain(file);
        error.Message.ShouldContain("missing");
        File.Exists(file).ShouldBeFalse();
    }

    [Theory]
    [InlineData("appliance.key")]
    [InlineData("ledger.key")]
    public async Task Another_appliances_key_stops_the_start(string name)
    {
        await using var other = await StoppedAsync();
        await using var host = await StoppedAsync();
        var file = Path.Combine(host.Settings.KeyFolder, name);
        File.Delete(file);
        File.Copy(Path.Combine(other.Settings.KeyFolder, name), file);
        var error = await Should.ThrowAsync<KeyFileException>(host.StartServiceAsync);
        error.Message.ShouldContain(file);
        error.Message.ShouldContain("this data was made with key");
    }

    [Theory]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.GroupRead)]
    public async Task A_key_that_others_may_read_stops_the_start(UnixFileMode mode)
    {
        await using var host = await StoppedAsync();
        File.SetUnixFileMode(host.Settings.ApplianceKeyFile, mode);
        (await Should.ThrowAsync<KeyFileException>(host.StartServiceAsync)).Message.ShouldContain(host.Settings.ApplianceKeyFile);
    }

    [Fact, Trait("Requirement", "O8")]
    public async Task Data_of_a_newer_version_is_refused_with_the_version_that_it_needs()
    {
        await using var host = await StoppedAsync();
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, """
            update appliance_state set value = '9999_later' where name = 'schema'; update appliance_state set value = '7.8.9' where name = 'schema_version';
            insert into "__EFMigrationsHistory" values ('9999_later', '10.0.0'); select 1
            """);
        (await Should.ThrowAsync<NewerSchemaException>(host.StartServiceAsync)).Message.ShouldContain("version 7.8.9 or later is needed");
        (await Should.ThrowAsync<NewerSchemaException>(DataServices.MigrateAsync(host.Settings.Database, default, typeof(ApplianceProgram).Assembly)))
            .Message.ShouldContain("version 7.8.9 or later is needed");
    }

    [Fact, Trait("Requirement", "O8")]
    public async Task A_schema_that_was_not_brought_up_to_date_is_refused_with_what_to_do()
    {
        await using var host = await StoppedAsync();
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "update appliance_state set value = '0001_foundation' where name = 'schema'; select 1");
        (await Should.ThrowAsync<OlderSchemaException>(host.StartServiceAsync)).Message.ShouldContain("verb migrate");
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, "drop table appliance_state; select 1");
        (await Should.ThrowAsync<OlderSchemaException>(host.StartServiceAsync)).Message.ShouldContain("not there yet");
    }

    [Fact, Trait("Requirement", "O8")]
    public async Task A_clock_behind_what_was_written_is_said()
    {
        await using var host = await ApplianceHost.StartAsync();
        (await ClockCheck.AskAsync(host.Database, TimeProvider.System, default)).ShouldBeNull();
        await host.Cluster.SuperuserAsync(host.Settings.DatabaseName, """
            insert into ledger_heads (tree, size, root, frontier, signed_at, key_id, signature)
            values ('00000000-0000-0000-0000-000000000000', 1000000, sha256('x'), 'x', now() + interval '400 days', 'x', 'x'); select 1
            """);
        (await ClockCheck.AskAsync(host.Database, TimeProvider.System, default)).ShouldNotBeNull().ShouldContain("set the clock");
    }

    [Fact]
    public async Task A_garbled_key_stops_the_start()
    {
        await using var host = await StoppedAsync();
        File.Delete(host.Settings.ApplianceKeyFile);
        await File.WriteAllTextAsync(host.Settings.ApplianceKeyFile, "appliance-key-v1:short\n");
        File.SetUnixFileMode(host.Settings.ApplianceKeyFile, UnixFileMode.UserRead);
        (await Should.ThrowAsync<KeyFileException>(host.StartServiceAsync)).Message.ShouldContain(host.Settings.ApplianceKeyFile);
    }

    [Fact]
    public async Task No_key_is_made_over_sealed_objects_even_where_the_database_is_new()
    {
        await using var host = await StoppedAsync();
        var settings = host.Settings with { DatabaseName = await host.Cluster.CreateDatabaseAsync() };
        File.Delete(settings.ApplianceKeyFile);
        Directory.CreateDirectory(settings.ObjectFolder);
        await File.WriteAllTextAsync(Path.Combine(settings.ObjectFolder, "object"), "sealed");
        await Should.ThrowAsync<KeyFileException>(() => FirstStart.PrepareAsync(settings, default));
        File.Exists(settings.ApplianceKeyFile).ShouldBeFalse();
    }

    [Fact]
    public async Task A_first_start_that_was_cut_off_is_finished_by_the_next()
    {
        await using var host = await StoppedAsync();
        // Cut off after the first key's file, before the database knew of it.
        var settings = host.Settings with { DatabaseName = await host.Cluster.CreateDatabaseAsync() };
        File.Delete(settings.LedgerKeyFile);
        var key = await File.ReadAllTextAsync(settings.ApplianceKeyFile);
        await FirstStart.PrepareAsync(settings, default);
        (await File.ReadAllTextAsync(settings.ApplianceKeyFile)).ShouldBe(key);
        File.Exists(settings.LedgerKeyFile).ShouldBeTrue();
        (await host.Cluster.SuperuserAsync(settings.DatabaseName, "select count(*) from appliance_state where name like '%_key_id'")).ShouldBe(2L);
    }

    private static async Task<ApplianceHost> StoppedAsync()
    {
        var host = await ApplianceHost.StartAsync();
        await host.StopServiceAsync();
        return host;
    }
}
