-- What a file goes through: versions that come back, the trash, search and sorting in large folders, what a team may store, and the tokens
-- that programs come with.

-- The listing reads one table: what it shows of a file's current version stands in the entry, too. A folder has size 0, so that both sort.
alter table entries
    add column size bigint not null default 0 check (size >= 0),
    add column media_type text,
    add column revision bigint not null default 1,   -- counts every change of the row: the entity tag against lost updates
    add column modified_by uuid references users (id),
    add column deleted_by uuid references users (id),
    add column purged_at timestamptz,                -- deleted for good: nobody sees it any more, a job removes rows and objects
    add constraint entries_purged check (purged_at is null or deleted_at is not null);
-- The owner, too, is held to the policies; for this once it is let at the rows.
alter table entries no force row level security;
alter table versions no force row level security;
update entries e set size = v.size, media_type = v.media_type, modified_by = v.created_by from versions v where v.id = e.current_version_id;
update entries set modified_by = created_by where modified_by is null;
alter table entries alter column modified_by set not null, alter column size drop default;

-- A version that was brought back is a new version with an old content.
alter table versions
    add column content_id uuid,
    add column restored_from integer;                -- the number of the version that it brought back
update versions set content_id = id;
alter table versions alter column content_id set not null;
create index versions_content on versions (team_id, content_id);

-- What the first bytes said, and what to do where the name is taken when the last byte is here.
alter table uploads
    add column media_type text,
    add column conflict text not null default 'version' check (conflict in ('version', 'keep-both', 'refuse'));

-- Sorting by time and by size, page by page. The first also finds everything below a folder, deleted or not.
create index entries_modified on entries (team_id, parent_id, kind, modified_at, name_key);
create index entries_size on entries (team_id, parent_id, size, name_key) where deleted_at is null and kind = 'file';
create index entries_trash on entries (team_id, deleted_at, id) where deleted_at is not null and purged_at is null;
create index entries_gone on entries (team_id, id) where deleted_at is not null and kind = 'folder';
create index entries_purge on entries (team_id, purged_at, id) where purged_at is not null;
-- Which entry has this version, and which uploads go to this folder: the database asks when it removes one of them.
create index entries_current on entries (current_version_id) where current_version_id is not null;
create index uploads_folder on uploads (team_id, folder_id) where folder_id is not null;
-- Search: what begins with the text, in order; and what holds it, by trigram. The first has operators of its own, so that no listing of one folder
-- takes it for the order by name and reads through the names of all others.
create index entries_prefix on entries (team_id, name_key text_pattern_ops) where deleted_at is null;
create index entries_search on entries using gin (team_id, name_key gin_trgm_ops) with (gin_pending_list_limit = 512) where deleted_at is null;
-- What happened to one thing.
create index ledger_entries_subject on ledger_entries (tree, subject, id desc) where subject is not null;

-- Row-level security lets no operator that could tell what it saw (LIKE) use an index before the policy has been asked. So names are searched by
-- the owner's function, which asks the same question as the policy, once.
create policy owner_reads on entries for select to appliance_owner using (true);

