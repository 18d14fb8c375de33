using Appliance.Tests.TestServers;
using Shouldly;
using Xunit;

namespace Appliance.Tests.Data;

/// <summary>The build refuses every other way in: a line that tries it does not compile.</summary>
public sealed class BannedApiTests
{
    private static readonly string[] Offences =
    [
        "class Leak0 : Microsoft.EntityFrameworkCore.DbContext { }",
        "class Leak1 { object O => new Npgsql.NpgsqlConnection(); }",
        "class Leak2 { object O(System.Linq.IQueryable<string> q) => ((Microsoft.EntityFrameworkCore.DbSet<string>)q).EntityType; }",
        "class Leak3 { object O() => new Amazon.S3.AmazonS3Client(); }",
        "class Leak4 { object O() => new System.Security.Cryptography.AesGcm(new byte[32], 16); }",
        "class Leak5 { object O() => new System.Net.Http.HttpClient(); }",
        "class Leak6 { object O() => System.DateTime.Now; }",
    ];

    [Fact, Trait("Requirement", "T2")]
    public async Task A_second_way_in_does_not_compile()
    {
        // A project of its own under copies of the product's rules, so that the product's tree is not written to.
        var folder = Directory.CreateTempSubdirectory("appliance-ban-").FullName;
        try
        {
            foreach (var rule in new[] { "Directory.Packages.props", "Directory.Build.props", ".editorconfig", "global.json", "app/Appliance/BannedSymbols.txt" })
            {
                File.Copy(Path.Combine(Repository.Root, rule), Path.Combine(folder, Path.GetFileName(rule)));
            }
            await File.WriteAllTextAsync(Path.Combine(folder, "Leak.csproj"), """
                <Project Sdk="Microsoft.NET.Sdk.Web">
                  <PropertyGroup><OutputType>Library</OutputType><RestoreLockedMode>false</RestoreLockedMode></PropertyGroup>
                  <ItemGroup>
                    <PackageReference Include="Npgsql.EntityFrameworkCore.PostgreSQL" />
                    <PackageReference Include="AWSSDK.S3" />
                    <AdditionalFiles Include="BannedSymbols.txt" />
                  </ItemGroup>
                </Project>
                """);
            for (var i = 0; i < Offences.Length; i++)
            {
                await File.WriteAllTextAsync(Path.Combine(folder, $"Leak{i}.cs"), Offences[i]);
            }
            var (code, output) = await ChildProcess.TryRunAsync("dotnet", "build", folder, "--nologo", "-v", "q");
            code.ShouldNotBe(0);
            var refused = output.Split('\n').Where(line => line.Contains("error RS0030")).ToList();
            for (var i = 0; i < Offences.Length; i++)
            {
                refused.ShouldContain(line => line.Contains($"Leak{i}.cs"), Offences[i] + " was not refused:\n" + output);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
