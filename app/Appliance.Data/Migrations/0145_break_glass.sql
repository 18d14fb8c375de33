-- Break-glass (docs/break-glass.md): an operator asks to read a team's files for some hours. An owner of the team consents; where none has answered in the set
-- time, a second operator with another key may. It belongs to the key that asked, only reads, and each look is in the team's ledger before anything is answered.
create table break_glass_grants (
    team_id           uuid not null references teams (id),
    reference         text not null unique,
    operator          text not null check (char_length(operator) between 1 and 64),
    operator_key      text not null check (operator_key ~ '^[0-9a-f]{64}$'),            -- SHA-256 of the public key: whose it is, whatever it is called later
    reason            text not null check (char_length(reason) between 10 and 200),
    hours             integer not null check (hours between 1 and 24),
    asked_at          timestamptz not null,
    approvable_at     timestamptz not null,              -- until then an owner alone answers
    lapses_at         timestamptz not null,
    answer            text check (answer in ('consented', 'refused', 'approved')),      -- by an owner, or (approved) by another operator
    answered_at       timestamptz,
    answered_by       uuid references users (id),
    approver          text check (char_length(approver) between 1 and 64),
    approver_key      text check (approver_key ~ '^[0-9a-f]{64}$'),
    ends_at           timestamptz,                       -- of itself: nobody has to end it
    ended_at          timestamptz,
    ended_by          uuid references users (id),
    ended_by_operator text check (char_length(ended_by_operator) between 1 and 64),
    ended_by_key      text check (ended_by_key ~ '^[0-9a-f]{64}$'),
    first_read_at     timestamptz,
    listings          integer not null default 0,
    downloads         integer not null default 0,
    told              text[] not null default '{}',      -- what the owners were mailed of it
    primary key (team_id, reference),
    check (approvable_at >= asked_at + interval '1 hour'),
    check (lapses_at = asked_at + interval '168 hours'),
    check ((answer is null) = (answered_at is null)),
    check ((answered_by is not null) = coalesce(answer in ('consented', 'refused'), false)),
    check ((approver is not null) = coalesce(answer = 'approved', false) and (approver_key is not null) = coalesce(answer = 'approved', false)),
    -- Two operators are two keys under two names, and the second one waited.
    check (approver_key <> operator_key and lower(approver) <> lower(operator)),
    check (answer <> 'approved' or answered_at >= approvable_at),
    check (answered_at < lapses_at),
    check ((ends_at is not null) = coalesce(answer in ('consented', 'approved'), false)),
    check (ends_at = answered_at + make_interval(hours => hours)),
    check ((ended_by_operator is null) = (ended_by_key is null)),
    check ((ended_at is not null) = (ended_by is not null or ended_by_operator is not null) and (ended_by is null or ended_by_operator is null)),
    check (first_read_at is null or ends_at is not null)
);
create index break_glass_grants_asked_at on break_glass_grants (asked_at desc);

-- One rule for pages, programs and the functions below. The clock of whoever asks and the database's own both count, so that no time that somebody passes in
-- makes anything longer. Not stable: the same question is answered otherwise a moment later.
create function break_glass_state(g break_glass_grants, at timestamptz) returns text language sql volatile set search_path = public, pg_temp
    as $$ select case
        when g.ended_at is not null then case when g.answer is null then 'withdrawn' else 'ended' end
        when g.answer = 'refused' then 'refused'
        when g.answer is null then case when greatest(at, clock_timestamp()) >= g.lapses_at then 'lapsed' else 'asked' end
        when greatest(at, clock_timestamp()) >= g.ends_at then 'ended'
        else 'active' end $$;

-- What the owners are to be mailed and were not yet.
create function break_glass_due(g break_glass_grants, at timestamptz) returns text[] language sql volatile set search_path = public, pg_temp
    as $$ select coalesce(array_agg(d.what order by d.place), '{}') from (values
        (1, 'asked', true), (2, 'refused', g.answer = 'refused'), (3, 'begun', g.answer in ('consented', 'approved')), (4, 'read', g.first_read_at is not null),
        (5, 'ended', g.answer in ('consented', 'approved') and break_glass_state(g, at) = 'ended')) as d (place, what, due)
        where d.due and not d.what = any (g.told) $$;

