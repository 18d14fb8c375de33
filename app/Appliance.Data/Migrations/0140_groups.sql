-- Groups of a team: who may do what, and which top-level folders they reach. Nothing is granted but by a group; an owner of the team may everything.

-- Levels: 0 nothing, 1 read, 2 write, 3 manage. A person's level for a folder is the highest that a group of theirs gives, and a group gives what
-- its line for that folder says, or else what it says for the others.
create table team_groups (
    team_id     uuid not null references teams (id) on delete cascade,
    id          uuid not null,
    reference   text not null,
    name        text not null check (char_length(name) between 1 and 100),
    name_key    text not null,
    everyone    boolean not null default false,      -- the one group that all members are in
    at_top      smallint not null check (at_top between 0 and 3),       -- files beside the top-level folders, and making such folders
    others      smallint not null check (others between 0 and 3),       -- top-level folders without a line here, future ones, too
    permissions text[] not null check (permissions <@ array['invite', 'ledger', 'links']),
    revision    bigint not null default 1,
    created_at  timestamptz not null,
    created_by  uuid references users (id),          -- null: it came with the team
    primary key (team_id, id),
    unique (team_id, reference),
    unique (team_id, name_key)
);
create unique index team_groups_everyone on team_groups (team_id) where everyone;
create table team_group_members (
    team_id  uuid not null,
    group_id uuid not null,
    user_id  uuid not null,
    since    timestamptz not null,
    added_by uuid not null references users (id),
    primary key (team_id, group_id, user_id),
    foreign key (team_id, group_id) references team_groups (team_id, id) on delete cascade,
    -- Whoever is no member any more is in no group any more.
    foreign key (team_id, user_id) references memberships (team_id, user_id) on delete cascade
);
create index team_group_members_user on team_group_members (team_id, user_id);
create table team_group_folders (
    team_id   uuid not null,
    group_id  uuid not null,
    folder_id uuid not null,
    level     smallint not null check (level between 0 and 3),
    primary key (team_id, group_id, folder_id),
    foreign key (team_id, group_id) references team_groups (team_id, id) on delete cascade,
    foreign key (team_id, folder_id) references entries (team_id, id) on delete cascade
);
create index team_group_folders_folder on team_group_folders (team_id, folder_id);

alter table team_groups enable row level security;
alter table team_groups force row level security;
alter table team_group_members enable row level security;
alter table team_group_members force row level security;
alter table team_group_folders enable row level security;
alter table team_group_folders force row level security;
create policy owner_reads on team_groups to appliance_owner using (true) with check (true);
create policy owner_reads on team_group_members for select to appliance_owner using (true);
create policy owner_reads on team_group_folders for select to appliance_owner using (true);
create policy team_reads on team_groups for select to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy team_reads on team_group_members for select to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy team_reads on team_group_folders for select to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy owners_change on team_groups to appliance_app
    using (team_id = app_team() and (select app_owns_team())) with check (team_id = app_team() and (select app_owns_team()));
create policy owners_change on team_group_members to appliance_app
    using (team_id = app_team() and (select app_owns_team())) with check (team_id = app_team() and (select app_owns_team()));
create policy owners_change on team_group_folders to appliance_app
    using (team_id = app_team() and (select app_owns_team())) with check (team_id = app_team() and (select app_owns_team()));
-- All members are in the group of everyone without being written there, it stays, and no other becomes it.
create policy everyone_stays on team_groups as restrictive for delete to appliance_app using (not everyone);
create policy everyone_is_one on team_groups as restrictive for insert to appliance_app with check (not everyone);
grant select, insert, delete on team_groups, team_group_members, team_group_folders to appliance_app;
grant update (name, name_key, at_top, others, permissions, revision) on team_groups to appliance_app;
grant update (level) on team_group_folders to appliance_app;

-- Each team has it from the start, whoever makes the team.
create function teams_everyone() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$
    begin
        insert into team_groups (team_id, id, reference, name, name_key, everyone, at_top, others, permissions, created_at)
            values (new.id, gen_random_uuid(), 'everyone', 'Everyone', 'EVERYONE', true, 3, 3, array['links'], new.created_at);
        return null;
    end $$;
