namespace Appliance.Vault.Tests;

public sealed class DurableFileTests : IDisposable
{
    private const UnixFileMode Open = (UnixFileMode)0b110_110_110;

    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("durable-test-");

    [Theory]
    [InlineData(UnixFileMode.UserRead)]
    [InlineData(Open)] // more than any umask lets through
    public void A_new_file_is_whole_has_exactly_its_mode_and_leaves_nothing_beside_it(UnixFileMode mode)
    {
        var path = At("new");
        var contents = TestVault.Bytes(100_000);
        DurableFile.WriteNew(path, contents, mode);
        File.ReadAllBytes(path).AsSpan().SequenceEqual(contents).ShouldBeTrue();
        File.GetUnixFileMode(path).ShouldBe(mode);
        Directory.GetFiles(_root.FullName).ShouldBe([path]);
    }

    [Fact]
    public void An_existing_file_is_left_as_it_was()
    {
        var path = At("new");
        DurableFile.WriteNew(path, [1], Open);
        Should.Throw<IOException>(() => DurableFile.WriteNew(path, [2], Open)).Message.ShouldContain("exists already");
        DurableFile.TryWriteNew(path, [2], Open).ShouldBeFalse();
        File.ReadAllBytes(path).ShouldBe([1]);
        Directory.GetFiles(_root.FullName).ShouldBe([path]);
    }

    [Fact]
    public void A_missing_folder_is_told()
    {
        Should.Throw<IOException>(() => DurableFile.WriteNew(At("no/new"), [1], Open));
        Should.Throw<DirectoryNotFoundException>(() => DurableFile.FlushFolder(At("no"))).Message.ShouldContain(At("no"));
        DurableFile.FlushFolder(_root.FullName);
    }

    [Fact]
    public void Replace_puts_the_new_file_in_the_old_one_s_place_also_from_another_folder()
    {
        var temporary = Path.Combine(_root.CreateSubdirectory("incoming").FullName, "x");
        File.WriteAllBytes(temporary, [2]);
        File.WriteAllBytes(At("final"), [1]);
        DurableFile.Replace(temporary, At("final"));
        File.ReadAllBytes(At("final")).ShouldBe([2]);
        File.Exists(temporary).ShouldBeFalse();
        Should.Throw<FileNotFoundException>(() => DurableFile.Replace(temporary, At("final"))).FileName.ShouldBe(temporary);
        File.ReadAllBytes(At("final")).ShouldBe([2]);
    }

    [Fact]
    public void Replace_across_file_systems_is_refused_instead_of_copying()
    {
        var temporary = $"/dev/shm/durable-test-{Guid.NewGuid()}";
        File.WriteAllBytes(temporary, [2]);
        try
        {
            Should.Throw<IOException>(() => DurableFile.Replace(temporary, At("final"))).Message.ShouldContain("rename");
            File.Exists(At("final")).ShouldBeFalse();
            File.Exists(temporary).ShouldBeTrue();
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    public void Dispose() => _root.Delete(recursive: true);

    private string At(string name) => Path.Combine(_root.FullName, name);
}
