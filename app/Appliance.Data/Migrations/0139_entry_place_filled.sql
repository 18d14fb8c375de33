-- The top-level folder of what is there already, from the top downwards. A migration of its own, so that it holds rows and no table: files are read meanwhile,
-- and who puts something into a folder waits for the end of it, then sees what was filled in.
do $$
    declare
        changed bigint;
    begin
        update entries set top_id = id where parent_id is null and kind = 'folder';
        loop
            update entries e set top_id = p.top_id from entries p
             where p.team_id = e.team_id and p.id = e.parent_id and p.top_id is not null and e.top_id is null;
            get diagnostics changed = row_count;
            exit when changed = 0;
        end loop;
    end $$;
