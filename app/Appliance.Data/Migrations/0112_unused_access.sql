-- Access that nobody uses goes away (docs/unused-access.md). A revoked membership is moved, not marked: whatever asks for members finds none.
alter table users add column last_sign_in_at timestamptz;            -- with what is their own; what a team's provider vouched for stands with the identity
alter table memberships
    add column counts_from timestamptz,                              -- unused time counts from here at the earliest; null: from the beginning
    add column warned_at   timestamptz;                              -- when the person was told that it ends

create table revoked_access (
    team_id      uuid not null references teams (id),
    user_id      uuid not null references users (id),
    role         text not null check (role in ('owner', 'member')),
    since        timestamptz not null,
    added_by     uuid not null references users (id),
    last_used_at timestamptz,
    revoked_at   timestamptz not null,
    primary key (team_id, user_id)
);
create index revoked_access_user on revoked_access (user_id);
alter table revoked_access enable row level security;
alter table revoked_access force row level security;
create policy owner_reads on revoked_access for select to appliance_owner using (true);
create policy owners_read on revoked_access for select to appliance_app using (team_id = app_team() and (select app_owns_team()));
create policy owners_remove on revoked_access for delete to appliance_app using (team_id = app_team() and (select app_owns_team()));
-- Only the appliance's own job (the nil user) moves somebody there.
create policy job_adds on revoked_access for insert to appliance_app
    with check (team_id = app_team() and app_user() = '00000000-0000-0000-0000-000000000000');
grant select, insert, delete on revoked_access to appliance_app;

-- Whoever's access was revoked comes back by an owner who reinstates it, and by no offer, invitation or identity provider.
create function app_is_revoked(person uuid) returns boolean language sql stable parallel safe security definer set search_path = public, pg_temp
    as $$ select exists (select from revoked_access where team_id = app_team() and user_id = person) $$;
-- What a person may know of it: which of their teams, and since when.
create function app_my_revoked_access() returns table (team text, revoked_at timestamptz) language sql stable security definer set search_path = public, pg_temp
    as $$ select t.name, r.revoked_at from revoked_access r join teams t on t.id = r.team_id where r.user_id = app_user() order by r.revoked_at $$;
revoke all on function app_is_revoked(uuid), app_my_revoked_access() from public;
grant execute on function app_is_revoked(uuid), app_my_revoked_access() to appliance_app;

alter policy team_adds on memberships
    with check (team_id = app_team() and not app_is_revoked(user_id) and ((select app_may_enter()) or (user_id = app_user() and (select app_team_is_new()))));
alter policy offered_joins on memberships
    with check (team_id = app_team() and user_id = app_user() and role = 'member' and not app_is_revoked(user_id) and (select app_is_offered()));