-- Up to "most" entries of the team that is set whose name holds all the words (upper-case NFC, at least one), those that begin with the first
-- word before the others, then by name. Nothing that lies in the trash or below a folder that does. Words under three letters only find
-- names that begin with them. Where there are more than "most", those that begin with it are the first of them all; of the others it is some.
create function app_search(words text[], most integer)
    returns table (id uuid, reference text, parent_id uuid, kind text, name text, size bigint, media_type text, modified_at timestamptz, revision bigint)
    language plpgsql stable security definer set search_path = public, pg_temp set plan_cache_mode = force_custom_plan
    as $$
    declare
        team uuid := app_team();
        first text := words[1];
        longest text := (select w from unnest(words) w order by char_length(w) desc, w limit 1);
        pattern text := '%' || replace(replace(replace(longest, '\', '\\'), '%', '\%'), '_', '\_') || '%';
    begin
        if not coalesce((select app_may_enter()), false) or first is null or first = '' then
            return;
        end if;
        return query
            with recursive gone as materialized (
                select e.id from entries e where e.team_id = team and e.deleted_at is not null and e.kind = 'folder'
                union
                select e.id from gone g join entries e on e.team_id = team and e.parent_id = g.id and e.kind = 'folder'
            ), begins as materialized (
                select e.id from entries e
                where e.team_id = team and e.deleted_at is null and e.name_key ~>=~ first and e.name_key ~<~ (first || U&'\+10FFFF')
                  and (select bool_and(position(w in e.name_key) > 0) from unnest(words) w)
                  and (e.parent_id is null or e.parent_id not in (select g.id from gone g))
                order by e.name_key using ~<~ limit most
            ), holds as materialized (
                select e.id from entries e
                where e.team_id = team and e.deleted_at is null and char_length(longest) >= 3 and e.name_key like pattern
                  and (select bool_and(position(w in e.name_key) > 0) from unnest(words) w)
                  and (e.parent_id is null or e.parent_id not in (select g.id from gone g))
                limit most
            )
            select e.id, e.reference, e.parent_id, e.kind, e.name, e.size, e.media_type, e.modified_at, e.revision
            from (select b.id from begins b union select h.id from holds h) found join entries e on e.id = found.id
            order by not (e.name_key >= first and e.name_key < first || U&'\+10FFFF'), e.name_key, e.id
            limit most;
    end $$;
revoke all on function app_search(text[], integer) from public;
grant execute on function app_search(text[], integer) to appliance_app;

-- What a team stores and may store. The database itself counts, whoever writes: each statement that adds or removes versions or files leaves
-- a row with the difference, so that writers never wait for one another; the differences are folded into the total now and then.
create table team_usage (
    team_id   uuid primary key references teams (id),
    bytes     bigint not null default 0,             -- of all versions, the trash included
    files     bigint not null default 0,
    max_bytes bigint check (max_bytes >= 0),         -- null: the appliance's default
    max_files bigint check (max_files >= 0)
);
create table usage_changes (
    id      bigint primary key generated always as identity,
    team_id uuid not null references teams (id),
    bytes   bigint not null,
    files   bigint not null
);
create index usage_changes_team on usage_changes (team_id);

alter table team_usage enable row level security;
alter table team_usage force row level security;
alter table usage_changes enable row level security;
alter table usage_changes force row level security;
create policy team on team_usage to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy team on usage_changes for select to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy owner_counts on team_usage to appliance_owner using (true) with check (true);
create policy owner_counts on usage_changes to appliance_owner using (true) with check (true);
grant select on team_usage, usage_changes to appliance_app;

create function usage_of_versions() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$
    begin
        if tg_op = 'INSERT' then
            insert into usage_changes (team_id, bytes, files) select team_id, sum(size), 0 from changed group by team_id;
        else
            insert into usage_changes (team_id, bytes, files) select team_id, -sum(size), 0 from changed group by team_id;
        end if;
        return null;
    end $$;
create function usage_of_entries() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$
    begin
        if tg_op = 'INSERT' then
            insert into usage_changes (team_id, bytes, files) select team_id, 0, count(*) from changed where kind = 'file' group by team_id;
        else
            insert into usage_changes (team_id, bytes, files) select team_id, 0, -count(*) from changed where kind = 'file' group by team_id;
        end if;
        return null;
    end $$;
create trigger usage_added after insert on versions referencing new table as changed for each statement execute function usage_of_versions();
create trigger usage_removed after delete on versions referencing old table as changed for each statement execute function usage_of_versions();
create trigger usage_added after insert on entries referencing new table as changed for each statement execute function usage_of_entries();
create trigger usage_removed after delete on entries referencing old table as changed for each statement execute function usage_of_entries();

-- Folds the differences of the team that is set into its total; answers how many there were.
create function app_fold_usage() returns bigint language plpgsql security definer set search_path = public, pg_temp
    as $$
    declare folded bigint;
    begin
        if not coalesce((select app_may_enter()), false) then
            return 0;
        end if;
        -- One folds at a time; those who read the sum meanwhile see either the differences or the total with them.
        insert into team_usage (team_id) values (app_team()) on conflict do nothing;
        perform 1 from team_usage where team_id = app_team() for update;
        with gone as (delete from usage_changes where team_id = app_team() returning bytes, files),
             total as (select coalesce(sum(bytes), 0) as bytes, coalesce(sum(files), 0) as files, count(*) as rows from gone),
             kept as (update team_usage u set bytes = u.bytes + total.bytes, files = u.files + total.files from total where u.team_id = app_team())
        select rows into folded from total;
        return folded;
    end $$;

-- Only the appliance's own job says what a team may store: the operator's command, never a member.
create function app_set_quota(most_bytes bigint, most_files bigint) returns void language plpgsql security definer set search_path = public, pg_temp
    as $$
    begin
        if app_team() is null or app_user() is distinct from '00000000-0000-0000-0000-000000000000' then
            raise exception 'a quota is the operator''s to set' using errcode = 'insufficient_privilege';
        end if;
        insert into team_usage (team_id, max_bytes, max_files) values (app_team(), most_bytes, most_files)
            on conflict (team_id) do update set max_bytes = excluded.max_bytes, max_files = excluded.max_files;
    end $$;
revoke all on function usage_of_versions(), usage_of_entries(), app_fold_usage(), app_set_quota(bigint, bigint) from public;
grant execute on function app_fold_usage(), app_set_quota(bigint, bigint) to appliance_app;

insert into team_usage (team_id, bytes, files)
    select t.id, coalesce((select sum(size) from versions v where v.team_id = t.id), 0), (select count(*) from entries e where e.team_id = t.id and e.kind = 'file')
    from teams t;
alter table entries force row level security;
alter table versions force row level security;

-- What programs sign in with, in a person's name: a token (Authorization: Bearer) or an app password (Authorization: Basic). Kept as its
-- SHA-256 alone. It opens files, never pages or the account.
create table api_tokens (
    id           uuid primary key,
    reference    text not null unique,
    token_hash   bytea not null unique,
    user_id      uuid not null references users (id) on delete cascade,
    kind         text not null check (kind in ('token', 'app-password')),
    name         text not null,
    team_id      uuid references teams (id),         -- null: every team that the person is in
    may_write    boolean not null,
    created_at   timestamptz not null,
    expires_at   timestamptz,
    last_used_at timestamptz,                        -- written at most once a minute
    last_address text
);
create index api_tokens_user on api_tokens (user_id);
grant select, insert, update, delete on api_tokens to appliance_app;

grant delete on entries, versions to appliance_app;

-- Speed. Functions in PL/pgSQL keep their plans for as long as a connection lives; one in SQL is planned anew for every query that asks a policy.
create or replace function app_may_enter() returns boolean language plpgsql stable parallel safe security definer set search_path = public, pg_temp
    as $$
    begin
        return app_team() is not null and (app_user() = '00000000-0000-0000-0000-000000000000'
            or exists (select from memberships where team_id = app_team() and user_id = app_user()));
    end $$;

-- A file's content with all its segments, in order: what every download asks. One question about membership and one short way up, where policies
-- would ask at each table of the query. The version of that number, or the current one (null); nothing for what is not there.
create policy owner_reads on versions for select to appliance_owner using (true);
create policy owner_reads on segments for select to appliance_owner using (true);
create function app_content(entry text, wanted integer)
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
                where v.team_id = team and v.id = file.current_version_id order by s.start;
        else
            return query
                select v.id, v.content_id, file.name, v.size, v.media_type, v.created_at, s.start, s.length, s.object_id
                from versions v left join segments s on s.team_id = team and s.content_id = v.content_id
                where v.team_id = team and v.entry_id = file.id and v.number = wanted order by s.start;
        end if;
    end $$;
revoke all on function app_content(text, integer) from public;
grant execute on function app_content(text, integer) to appliance_app;
