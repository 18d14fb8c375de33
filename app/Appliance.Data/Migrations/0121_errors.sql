-- Errors that people were given a reference for, grouped by what and where: for operators, who find them by that reference, and close them. Nothing of anybody's:
-- the kind is an exception's type, the place a method with a route's template. The application can only add; the operators' role reads and closes, through functions.
create table errors (
    reference  text primary key,                   -- names the group
    kind       text not null check (char_length(kind) between 1 and 200),
    place      text not null check (char_length(place) between 1 and 300),
    count      bigint not null check (count > 0),
    first_at   timestamptz not null,
    last_at    timestamptz not null,
    latest     text[] not null check (cardinality(latest) <= 10),  -- the references that people were given last, newest first
    version    text not null,                      -- of the program that saw it last
    closed_at  timestamptz,                        -- comes back, open, when it happens again
    unique (kind, place)
);

-- At most 1000 groups: the one that was not seen for longest makes room, a closed one before an open one.
create function app_note_error(name text, what text, at_place text, times bigint, since timestamptz, until timestamptz, seen text[], by_version text) returns void
    language plpgsql security definer set search_path = public, pg_temp
    as $$
    begin
        insert into errors as e (reference, kind, place, count, first_at, last_at, latest, version)
            values (name, left(what, 200), left(at_place, 300), times, since, until, seen[1:10], left(by_version, 40))
            on conflict (kind, place) do update set count = e.count + times, last_at = greatest(e.last_at, until), latest = (seen || e.latest)[1:10],
                version = excluded.version, closed_at = null;
        delete from errors where reference in (
            select reference from errors order by (closed_at is null) desc, last_at desc offset 1000);
    end $$;
revoke all on function app_note_error(text, text, text, bigint, timestamptz, timestamptz, text[], text) from public;
grant execute on function app_note_error(text, text, text, bigint, timestamptz, timestamptz, text[], text) to appliance_app;

-- The open ones, or all, the last seen first; or those with this reference, a group's or one that a person was given.
create function operator_errors(closed_too boolean, sought text)
    returns table (reference text, kind text, place text, count bigint, first_at timestamptz, last_at timestamptz, latest text[], version text, closed_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
    as $$
    select e.reference, e.kind, e.place, e.count, e.first_at, e.last_at, e.latest, e.version, e.closed_at from errors e
     where (closed_too or e.closed_at is null) and (sought is null or e.reference = sought or sought = any (e.latest))
     order by e.last_at desc limit 1000 $$;

-- False where there is no such group.
create function operator_close_error(closed text, at timestamptz) returns boolean
    language sql security definer set search_path = public, pg_temp
    as $$ with done as (update errors set closed_at = coalesce(closed_at, at) where reference = closed returning 1) select exists (select from done) $$;

do $$
declare f regprocedure;
begin
    for f in select oid::regprocedure from pg_proc where pronamespace = 'public'::regnamespace and proname in ('operator_errors', 'operator_close_error') loop
        execute format('revoke all on function %s from public', f);
        if exists (select from pg_roles where rolname = 'appliance_operator') then
            execute format('grant execute on function %s to appliance_operator', f);
        end if;
    end loop;
end $$;
