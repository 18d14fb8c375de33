using System.Security.Cryptography;
using Appliance.Objects;
using Appliance.Objects.S3;
using Appliance.Tests.TestServers;
using Appliance.Vault;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Objects;

/// <summary>What happens when the S3 server goes away, and when the connection to it breaks at the worst time.</summary>
[Collection(S3Collection.Name)]
public sealed class S3FaultTests : IDisposable
{
    private const int PartSize = 5 << 20;

    private readonly RadosGateway _server;
    private readonly S3TestOptions _options = new();
    private readonly TestVault _vault = new();
    private readonly TcpForwarder _wire;
    private readonly S3Store _store;
    private readonly SealedObjects _objects;

    public S3FaultTests(RadosGateway server)
    {
        _server = server;
        _wire = new TcpForwarder(server.Plain.Port);
        _store = new S3Store(_options.For(new Uri($"http://127.0.0.1:{_wire.Port}"), "faults"));
        _objects = new SealedObjects(_store, _vault.Sealer, TimeProvider.System);
        _store.PrepareAsync(default).GetAwaiter().GetResult();
    }

    [Theory, Trait("Requirement", "F2")]
    [InlineData(100_000)]
    [InlineData(PartSize + 1000)]
    [InlineData(2 * PartSize + 2_000_000)]
    public async Task A_connection_cut_in_the_middle_of_a_part_loses_nothing(int cutAfter)
    {
        var content = RandomNumberGenerator.GetBytes(3 * PartSize);
        _wire.CutAfterSending(cutAfter);
        var id = await SealAsync(content);

        _wire.Cuts.ShouldBe(1);
        (await OpenAsync(id, content.Length)).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task A_connection_cut_while_reading_is_taken_up_where_it_broke()
    {
        var content = RandomNumberGenerator.GetBytes(2 * PartSize);
        var id = await SealAsync(content);
        _wire.CutAfterReceiving(PartSize);

        (await OpenAsync(id, content.Length)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        _wire.Cuts.ShouldBe(1);
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task An_object_whose_acknowledgement_was_lost_is_recognised_as_our_own()
    {
        const int Continue = 25; // bytes of "HTTP/1.1 100 Continue" and its empty line, which precede the answer
        var content = RandomNumberGenerator.GetBytes(1000);
        var id = ObjectId.New();
        await using (var writer = await _objects.CreateAsync(_vault.Team, id, default))
        {
            await writer.WriteAsync(content, default);
            _wire.CutAfterReceiving(Continue + 1);
            await writer.CompleteAsync(default);
        }

        _wire.Cuts.ShouldBe(1);
        (await OpenAsync(id, content.Length)).ShouldBe(content);
    }

    [Fact, Trait("Requirement", "T7")]
    public async Task A_server_that_dies_in_the_middle_of_an_upload_and_stays_away_leaves_nothing_visible()
    {
        var id = ObjectId.New();
        await using (var writer = await _objects.CreateAsync(_vault.Team, id, default))
        {
            await writer.WriteAsync(new byte[2 * PartSize], default);
            await _server.StopAsync();
            try
            {
                var error = await Should.ThrowAsync<StoreUnavailableException>(async () =>
                {
                    await writer.WriteAsync(new byte[2 * PartSize], default);
                    await writer.CompleteAsync(default);
                });
                error.ShouldNotBeOfType<StoreMisconfiguredException>();
                error.Message.ShouldContain($"127.0.0.1:{_wire.Port}");
                await Should.ThrowAsync<StoreUnavailableException>(() => _objects.CheckReachableAsync(default));
                await writer.DisposeAsync(); // while it is away, so the upload's parts stay behind
            }
            finally
            {
                await _server.StartAgainAsync();
            }
        }

        await _objects.CheckReachableAsync(default);
        (await _store.StatAsync(new ObjectKey(_vault.Team, id), default)).ShouldBeNull();
        var swept = await _objects.SweepAsync(
            _vault.Team, (_, _) => Task.FromResult<IReadOnlySet<ObjectId>>(new HashSet<ObjectId>()), TimeSpan.Zero, default);
        swept.ShouldBe(new SweepResult(0, 0, AbortedWrites: 1));
        await SealAsync(new byte[10]);
    }

    [Fact, Trait("Requirement", "F2")]
    public async Task A_server_that_is_back_in_time_goes_unnoticed()
    {
        var content = RandomNumberGenerator.GetBytes(4 * PartSize);
        var id = ObjectId.New();
        await using (var writer = await _objects.CreateAsync(_vault.Team, id, default))
        {
            await writer.WriteAsync(content.AsMemory(0, 2 * PartSize), default);
            await _server.StopAsync();
            var back = _server.StartAgainAsync();
            await writer.WriteAsync(content.AsMemory(2 * PartSize), default);
            await back;
            await writer.CompleteAsync(default);
        }
        (await OpenAsync(id, content.Length)).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task What_was_acknowledged_survives_the_servers_death()
    {
        var content = RandomNumberGenerator.GetBytes(PartSize + 1000);
        var id = await SealAsync(content);
        await _server.StopAsync();
        await _server.StartAgainAsync();
        (await OpenAsync(id, content.Length)).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact, Trait("Requirement", "F8")]
    public async Task A_second_server_can_run_beside_this_one_and_leaves_nothing_behind()
    {
        var second = new RadosGateway();
        await second.InitializeAsync();
        using (var store = new S3Store(_options.For(second.Plain, "second")))
        {
            await store.PrepareAsync(default);
        }
        await second.DisposeAsync();
        Directory.Exists(second.Folder).ShouldBeFalse();
        await _objects.CheckReachableAsync(default);
    }

    public void Dispose()
    {
        _store.Dispose();
        _wire.Dispose();
        _vault.Dispose();
        _options.Dispose();
    }

    private async Task<ObjectId> SealAsync(byte[] content)
    {
        var id = ObjectId.New();
        await using var writer = await _objects.CreateAsync(_vault.Team, id, default);
        await writer.WriteAsync(content, default);
        await writer.CompleteAsync(default);
        return id;
    }

    private async Task<byte[]> OpenAsync(ObjectId id, int length)
    {
        await using var stream = await _objects.OpenAsync(_vault.Team, id, length, 0, length, default);
        var content = new byte[length];
        await stream.ReadExactlyAsync(content);
        return content;
    }
}
