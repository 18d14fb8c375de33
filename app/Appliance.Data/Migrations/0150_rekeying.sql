-- Re-keying (docs/re-keying.md): a row for each rotation of a key. Ids, numbers and times, and who asked; never a key.
create table key_rotations (
    id           uuid primary key,
    team_id      uuid references teams (id) on delete cascade,  -- null: the appliance key
    stage        text not null check (stage in ('asked', 'starting', 'rewrapping', 'keeping', 'checking', 'finished', 'overtaken', 'refused')),
    asked_at     timestamptz not null,
    asked_by     text not null,                    -- an operator's name, or "appliance"
    from_key     text,                             -- the id of an appliance key, or the number of a generation of the team's
    to_key       text,                             -- once it is made
    started_at   timestamptz,
    rewrapped_at timestamptz,                      -- everything is under the new key; what the old one opens waits
    next_at      timestamptz,                      -- until then
    finished_at  timestamptz,
    after_object uuid,                             -- where looking through the store goes on
    rewrapped    bigint not null default 0,
    damaged      bigint not null default 0,        -- opens in part, under the old key alone
    unreadable   bigint not null default 0,        -- opens under no key
    problem      text
);
-- A key is rotated once at a time, whoever asks how often.
create unique index key_rotations_one on key_rotations (coalesce(team_id, '00000000-0000-0000-0000-000000000000')) where stage in ('asked', 'starting', 'rewrapping');
create index key_rotations_team on key_rotations (team_id, asked_at);
grant select, insert, update (stage, from_key, to_key, started_at, rewrapped_at, next_at, finished_at, after_object, rewrapped, damaged, unreadable, problem) on key_rotations to appliance_app;

-- What was sealed under the appliance key before is sealed anew.
grant update (sealed_secret) on authenticator_apps to appliance_app;
grant update (sealed_number) on phones to appliance_app;
grant update (sealed_address) on mail_links to appliance_app;
grant update (sealed) on data_protection_keys to appliance_app;
-- Else what an app, a phone or an address to confirm is never changes (another one takes its place): not but while the appliance key is rotated, and in no
-- person's session.
create function sealed_stays() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$
    begin
        if app_user() is null and exists (select from key_rotations where team_id is null and stage in ('rewrapping', 'keeping', 'checking')) then
            return null;
        end if;
        raise insufficient_privilege using message = 'What is sealed here stays as it is.';
    end $$;
revoke all on function sealed_stays() from public;
create trigger sealed_stays before update of sealed_secret on authenticator_apps for each statement when (current_user = 'appliance_app') execute function sealed_stays();
create trigger sealed_stays before update of sealed_number on phones for each statement when (current_user = 'appliance_app') execute function sealed_stays();
create trigger sealed_stays before update of sealed_address on mail_links for each statement when (current_user = 'appliance_app') execute function sealed_stays();

-- Which appliance key this data is sealed with from now on.
create function app_appliance_key_is(key_id text) returns void
    language sql security definer set search_path = public, pg_temp
    as $$ update appliance_state set value = key_id where name = 'appliance_key_id' $$;
revoke all on function app_appliance_key_is(text) from public;
grant execute on function app_appliance_key_is(text) to appliance_app;

-- A rotation is asked for: of 'appliance', of all 'teams', or of the team of that reference. How many, as a number; 'busy' where it is under way; null where there is no such team.
create function operator_rotate_keys(what text, by_name text, at timestamptz) returns text
    language plpgsql security definer set search_path = public, pg_temp
    as $$
    declare
        asked bigint;
    begin
        if what not in ('appliance', 'teams') and not exists (select from teams t where t.reference = what) then
            return null;
        end if;
        insert into key_rotations (id, team_id, stage, asked_at, asked_by)
            select gen_random_uuid(), k.id, 'asked', at, by_name
              from (select null::uuid as id where what = 'appliance' union all select t.id from teams t where what = 'teams' or (what <> 'appliance' and t.reference = what)) k
            on conflict do nothing;
        get diagnostics asked = row_count;
        return case when asked = 0 then 'busy' else asked::text end;
    end $$;

-- The newest rotation of each key that ever had one, and how it stands: those under way and those with a problem first.
create function operator_key_rotations()
    returns table (team text, stage text, asked_at timestamptz, asked_by text, started_at timestamptz, rewrapped_at timestamptz, next_at timestamptz, finished_at timestamptz,
                   rewrapped bigint, damaged bigint, unreadable bigint, problem text)
    language sql stable security definer set search_path = public, pg_temp
    as $$
    select * from (
        select distinct on (r.team_id) t.reference, r.stage, r.asked_at, r.asked_by, r.started_at, r.rewrapped_at, r.next_at, r.finished_at, r.rewrapped, r.damaged, r.unreadable, r.problem
          from key_rotations r left join teams t on t.id = r.team_id order by r.team_id, r.asked_at desc, r.id desc) newest
     order by (newest.finished_at is not null and newest.problem is null), newest.reference nulls first limit 1000 $$;

do $$
declare f regprocedure;
begin
    for f in select oid::regprocedure from pg_proc where pronamespace = 'public'::regnamespace and proname in ('operator_rotate_keys', 'operator_key_rotations') loop
        execute format('revoke all on function %s from public', f);
        if exists (select from pg_roles where rolname = 'appliance_operator') then
            execute format('grant execute on function %s to appliance_operator', f);
        end if;
    end loop;
end $$;
