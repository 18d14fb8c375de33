-- What a new file costs the database: each index, foreign key and trigger is paid for by every upload. These say the same with less.

-- The team is in every question, so it is in the primary keys, and an index by the bare id beside the one by team and id goes. A version is found
-- through its file; and that a file's current version is one of its own is now said, too. What removes a version finds the entry by the
-- entry's own key, so that the index by current version goes.
alter table entries
    drop constraint entries_team_id_current_version_id_fkey,
    drop constraint entries_team_id_parent_id_fkey;
alter table versions drop constraint versions_team_id_entry_id_fkey;
alter table uploads drop constraint uploads_team_id_folder_id_fkey;
drop index entries_current;
alter table entries drop constraint entries_pkey, drop constraint entries_team_id_id_key, add primary key (team_id, id);
alter table versions drop constraint versions_pkey, drop constraint versions_team_id_id_key, add primary key (team_id, entry_id, id);
alter table entries
    add foreign key (team_id, parent_id) references entries (team_id, id),
    add foreign key (team_id, id, current_version_id) references versions (team_id, entry_id, id) deferrable initially deferred;
alter table uploads add foreign key (team_id, folder_id) references entries (team_id, id);
-- Its entry names the team already; and a segment's team is one that its writer is in, as the policy asks.
alter table versions drop constraint versions_team_id_fkey, add foreign key (team_id, entry_id) references entries (team_id, id);
alter table segments drop constraint segments_team_id_fkey;

-- A new file counts with its first version, in one row; only later versions count by themselves. Row triggers with a condition cost nothing where
-- it does not hold. The rows are written here alone, for teams that are there.
create function usage_of_new_file() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$ begin insert into usage_changes (team_id, bytes, files) values (new.team_id, new.size, 1); return null; end $$;
create function usage_of_later_version() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$ begin insert into usage_changes (team_id, bytes, files) values (new.team_id, new.size, 0); return null; end $$;
revoke all on function usage_of_new_file(), usage_of_later_version() from public;
drop trigger usage_added on entries;
drop trigger usage_added on versions;
create trigger usage_added after insert on entries for each row when (new.kind = 'file') execute function usage_of_new_file();
create trigger usage_added after insert on versions for each row when (new.number > 1) execute function usage_of_later_version();
create or replace function usage_of_versions() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$ begin insert into usage_changes (team_id, bytes, files) select team_id, -sum(size), 0 from changed group by team_id; return null; end $$;
create or replace function usage_of_entries() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$ begin insert into usage_changes (team_id, bytes, files) select team_id, 0, -count(*) from changed where kind = 'file' group by team_id; return null; end $$;
drop index usage_changes_team;
alter table usage_changes drop constraint usage_changes_pkey, drop constraint usage_changes_team_id_fkey, add primary key (team_id, id);

-- As before, but a version is asked for by its file.
create or replace function app_content(entry text, wanted integer)
    returns table (version_id uuid, content_id uuid, name text, size bigint, media_type text, created_at timestamptz, start bigint, length bigint, object_id uuid)
    language plpgsql stable security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_column
    declare
        team uuid := app_team();
        file record;
        above uuid;
        gone timestamptz;
        steps integer := 0;
    begin
        if not coalesce(app_may_enter(), false) then
            return;
        end if;
        select e.id, e.parent_id, e.deleted_at, e.name, e.current_version_id into file from entries e where e.team_id = team and e.reference = entry;
        if not found or file.deleted_at is not null then
            return;
        end if;
        above := file.parent_id;
        while above is not null loop
            select e.parent_id, e.deleted_at into above, gone from entries e where e.team_id = team and e.id = above;
            steps := steps + 1;
            if gone is not null or steps > 64 then -- the depth bounds a loop that cannot be
                return;
            end if;
        end loop;
        if wanted is null then
            return query
                select v.id, v.content_id, file.name, v.size, v.media_type, v.created_at, s.start, s.length, s.object_id
                from versions v left join segments s on s.team_id = team and s.content_id = v.content_id
                where v.team_id = team and v.entry_id = file.id and v.id = file.current_version_id order by s.start;
        else
            return query
                select v.id, v.content_id, file.name, v.size, v.media_type, v.created_at, s.start, s.length, s.object_id
                from versions v left join segments s on s.team_id = team and s.content_id = v.content_id
                where v.team_id = team and v.entry_id = file.id and v.number = wanted order by s.start;
        end if;
    end $$;
