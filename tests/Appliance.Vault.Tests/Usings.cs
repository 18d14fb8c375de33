global using System.Security.Cryptography;
global using Shouldly;
global using Xunit;