revoke all on function teams_everyone() from public;
insert into team_groups (team_id, id, reference, name, name_key, everyone, at_top, others, permissions, created_at)
    select id, gen_random_uuid(), 'everyone', 'Everyone', 'EVERYONE', true, 3, 3, array['links'], created_at from teams;
create trigger everyone after insert on teams for each row execute function teams_everyone();

-- What the questions below have in common: 'owner' (and the appliance's own job), 'member', or null for anybody else. They are in PL/pgSQL and ask in
-- few statements, because their plans are kept: each is asked once for nearly every statement about files.
create function app_standing() returns text language plpgsql stable parallel safe security definer set search_path = public, pg_temp
    as $$
    begin
        if app_user() = '00000000-0000-0000-0000-000000000000' then
            return 'owner';
        end if;
        return (select role from memberships where team_id = app_team() and user_id = app_user());
    end $$;
-- Which top-level folders does whoever is set reach at this level? app_else says it of those that are not in app_except; of those that are, the
-- opposite holds. The nil id stands for what lies beside them.
create function app_else(wanted integer) returns boolean language plpgsql stable parallel safe security definer set search_path = public, pg_temp
    as $$
    declare
        team uuid := app_team();
        me uuid := app_user();
        standing text;
    begin
        if me = '00000000-0000-0000-0000-000000000000' then
            return true;
        end if;
        select role into standing from memberships where team_id = team and user_id = me;
        return coalesce(standing = 'owner' or (standing is not null and (
            select max(g.others) >= wanted from team_groups g
            where g.team_id = team and (g.everyone or g.id in (select m.group_id from team_group_members m where m.team_id = team and m.user_id = me)))), false);
    end $$;
create function app_except(wanted integer) returns uuid[] language plpgsql stable parallel safe security definer set search_path = public, pg_temp
    as $$
    declare
        team uuid := app_team();
        me uuid := app_user();
        standing text;
        mine uuid[];
        top integer;
        rest integer;
        excepted uuid[] := '{}';
    begin
        if me = '00000000-0000-0000-0000-000000000000' then
            return excepted;
        end if;
        select role into standing from memberships where team_id = team and user_id = me;
        if standing is null or standing = 'owner' then
            return excepted;
        end if;
        select array_agg(g.id), max(g.at_top), max(g.others) into mine, top, rest from team_groups g
         where g.team_id = team and (g.everyone or g.id in (select m.group_id from team_group_members m where m.team_id = team and m.user_id = me));
        if mine is null then
            return excepted;
        end if;
        if exists (select from team_group_folders l where l.team_id = team and l.group_id = any (mine)) then
            excepted := array(
                select d.folder_id
                from (select distinct l.folder_id from team_group_folders l where l.team_id = team and l.group_id = any (mine)) d
                     cross join (select g.id, g.others from team_groups g where g.team_id = team and g.id = any (mine)) g
                     left join team_group_folders l on l.team_id = team and l.group_id = g.id and l.folder_id = d.folder_id
                group by d.folder_id having (max(coalesce(l.level, g.others)) >= wanted) <> (rest >= wanted));
        end if;
        return case when (top >= wanted) <> (rest >= wanted) then excepted || '00000000-0000-0000-0000-000000000000'::uuid else excepted end;
    end $$;
create function app_reaches_all(wanted integer) returns boolean language plpgsql stable parallel safe security definer set search_path = public, pg_temp
    as $$ begin return app_else(wanted) and app_except(wanted) = '{}'; end $$;
-- Whoever is set, at one place (a top-level folder; null: beside them). Of one who is no member: 0.
create function app_level(top uuid) returns integer language plpgsql stable parallel safe security definer set search_path = public, pg_temp
    as $$
    declare
        me text := app_standing();
    begin
        if me = 'owner' then
            return 3;
        end if;
        return case when me is null then 0 else coalesce((
            select max(case when top is null then g.at_top else coalesce(l.level, g.others) end)
            from team_groups g left join team_group_folders l on l.team_id = g.team_id and l.group_id = g.id and l.folder_id = top
            where g.team_id = app_team() and (g.everyone or g.id in (select m.group_id from team_group_members m where m.team_id = app_team() and m.user_id = app_user()))), 0) end;
    end $$;
create function app_level_of(entry uuid) returns integer language plpgsql stable parallel safe security definer set search_path = public, pg_temp
    as $$ begin return (select app_level(e.top_id) from entries e where e.team_id = app_team() and e.id = entry); end $$;
create function app_permissions() returns text[] language plpgsql stable parallel safe security definer set search_path = public, pg_temp
    as $$
    declare
        me text := app_standing();
    begin
        return case when me = 'owner' then array['invite', 'ledger', 'links'] when me is null then '{}'
               else array(
                   select distinct p from team_groups g, unnest(g.permissions) p
                   where g.team_id = app_team() and (g.everyone or g.id in (select m.group_id from team_group_members m where m.team_id = app_team() and m.user_id = app_user()))
                   order by p) end;
    end $$;
-- The ledger names what is in every folder: it takes the permission, and that one may read them all.
create function app_reads_ledger() returns boolean language plpgsql stable parallel safe security definer set search_path = public, pg_temp
    as $$ begin return app_reaches_all(1) and 'ledger' = any (app_permissions()); end $$;
revoke all on function app_standing(), app_else(integer), app_except(integer), app_reaches_all(integer), app_level(uuid), app_level_of(uuid),
    app_permissions(), app_reads_ledger() from public;
grant execute on function app_else(integer), app_except(integer), app_reaches_all(integer), app_level(uuid), app_level_of(uuid), app_permissions(), app_reads_ledger()
    to appliance_app;

-- Beside "is it this team's": may this person? Each question is asked once for a statement, whatever it reads.
create policy reads on entries as restrictive for select to appliance_app
    using ((select app_else(1)) <> (coalesce(top_id, '00000000-0000-0000-0000-000000000000') = any ((select app_except(1))::uuid[])));
create policy writes on entries as restrictive for insert to appliance_app
    with check ((select app_else(2)) <> (case when parent_id is null then '00000000-0000-0000-0000-000000000000' else top_id end = any ((select app_except(2))::uuid[])));
create policy changes on entries as restrictive for update to appliance_app
    using ((select app_else(2)) <> (coalesce(top_id, '00000000-0000-0000-0000-000000000000') = any ((select app_except(2))::uuid[])))
    with check ((select app_else(2)) <> (coalesce(top_id, '00000000-0000-0000-0000-000000000000') = any ((select app_except(2))::uuid[])));
-- A top-level folder itself (its name, its place, the trash) is for those who manage it, and so is deleting for good; a new top-level folder, for
-- those who may write beside them. Policies do not see what was before, so a trigger says it.
create function entries_managed() returns trigger language plpgsql set search_path = public, pg_temp
    as $$
    begin
        if current_user <> 'appliance_app' then
            return new;
        end if;
        if (old.parent_id is null and old.kind = 'folder'
                and (new.name, new.parent_id, new.deleted_at, new.purged_at) is distinct from (old.name, old.parent_id, old.deleted_at, old.purged_at)
                and app_level(old.id) < 3)
            or (old.purged_at is null and new.purged_at is not null and app_level(old.top_id) < 3)
            or (old.parent_id is not null and new.parent_id is null and app_level(null) < 2) then
            raise insufficient_privilege using message = 'This is not for whoever is set.';
        end if;
        return new;
    end $$;
create trigger managed before update of name, parent_id, deleted_at, purged_at on entries for each row execute function entries_managed();
create policy removes on entries as restrictive for delete to appliance_app
    using ((select app_else(3)) <> (coalesce(top_id, '00000000-0000-0000-0000-000000000000') = any ((select app_except(3))::uuid[])));
create policy reads on versions as restrictive for select to appliance_app
    using ((select app_reaches_all(1)) or exists (select from entries e where e.team_id = versions.team_id and e.id = entry_id));
create policy writes on versions as restrictive for insert to appliance_app with check ((select app_reaches_all(2)) or app_level_of(entry_id) >= 2);
create policy removes on versions as restrictive for delete to appliance_app using ((select app_reaches_all(3)) or app_level_of(entry_id) >= 3);
create policy announces on uploads as restrictive for insert to appliance_app
    with check ((select app_reaches_all(2)) or case when folder_id is null then app_level(null) else app_level_of(folder_id) end >= 2);
create policy reads_all on ledger_entries as restrictive for select to appliance_app
    using (tree is distinct from app_team() or (select app_reads_ledger())
        or (subject is null and action like 'break-glass.%') -- that an operator asked or looked is for the whole team
        or case when subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then exists (
            select from entries e where e.team_id = tree and e.id = subject::uuid) else false end);
create policy by_permission on share_links as restrictive for insert to appliance_app with check ('links' = any ((select app_permissions())::text[]));

-- The functions that look as the owner ask the same before they do.
alter function app_content(text, integer) rename to app_content_of_team;
create function app_content(entry text, wanted integer)
    returns table (version_id uuid, content_id uuid, name text, size bigint, media_type text, created_at timestamptz, start bigint, length bigint, object_id uuid)
    language plpgsql stable security definer set search_path = public, pg_temp
    as $$
    begin
        if coalesce((select app_level(e.top_id) from entries e where e.team_id = app_team() and e.reference = entry), 0) >= 1 then
            return query select * from app_content_of_team(entry, wanted);
        end if;
    end $$;
-- One row for a member, as before, and whether they may write there. Of a folder that they may not read, nothing is there.
alter function app_upload_look(text, text) rename to app_upload_look_of_team;
create function app_upload_look(folder text, key text)
    returns table (there boolean, folder_id uuid, kind text, max_bytes bigint, max_files bigint, writable boolean)
    language plpgsql stable security definer set search_path = public, pg_temp
    as $$
    declare
        level integer := case when folder is null then app_level(null)
            else coalesce((select app_level(e.top_id) from entries e where e.team_id = app_team() and e.reference = folder), 0) end;
    begin
        return query
            select l.there and (level >= 1 or folder is null), case when level >= 1 then l.folder_id end, case when level >= 1 then l.kind end,
                   l.max_bytes, l.max_files, level >= 2
            from app_upload_look_of_team(folder, key) l;
    end $$;
alter function app_search(text[], integer) rename to app_search_of_team;
create function app_search(words text[], most integer)
    returns table (id uuid, reference text, parent_id uuid, kind text, name text, size bigint, media_type text, modified_at timestamptz, revision bigint)
    language plpgsql stable security definer set search_path = public, pg_temp set plan_cache_mode = force_custom_plan
    as $$
    #variable_conflict use_column
    declare
        team uuid := app_team();
        first text := words[1];
        patterns text[] := (select array_agg('%' || replace(replace(replace(w, '\', '\\'), '%', '\%'), '_', '\_') || '%') from unnest(words) w);
        longest integer := (select max(char_length(w)) from unnest(words) w);
        rest boolean := app_else(1);
        others uuid[] := app_except(1);
    begin
        if rest and others = '{}' then
            return query select * from app_search_of_team(words, most);
            return;
        end if;
        if not coalesce((select app_may_enter()), false) or first is null or first = '' then
            return;
        end if;
        return query
            with recursive below as (
                select e.id from entries e where e.team_id = team and e.deleted_at is not null and e.kind = 'folder'
                union
                select e.id from below b join entries e on e.team_id = team and e.parent_id = b.id and e.kind = 'folder'
            )
            select e.id, e.reference, e.parent_id, e.kind, e.name, e.size, e.media_type, e.modified_at, e.revision
            from entries e
            where e.team_id = team and e.deleted_at is null and e.name_key like all (patterns) and (longest >= 3 or starts_with(e.name_key, first))
              and rest <> (coalesce(e.top_id, '00000000-0000-0000-0000-000000000000') = any (others))
              and (e.parent_id is null or e.parent_id not in (select b.id from below b))
            order by not starts_with(e.name_key, first), e.name_key using ~<~, e.id limit most;
    end $$;
revoke all on function app_content_of_team(text, integer), app_upload_look_of_team(text, text), app_search_of_team(text[], integer) from public, appliance_app;
revoke all on function app_content(text, integer), app_upload_look(text, text), app_search(text[], integer) from public;
grant execute on function app_content(text, integer), app_upload_look(text, text), app_search(text[], integer) to appliance_app;

create policy by_permission on member_offers as restrictive for insert to appliance_app with check ('invite' = any ((select app_permissions())::text[]));
create policy by_permission on team_invitations as restrictive for insert to appliance_app with check ('invite' = any ((select app_permissions())::text[]));
