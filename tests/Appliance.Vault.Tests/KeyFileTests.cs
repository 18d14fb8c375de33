using System.Runtime.InteropServices;
using System.Text;

namespace Appliance.Vault.Tests;

[Trait("Requirement", "F7")]
public sealed class KeyFileTests : IDisposable
{
    private const string Good = "appliance-key-v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("keyfile-test-");

    public KeyFileTests() => File.SetUnixFileMode(_root.FullName, (UnixFileMode)0b111_101_101); // so that only the file's own mode is in the way

    private string KeyPath => Path.Combine(_root.FullName, "appliance.key");

    public static TheoryData<string, string> BadContents => new()
    {
        { "", "is empty" },
        { Good[..^1], "wrong length" },
        { Good + "A", "wrong length" },
        { Good + "\n\n", "wrong length" },
        { "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "wrong length" },
        { new string('A', 5000), "wrong length" },
        { Good.Replace("v1", "v2", StringComparison.Ordinal), "is garbled" },
        { Good.Replace("AAEC", "!!!!", StringComparison.Ordinal), "is garbled" },
        { Good.Replace("AAEC", "    ", StringComparison.Ordinal), "is garbled" },
        { Good.Replace("=", "A", StringComparison.Ordinal), "is garbled" },
        { new string('\0', Good.Length), "is garbled" },
    };

    [Fact]
    public void A_created_key_is_one_recognisable_line_that_only_its_owner_can_read()
    {
        FileKeyProvider.Create(KeyPath);
        File.GetUnixFileMode(KeyPath).ShouldBe(UnixFileMode.UserRead);
        var text = File.ReadAllText(KeyPath);
        text.ShouldStartWith("appliance-key-v1:");
        text.ShouldEndWith("=\n");
        text.Length.ShouldBe(17 + 44 + 1);
        Directory.GetFileSystemEntries(_root.FullName).ShouldBe([KeyPath]);

        using var first = FileKeyProvider.Open(KeyPath);
        using var second = FileKeyProvider.Open(KeyPath);
        second.KeyId.ShouldBe(first.KeyId);
        first.KeyId.Length.ShouldBe(16);
    }

    [Fact]
    public void Two_created_keys_differ()
    {
        FileKeyProvider.Create(KeyPath);
        FileKeyProvider.Create(KeyPath + "2");
        File.ReadAllText(KeyPath).ShouldNotBe(File.ReadAllText(KeyPath + "2"));
    }

    [Fact]
    public void An_existing_key_is_never_overwritten()
    {
        FileKeyProvider.Create(KeyPath);
        var before = File.ReadAllText(KeyPath);
        Refused(() => FileKeyProvider.Create(KeyPath), KeyPath, "exists already");
        File.ReadAllText(KeyPath).ShouldBe(before);
    }

    [Fact]
    public void Of_many_who_create_one_key_at_once_one_wins_and_its_file_is_whole()
    {
        var made = 0;
        Parallel.For(0, 16, _ =>
        {
            try
            {
                FileKeyProvider.Create(KeyPath);
                Interlocked.Increment(ref made);
            }
            catch (KeyFileException)
            {
                // someone else won
            }
        });
        made.ShouldBe(1);
        FileKeyProvider.Open(KeyPath).Dispose();
        Directory.GetFileSystemEntries(_root.FullName).ShouldBe([KeyPath]);
    }

    [Fact]
    public void A_missing_key_is_named_with_the_fix()
    {
        Refused(() => FileKeyProvider.Open(KeyPath), KeyPath, "is missing").Message.ShouldContain("backup of your keys");
        var deeper = Path.Combine(_root.FullName, "nowhere", "appliance.key");
        Refused(() => FileKeyProvider.Open(deeper), deeper, "is missing");
        Refused(() => FileKeyProvider.Create(deeper), deeper, "cannot be written");
    }

    [Theory]
    [MemberData(nameof(BadContents))]
    public void A_damaged_key_is_named_with_the_problem_and_the_fix(string contents, string problem)
    {
        DurableFile.WriteNew(KeyPath, Encoding.ASCII.GetBytes(contents), UnixFileMode.UserRead);
        var error = Refused(() => FileKeyProvider.Open(KeyPath), KeyPath, problem);
        error.Message.ShouldContain("backup of your keys");
        error.ToString().ShouldNotContain("AwQFBgcICQoL"); // nothing of the key
    }

    [Fact]
    public void A_key_without_its_final_newline_is_read()
    {
        DurableFile.WriteNew(KeyPath, Encoding.ASCII.GetBytes(Good), UnixFileMode.UserRead);
        using var provider = FileKeyProvider.Open(KeyPath);
        provider.KeyId.ShouldBe("2328e68c8c7148c6");
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherWrite)]
    [InlineData(UnixFileMode.OtherExecute)]
    public void A_key_open_to_group_or_others_is_refused(UnixFileMode extra)
    {
        FileKeyProvider.Create(KeyPath);
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | extra);
        Refused(() => FileKeyProvider.Open(KeyPath), KeyPath, "open to its group or to others").Message.ShouldContain($"chmod 0400 '{KeyPath}'");

        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        FileKeyProvider.Open(KeyPath).Dispose();
    }

    [Fact]
    public void A_key_that_this_account_may_not_read_is_refused()
    {
        FileKeyProvider.Create(KeyPath);
        File.SetUnixFileMode(KeyPath, UnixFileMode.None);
        Exception? error = null;
        var thread = new Thread(() =>
        {
            _ = setfsuid(65534); // root may read anything; this thread, until it ends, may not (setfsuid(2) is per thread)
            error = Record.Exception(() => FileKeyProvider.Open(KeyPath).Dispose());
        });
        thread.Start();
        thread.Join();
        error.ShouldBeOfType<KeyFileException>().Message.ShouldContain("not readable by this account");
    }

    [Fact]
    public void A_folder_in_the_place_of_a_key_is_refused()
    {
        Directory.CreateDirectory(KeyPath, UnixFileMode.UserRead);
        Refused(() => FileKeyProvider.Open(KeyPath), KeyPath, "is not readable");
    }

    public void Dispose() => _root.Delete(recursive: true);

    private static KeyFileException Refused(Action action, string path, string problem)
    {
        var error = Should.Throw<KeyFileException>(action);
        error.Path.ShouldBe(path);
        error.Message.ShouldStartWith($"Key file '{path}' ");
        error.Message.ShouldContain(problem);
        return error;
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int setfsuid(uint user);
}
