using System.Buffers;
using Appliance.Web.Tls;

namespace Appliance.Tests.Web;

/// <summary>What connections read into: nobody ever holds a block that somebody else was given.</summary>
public sealed class ConnectionMemoryTests
{
    [Fact, Trait("Requirement", "F10")]
    public void A_block_is_lent_to_one_at_a_time_and_given_back_once()
    {
        using var pool = new BlockPool(4096, 8);
        var first = pool.Rent(4096);
        first.Memory.Length.ShouldBe(4096);
        first.Dispose();
        first.Dispose();
        pool.Kept.ShouldBe(1);
        Should.Throw<ObjectDisposedException>(() => first.Memory.Length);

        using var second = pool.Rent();
        using var third = pool.Rent();
        second.Memory.Span.Fill(1);
        third.Memory.Span.Fill(2);
        second.Memory.Span.IndexOfAnyExcept((byte)1).ShouldBe(-1);
        Should.Throw<ArgumentOutOfRangeException>(() => pool.Rent(4097));
    }

    [Fact, Trait("Requirement", "F10")]
    public async Task What_is_kept_has_a_bound_and_is_forgotten_when_work_has_died_down()
    {
        using var pool = new BlockPool(64, 8);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 10_000; i++)
            {
                IMemoryOwner<byte>[] loans = [pool.Rent(), pool.Rent(), pool.Rent(), pool.Rent()];
                foreach (var loan in loans)
                {
                    loan.Dispose();
                }
            }
        })));
        pool.Kept.ShouldBeInRange(1, 8);
        pool.Release();
        pool.Kept.ShouldBe(0);
    }
}
