-- Small files in as few flights to the database as can be. The functions keep their plans for as long as a connection lives.

-- What an upload asks before its bytes are read, of the team that is set, as whoever is set: one row for a member, none for anybody else.
-- "folder" is the reference of the folder it goes to (null: the root), "key" the name's; folder_id is null at the root, and "there" says
-- whether the folder is; "kind" is what has the name by now.
create function app_upload_look(folder text, key text)
    returns table (there boolean, folder_id uuid, kind text, max_bytes bigint, max_files bigint)
    language plpgsql stable security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_column
    declare
        team uuid := app_team();
        place record;
        above uuid;
        gone timestamptz;
        steps integer := 0;
    begin
        if not coalesce(app_may_enter(), false) then
            return;
        end if;
        there := true;
        select u.max_bytes, u.max_files into max_bytes, max_files from team_usage u where u.team_id = team;
        if folder is not null then
            select e.id, e.parent_id, e.deleted_at, e.kind into place from entries e where e.team_id = team and e.reference = folder;
            there := found and place.deleted_at is null and place.kind = 'folder';
            if there then
                folder_id := place.id;
                above := place.parent_id;
                while there and above is not null loop
                    select e.parent_id, e.deleted_at into above, gone from entries e where e.team_id = team and e.id = above;
                    steps := steps + 1;
                    there := gone is null and steps <= 64; -- the depth bounds a loop that cannot be
                end loop;
            end if;
        end if;
        if there and folder_id is null then
            select e.kind into kind from entries e where e.team_id = team and e.parent_id is null and e.name_key = key and e.deleted_at is null;
        elsif there then
            select e.kind into kind from entries e where e.team_id = team and e.parent_id = folder_id and e.name_key = key and e.deleted_at is null;
        end if;
        return next;
    end $$;

-- A new file with its first version, the segment that holds it (null: it is empty) and what the ledger says of it, as whoever is set. It runs
-- as the caller: row-level security decides on each row. False, and nothing is written, where the name is taken or the folder gone.
create function app_add_file(
    folder uuid, entry uuid, reference text, name text, key text, version uuid, size bigint, media_type text, object uuid, made_at timestamptz,
    told uuid, told_at timestamptz, actor uuid, action text, subject text, address text, details text)
    returns boolean language plpgsql set search_path = public, pg_temp
    as $$
    #variable_conflict use_variable
    declare
        team uuid := app_team();
        me uuid := app_user();
        above uuid := folder;
        gone timestamptz;
        steps integer := 0;
    begin
        while above is not null loop
            select e.parent_id, e.deleted_at into above, gone from entries e where e.team_id = team and e.id = above;
            steps := steps + 1;
            if not found or gone is not null or steps > 64 then
                return false;
            end if;
        end loop;
        insert into entries (id, team_id, reference, parent_id, kind, name, name_key, current_version_id, size, media_type, created_at, created_by, modified_at, modified_by)
            values (entry, team, reference, folder, 'file', name, key, version, size, media_type, made_at, me, made_at, me)
            on conflict (team_id, parent_id, name_key) where deleted_at is null do nothing;
        if not found then
            return false;
        end if;
        insert into versions (id, team_id, entry_id, content_id, number, size, media_type, created_at, created_by)
            values (version, team, entry, version, 1, size, media_type, made_at, me);
        if object is not null then
            insert into segments (team_id, content_id, start, length, object_id) values (team, version, 0, size, object);
        end if;
        insert into ledger_entries (id, tree, at, actor, action, subject, address, details)
            values (told, team, told_at, actor, action, subject, address, details);
        return true;
    end $$;
revoke all on function app_upload_look(text, text) from public;
revoke all on function app_add_file(uuid, uuid, text, text, text, uuid, bigint, text, uuid, timestamptz, uuid, timestamptz, uuid, text, text, text, text) from public;
grant execute on function app_upload_look(text, text) to appliance_app;
grant execute on function app_add_file(uuid, uuid, text, text, text, uuid, bigint, text, uuid, timestamptz, uuid, timestamptz, uuid, text, text, text, text) to appliance_app;