alter table break_glass_grants enable row level security;
alter table break_glass_grants force row level security;
create policy owner_works on break_glass_grants to appliance_owner using (true) with check (true);
-- The whole team sees it; its owners answer and end it, in their own names; the appliance's job notes what it told.
create policy team_sees on break_glass_grants for select to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy owners_answer on break_glass_grants for update to appliance_app
    using (team_id = app_team() and answer is null and ended_at is null and (select app_owns_team()))
    with check (team_id = app_team() and answer in ('consented', 'refused') and answered_by = app_user() and ended_at is null);
create policy owners_end on break_glass_grants for update to appliance_app
    using (team_id = app_team() and answer in ('consented', 'approved') and ended_at is null and (select app_owns_team()))
    with check (team_id = app_team() and ended_at is not null and ended_by = app_user());
create policy job_tells on break_glass_grants for update to appliance_app
    using (team_id = app_team() and app_user() = '00000000-0000-0000-0000-000000000000')
    with check (team_id = app_team() and app_user() = '00000000-0000-0000-0000-000000000000');
grant select, update (answer, answered_at, answered_by, ends_at, ended_at, ended_by, told) on break_glass_grants to appliance_app;

-- What was answered or ended stays so, whoever writes; the job writes what it told and nothing else, and nobody else writes that.
create function break_glass_stands() returns trigger language plpgsql
    as $$
    declare
        answered boolean := (new.answer, new.answered_at, new.answered_by, new.approver, new.approver_key, new.ends_at)
            is distinct from (old.answer, old.answered_at, old.answered_by, old.approver, old.approver_key, old.ends_at);
        ended boolean := (new.ended_at, new.ended_by, new.ended_by_operator, new.ended_by_key) is distinct from (old.ended_at, old.ended_by, old.ended_by_operator, old.ended_by_key);
        is_job boolean := current_user = 'appliance_app' and coalesce(app_user() = '00000000-0000-0000-0000-000000000000', false);
    begin
        if (old.answer is not null and answered) or (old.ended_at is not null and ended) or (old.ended_at is not null and answered)
           or (is_job and (answered or ended)) or (new.told is distinct from old.told and not is_job) then
            raise exception 'a break-glass grant is answered and ended once' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$;
create trigger stands before update on break_glass_grants for each row execute function break_glass_stands();

-- Which teams have something to be told: all that the job learns before it enters one.
create function app_break_glass_untold(at timestamptz) returns setof uuid language sql volatile security definer set search_path = public, pg_temp
    as $$ select distinct g.team_id from break_glass_grants g where cardinality(break_glass_due(g, at)) > 0 $$;

revoke all on function break_glass_state(break_glass_grants, timestamptz), break_glass_due(break_glass_grants, timestamptz), break_glass_stands(), app_break_glass_untold(timestamptz) from public;
grant execute on function break_glass_state(break_glass_grants, timestamptz), break_glass_due(break_glass_grants, timestamptz), app_break_glass_untold(timestamptz) to appliance_app;

-- In a team's ledger, and never in the appliance's, where an operator's own entries are.
create policy break_glass_is_told on ledger_entries for insert to appliance_owner
    with check (actor is null and action like 'break-glass.%' and tree <> '00000000-0000-0000-0000-000000000000');
create function break_glass_tell(g break_glass_grants, told uuid, told_at timestamptz, what text, subject text, address text, by_name text, by_key text, more jsonb) returns void
    language sql set search_path = public, pg_temp
    as $$
    insert into ledger_entries (id, tree, at, actor, action, subject, address, details) values (told, g.team_id, told_at, null, 'break-glass.' || what, subject, address,
        (jsonb_build_object('grant', g.reference, 'operator', by_name, 'operator_key', by_key) || jsonb_strip_nulls(more))::text) $$;
-- Neither an entry nor a folder above it lies in the trash.
create function break_glass_lives(team uuid, entry uuid) returns boolean language plpgsql stable set search_path = public, pg_temp
    as $$
    declare
        above uuid := entry;
        gone timestamptz;
        steps integer := 0;
    begin
        while above is not null loop
            select e.parent_id, e.deleted_at into above, gone from entries e where e.team_id = team and e.id = above;
            steps := steps + 1;
            if not found or gone is not null or steps > 65 then -- the depth bounds a loop that cannot be
                return false;
            end if;
        end loop;
        return true;
    end $$;
revoke all on function break_glass_tell(break_glass_grants, uuid, timestamptz, text, text, text, text, text, jsonb), break_glass_lives(uuid, uuid) from public;

