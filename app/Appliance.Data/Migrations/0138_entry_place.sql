-- An entry knows the top-level folder that it lies in (itself, for such a folder); null for a file that lies beside them. The database keeps it so.
alter table entries add column top_id uuid;
create policy owner_places on entries for update to appliance_owner using (true) with check (true);
create function entries_place() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$
    begin
        if new.parent_id is null then
            new.top_id := case when new.kind = 'folder' then new.id end;
        else
            -- Shared with others who put something there, and not with who is moving that folder: what it is in is true until the commit.
            select e.top_id into new.top_id from entries e where e.team_id = new.team_id and e.id = new.parent_id for share;
        end if;
        return new;
    end $$;
create function entries_place_below() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$
    declare
        above uuid[] := array[new.id];
    begin
        -- Level by level, each with a look of its own: what was put into a folder while it was waited for is found.
        while cardinality(above) > 0 loop
            with placed as (
                update entries e set top_id = new.top_id where e.team_id = new.team_id and e.parent_id = any (above) returning e.id, e.kind)
            select array_agg(p.id) filter (where p.kind = 'folder') into above from placed p;
        end loop;
        return null;
    end $$;
revoke all on function entries_place(), entries_place_below() from public;
create trigger place before insert on entries for each row execute function entries_place();
create trigger place_again before update of parent_id on entries for each row when (old.parent_id is distinct from new.parent_id) execute function entries_place();
create trigger place_below after update on entries for each row
    when (old.parent_id is distinct from new.parent_id and old.top_id is distinct from new.top_id and new.kind = 'folder') execute function entries_place_below();
