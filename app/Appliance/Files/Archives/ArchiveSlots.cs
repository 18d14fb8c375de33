using Appliance.Data;
using Appliance.Web;

namespace Appliance.Files;

/// <summary>
/// How many archives may be under way at one time, for one person and in this process: each holds its list of entries in memory, and a reader and a
/// connection to the store, for as long as its client takes. Asked before anything is looked up. Thread-safe.
/// </summary>
public sealed class ArchiveSlots(Settings settings)
{
    /// <summary>When it is worth asking again.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly Dictionary<UserId, int> _people = [];
    private int _all;

    /// <summary>A place, to be disposed where the archive ends, however it ends; or the bound that is reached.</summary>
    internal (IDisposable? Place, ArchiveBound Reached) Enter(UserId person)
    {
        lock (_lock)
        {
            var mine = _people.GetValueOrDefault(person);
            if (mine >= settings.Limits.ArchivesPerPerson)
            {
                return (null, ArchiveBound.Person);
            }
            if (_all >= settings.Limits.Archives)
            {
                return (null, ArchiveBound.Appliance);
            }
            _people[person] = mine + 1;
            _all++;
            return (new Held(this, person), ArchiveBound.None);
        }
    }

    private void Leave(UserId person)
    {
        lock (_lock)
        {
            _all--;
            if (--_people[person] == 0)
            {
                _people.Remove(person);
            }
        }
    }

    private sealed class Held(ArchiveSlots slots, UserId person) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                slots.Leave(person);
            }
        }
    }
}

internal enum ArchiveBound
{
    None,
    Person,
    Appliance,
}