-- asked; too-many: three wait for an answer; too-often: ten within a day. Null: there is no such team.
create function operator_break_glass_ask(
    team text, made text, by_name text, by_key text, why text, for_hours integer, wait interval, at timestamptz, told uuid, told_at timestamptz, address text)
    returns text language plpgsql security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_variable
    declare
        found_team uuid := (select t.id from teams t where t.reference = team);
        since timestamptz := greatest(at, clock_timestamp());
        g break_glass_grants;
    begin
        if found_team is null then
            return null;
        end if;
        perform pg_advisory_xact_lock(hashtextextended('break-glass ' || found_team, 0));
        if (select count(*) from break_glass_grants b where b.team_id = found_team and break_glass_state(b, at) = 'asked') >= 3 then
            return 'too-many';
        end if;
        if (select count(*) from break_glass_grants b where b.team_id = found_team and b.asked_at > since - interval '24 hours') >= 10 then
            return 'too-often';
        end if;
        insert into break_glass_grants (team_id, reference, operator, operator_key, reason, hours, asked_at, approvable_at, lapses_at)
            values (found_team, made, by_name, by_key, why, for_hours, since, since + wait, since + interval '168 hours') returning * into g;
        perform break_glass_tell(g, told, told_at, 'asked', null, address, by_name, by_key, jsonb_build_object('reason', why, 'hours', for_hours::text));
        return 'asked';
    end $$;

-- approved; or why not: own-key, own-name, too-early, over (answered, withdrawn or lapsed). Null: there is none.
create function operator_break_glass_approve(sought text, by_name text, by_key text, at timestamptz, told uuid, told_at timestamptz, address text)
    returns text language plpgsql security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_variable
    declare
        g break_glass_grants;
        early timestamptz := least(at, clock_timestamp());
    begin
        select * into g from break_glass_grants b where b.reference = sought for update;
        if not found then
            return null;
        elsif break_glass_state(g, at) <> 'asked' then
            return 'over';
        elsif by_key = g.operator_key then
            return 'own-key';
        elsif lower(by_name) = lower(g.operator) then
            return 'own-name';
        elsif early < g.approvable_at then
            return 'too-early';
        end if;
        update break_glass_grants b set answer = 'approved', answered_at = early, approver = by_name, approver_key = by_key, ends_at = early + make_interval(hours => g.hours)
         where b.reference = sought;
        perform break_glass_tell(g, told, told_at, 'approved', null, address, by_name, by_key, jsonb_build_object('asked_by', g.operator, 'hours', g.hours::text));
        return 'approved';
    end $$;

-- ended, withdrawn (nobody had answered), or over. Any operator may: it takes access away. Null: there is none.
create function operator_break_glass_end(sought text, by_name text, by_key text, at timestamptz, told uuid, told_at timestamptz, address text)
    returns text language plpgsql security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_variable
    declare
        g break_glass_grants;
        outcome text;
    begin
        select * into g from break_glass_grants b where b.reference = sought for update;
        if not found then
            return null;
        end if;
        outcome := case break_glass_state(g, at) when 'asked' then 'withdrawn' when 'active' then 'ended' else 'over' end;
        if outcome <> 'over' then
            update break_glass_grants b set ended_at = at, ended_by_operator = by_name, ended_by_key = by_key where b.reference = sought;
            perform break_glass_tell(g, told, told_at, outcome, null, address, by_name, by_key, jsonb_build_object('asked_by', g.operator));
        end if;
        return outcome;
    end $$;

-- The newest, or that one alone.
create function operator_break_glass_list(only_one text, most integer, at timestamptz)
    returns table (reference text, team text, team_name text, operator text, operator_key text, reason text, hours integer, state text, asked_at timestamptz, approvable_at timestamptz,
                   lapses_at timestamptz, answered_at timestamptz, approver text, ends_at timestamptz, ended_at timestamptz, listings integer, downloads integer)
    language sql volatile security definer set search_path = public, pg_temp
    as $$
    select g.reference, t.reference, t.name, g.operator, g.operator_key, g.reason, g.hours, break_glass_state(g, at), g.asked_at, g.approvable_at,
           g.lapses_at, g.answered_at, g.approver, g.ends_at, g.ended_at, g.listings, g.downloads
      from break_glass_grants g join teams t on t.id = g.team_id
     where only_one is null or g.reference = only_one
     order by g.asked_at desc, g.reference limit least(most, 500) $$;

