-- The operators' port (docs/operators.md) comes as appliance_operator, a role of its own, which has no grant on any table. All that it can do is in the
-- functions below, whose names begin with operator_: what they answer is counts, sizes, names of teams and people, never a file's name or content.
-- roles.sql makes the role, and repeats the grants where this ran before it did.

-- What an operator did, in the appliance's own ledger. Its events begin with "operator.": an operator cannot write in a person's name.
create policy operators_are_told on ledger_entries for insert to appliance_owner
    with check (actor is null and ((tree = '00000000-0000-0000-0000-000000000000' and action like 'operator.%') or action = 'quota.changed'));
create function operator_record(told uuid, told_at timestamptz, action text, subject text, address text, details text) returns void
    language plpgsql security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_variable
    begin
        insert into ledger_entries (id, tree, at, actor, action, subject, address, details)
            values (told, '00000000-0000-0000-0000-000000000000', told_at, null, action, subject, address, details);
    end $$;

-- How much there is.
create function operator_counts()
    returns table (teams bigint, people bigint, bytes bigint, files bigint, database_bytes bigint, ledger_waiting bigint, ledger_waiting_since timestamptz, schema text)
    language sql stable security definer set search_path = public, pg_temp
    as $$
    select (select count(*) from teams), (select count(*) from users),
           (coalesce((select sum(bytes) from team_usage), 0) + coalesce((select sum(bytes) from usage_changes), 0))::bigint,
           (coalesce((select sum(files) from team_usage), 0) + coalesce((select sum(files) from usage_changes), 0))::bigint,
           pg_database_size(current_database()),
           (select count(*) from ledger_queue), (select min(e.at) from ledger_queue q join ledger_entries e on e.id = q.entry_id),
           (select value from appliance_state where name = 'schema') $$;
create policy owner_reads on ledger_entries for select to appliance_owner using (exists (select from ledger_queue q where q.entry_id = id));

-- Teams by reference, after that one ('': from the first), at most "most" and at most 500; or that one alone. A limit of null is the appliance's.
create function operator_teams(after text, most integer, only_one text)
    returns table (reference text, name text, created_at timestamptz, members bigint, bytes bigint, files bigint, max_bytes bigint, max_files bigint)
    language sql stable security definer set search_path = public, pg_temp
    as $$
    select t.reference, t.name, t.created_at, (select count(*) from memberships m where m.team_id = t.id),
           (coalesce(u.bytes, 0) + coalesce(c.bytes, 0))::bigint, (coalesce(u.files, 0) + coalesce(c.files, 0))::bigint, u.max_bytes, u.max_files
      from teams t
      left join team_usage u on u.team_id = t.id
      left join lateral (select sum(d.bytes) as bytes, sum(d.files) as files from usage_changes d where d.team_id = t.id) c on true
     where t.reference > after and (only_one is null or t.reference = only_one)
     order by t.reference limit least(most, 500) $$;

-- People by username, after that one. Nothing by which one could sign in or write to them.
create function operator_people(after text, most integer)
    returns table (username text, username_key text, created_at timestamptz, owner boolean, teams bigint, keys bigint, app boolean, last_seen_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
    as $$
    select u.username, u.username_key, u.created_at, u.owner,
           (select count(*) from memberships m where m.user_id = u.id), (select count(*) from security_keys k where k.user_id = u.id),
           exists (select from authenticator_apps a where a.user_id = u.id), (select max(s.last_seen_at) from sessions s where s.user_id = u.id)
      from users u where u.username_key > after order by u.username_key limit least(most, 500) $$;

-- What a team may store; the team's own ledger tells its members. False where there is no such team.
create function operator_set_quota(
    team text, change_bytes boolean, most_bytes bigint, change_files boolean, most_files bigint, told uuid, told_at timestamptz, address text, details text)
    returns boolean language plpgsql security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_variable
    declare
        found_team uuid := (select t.id from teams t where t.reference = team);
    begin
        if found_team is null then
            return false;
        end if;
        insert into team_usage (team_id, max_bytes, max_files)
            values (found_team, case when change_bytes then most_bytes end, case when change_files then most_files end)
            on conflict (team_id) do update set
                max_bytes = case when change_bytes then most_bytes else team_usage.max_bytes end,
                max_files = case when change_files then most_files else team_usage.max_files end;
        insert into ledger_entries (id, tree, at, actor, action, subject, address, details)
            values (told, found_team, told_at, null, 'quota.changed', found_team::text, address, details);
        return true;
    end $$;

do $$
declare f regprocedure;
begin
    for f in select oid::regprocedure from pg_proc where pronamespace = 'public'::regnamespace and proname like 'operator\_%' loop
        execute format('revoke all on function %s from public', f);
        if exists (select from pg_roles where rolname = 'appliance_operator') then
            execute format('grant execute on function %s to appliance_operator', f);
        end if;
    end loop;
end $$;
