-- Access is granted in person (docs/access-requests.md): who asks is shown a code, and an owner of the team types it as they heard it.
create table access_requests (
    team_id     uuid not null references teams (id),
    reference   text not null unique,
    user_id     uuid not null references users (id),
    kind        text not null check (kind in ('owner', 'back')),      -- to be an owner; to have access back that ended because nobody used it
    reason      text not null check (char_length(reason) between 1 and 200),
    code_mac    bytea not null,
    tries       integer not null default 0 check (tries between 0 and 3),
    made_at     timestamptz not null,
    expires_at  timestamptz not null,
    state       text not null default 'open' check (state in ('open', 'granted', 'refused', 'withdrawn', 'void')),
    answered_by uuid references users (id),
    answered_at timestamptz,
    primary key (team_id, reference),
    check (answered_by <> user_id),
    check ((answered_by is not null) = (state in ('granted', 'refused', 'void'))),
    check ((answered_at is null) = (answered_by is null)),
    check (state <> 'granted' or (tries > 0 and answered_at < expires_at))
);
create unique index access_requests_open on access_requests (team_id, user_id, kind) where state = 'open';
create index access_requests_made_at on access_requests (team_id, made_at);

alter table access_requests enable row level security;
alter table access_requests force row level security;
create policy owner_reads on access_requests for select to appliance_owner using (true);
-- One's own, as long as one has something to ask for; everybody's, for the team's owners; for the appliance's job, to sweep.
create policy seen on access_requests for select to appliance_app
    using (team_id = app_team() and ((user_id = app_user() and ((select app_may_enter()) or app_is_revoked(user_id)))
                                     or (select app_owns_team()) or app_user() = '00000000-0000-0000-0000-000000000000'));
create policy asked on access_requests for insert to appliance_app
    with check (team_id = app_team() and user_id = app_user() and state = 'open' and tries = 0
                and case kind when 'owner' then (select app_may_enter()) and not (select app_owns_team()) when 'back' then app_is_revoked(user_id) else false end);
create policy withdrawn on access_requests for update to appliance_app
    using (team_id = app_team() and user_id = app_user() and state = 'open')
    with check (team_id = app_team() and user_id = app_user() and state = 'withdrawn');
-- An owner answers in their own name, and not what they asked themselves.
create policy answered on access_requests for update to appliance_app
    using (team_id = app_team() and user_id <> app_user() and state = 'open' and (select app_owns_team()))
    with check (team_id = app_team() and user_id <> app_user() and (state = 'open' or (state <> 'withdrawn' and answered_by = app_user())));
create policy job_sweeps on access_requests for delete to appliance_app
    using (team_id = app_team() and app_user() = '00000000-0000-0000-0000-000000000000');
grant select, insert, delete, update (tries, state, answered_by, answered_at) on access_requests to appliance_app;

-- Nobody counts tries back.
create function access_request_tries() returns trigger language plpgsql
    as $$ begin raise exception 'tries only grow' using errcode = 'insufficient_privilege'; end $$;
create trigger tries before update on access_requests for each row when (new.tries < old.tries) execute function access_request_tries();

-- As app_my_revoked_access, which the version before this one still calls, and which team it is: whoever asks to come back was in it.
create function app_my_ended_access() returns table (team_id uuid, reference text, team text, revoked_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
    as $$ select t.id, t.reference, t.name, r.revoked_at from revoked_access r join teams t on t.id = r.team_id where r.user_id = app_user() order by r.revoked_at $$;
-- Who is told of a request: the owners of the team that is set, for whoever has one open there.
create function app_request_owners() returns setof uuid language sql stable security definer set search_path = public, pg_temp
    as $$ select m.user_id from memberships m where m.team_id = app_team() and m.role = 'owner'
             and exists (select from access_requests r where r.team_id = app_team() and r.user_id = app_user() and r.state = 'open') $$;
revoke all on function access_request_tries(), app_my_ended_access(), app_request_owners() from public;
grant execute on function app_my_ended_access(), app_request_owners() to appliance_app;

-- Who asks to come back is not in the team, and yet its ledger hears of it: these two events, in their own name.
create policy ended_asks on ledger_entries for insert to appliance_app
    with check (tree = app_team() and action in ('access-request.made', 'access-request.withdrawn') and actor = app_user() and app_is_revoked(actor));

-- When a security key, and nothing less, was last given in a session. Null: never since this is written down.
alter table sessions add column key_given_at timestamptz;