-- active, for the key that asked; other-key, for another; else its state. Null: there is none.
create function operator_break_glass_standing(sought text, by_key text, at timestamptz) returns text language sql volatile security definer set search_path = public, pg_temp
    as $$ select case when g.operator_key <> by_key then 'other-key' else break_glass_state(g, at) end from break_glass_grants g where g.reference = sought $$;

-- What is in a folder (null: the root), after that entry, folders first; before it a row of kind "here", the folder itself. Nothing where there is no such folder, or
-- the key has no grant now.
create function operator_break_glass_files(
    sought text, by_name text, by_key text, folder text, after_folders boolean, after_key text, most integer, at timestamptz, told uuid, told_at timestamptz, address text)
    returns table (reference text, kind text, name text, name_key text, size bigint, modified_at timestamptz)
    language plpgsql security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_column
    declare
        g break_glass_grants;
        here uuid;
        called text;
    begin
        select b.* into g from break_glass_grants b where b.reference = sought for update;
        if not found or by_key is distinct from g.operator_key or break_glass_state(g, at) <> 'active' then
            return;
        end if;
        if folder is not null then
            select e.id, e.name into here, called from entries e where e.team_id = g.team_id and e.reference = folder and e.kind = 'folder';
            if not found or not break_glass_lives(g.team_id, here) then
                return;
            end if;
        end if;
        perform break_glass_tell(g, told, told_at, 'listed', here::text, address, by_name, by_key, jsonb_build_object('name', called));
        update break_glass_grants b set listings = b.listings + 1, first_read_at = coalesce(b.first_read_at, at) where b.reference = sought;
        return query select folder, 'here', coalesce(called, t.name), '', null::bigint, null::timestamptz from teams t where t.id = g.team_id;
        return query
            select e.reference, e.kind, e.name, e.name_key, case when e.kind = 'file' then e.size end, e.modified_at from entries e
             where e.team_id = g.team_id and e.parent_id is not distinct from here and e.deleted_at is null
               and (after_key is null or (after_folders and e.kind = 'file') or (e.name_key > after_key and (e.kind = 'folder') = after_folders))
             order by e.kind desc, e.name_key limit least(most, 501);
    end $$;

-- A file's current content with its segments, as app_content answers it. Nothing where there is no such file, or the key has no grant now.
create function operator_break_glass_content(sought text, by_name text, by_key text, file text, at timestamptz, told uuid, told_at timestamptz, address text)
    returns table (team_id uuid, version_id uuid, content_id uuid, name text, size bigint, media_type text, created_at timestamptz, start bigint, length bigint, object_id uuid)
    language plpgsql security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_column
    declare
        g break_glass_grants;
        f record;
    begin
        select b.* into g from break_glass_grants b where b.reference = sought for update;
        if not found or by_key is distinct from g.operator_key or break_glass_state(g, at) <> 'active' then
            return;
        end if;
        select e.id, e.name, e.current_version_id, v.number into f
          from entries e join versions v on v.team_id = e.team_id and v.id = e.current_version_id where e.team_id = g.team_id and e.reference = file and e.kind = 'file';
        if not found or not break_glass_lives(g.team_id, f.id) then
            return;
        end if;
        perform break_glass_tell(g, told, told_at, 'read', f.id::text, address, by_name, by_key, jsonb_build_object('name', f.name, 'version', f.number::text));
        update break_glass_grants b set downloads = b.downloads + 1, first_read_at = coalesce(b.first_read_at, at) where b.reference = sought;
        return query
            select g.team_id, v.id, v.content_id, f.name, v.size, v.media_type, v.created_at, s.start, s.length, s.object_id
              from versions v left join segments s on s.team_id = v.team_id and s.content_id = v.content_id
             where v.team_id = g.team_id and v.id = f.current_version_id order by s.start;
    end $$;

do $$
declare f regprocedure;
begin
    for f in select oid::regprocedure from pg_proc where pronamespace = 'public'::regnamespace and proname like 'operator\_break\_glass\_%' loop
        execute format('revoke all on function %s from public', f);
        if exists (select from pg_roles where rolname = 'appliance_operator') then
            execute format('grant execute on function %s to appliance_operator', f);
        end if;
    end loop;
end $$;
