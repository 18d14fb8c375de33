-- One account per person. Not tenant data: a person can be in several teams.
create table users (
    id                  uuid primary key,
    username            text not null,
    username_key        text not null unique,      -- normalised (NFKC, upper case) for look-up
    email               text,
    email_key           text,
    password_hash       text,
    password_changed_at timestamptz,
    security_stamp      text not null,
    concurrency_stamp   text not null,
    two_factor_enabled  boolean not null default false,
    owner               boolean not null default false,  -- may let further people in
    created_at          timestamptz not null
);
create index users_email_key on users (email_key) where email_key is not null;
grant select, insert, update on users to appliance_app;

create table teams (
    id         uuid primary key,
    reference  text not null unique,               -- public, random, at least 80 bits
    name       text not null,
    created_at timestamptz not null
);
create table memberships (
    team_id  uuid not null references teams (id),
    user_id  uuid not null references users (id),
    role     text not null check (role in ('owner', 'member')),
    since    timestamptz not null,
    added_by uuid not null references users (id),
    primary key (team_id, user_id)
);
create index memberships_user on memberships (user_id);

alter table teams enable row level security;
alter table teams force row level security;
alter table memberships enable row level security;
alter table memberships force row level security;

-- The two look-ups below answer for the policies, as the owner, so that a policy never asks itself.
create policy owner_reads on memberships for select to appliance_owner using (true);

-- May whoever is set enter the team that is set? Members may; so may the appliance's own jobs (the nil user).
-- So even a handler that opens the wrong team for a person finds nothing in it.
create function app_may_enter() returns boolean language sql stable parallel safe security definer set search_path = public, pg_temp
    as $$ select app_team() is not null and (app_user() = '00000000-0000-0000-0000-000000000000'
              or exists (select from memberships where team_id = app_team() and user_id = app_user())) $$;
-- Is the team that is set still without members? Then its first one may be written, by that person.
create function app_team_is_new() returns boolean language sql stable parallel safe security definer set search_path = public, pg_temp
    as $$ select app_team() is not null and not exists (select from memberships where team_id = app_team()) $$;
revoke all on function app_may_enter(), app_team_is_new() from public;
grant execute on function app_may_enter(), app_team_is_new() to appliance_app;

create policy own on memberships for select to appliance_app using (user_id = app_user());
create policy team_reads on memberships for select to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy team_adds on memberships for insert to appliance_app
    with check (team_id = app_team() and ((select app_may_enter()) or (user_id = app_user() and (select app_team_is_new()))));
create policy team_changes on memberships for update to appliance_app
    using (team_id = app_team() and (select app_may_enter())) with check (team_id = app_team());
create policy team_removes on memberships for delete to appliance_app using (team_id = app_team() and (select app_may_enter()));

create policy mine on teams for select to appliance_app
    using (exists (select from memberships m where m.team_id = teams.id and m.user_id = app_user()));
create policy team_reads on teams for select to appliance_app using (id = app_team() and (select app_may_enter()));
create policy team_is_made on teams for insert to appliance_app with check (id = app_team() and (select app_team_is_new()));
create policy team_changes on teams for update to appliance_app
    using (id = app_team() and (select app_may_enter())) with check (id = app_team());

grant select, insert, update on teams to appliance_app;
grant select, insert, update, delete on memberships to appliance_app;

-- The appliance's own jobs go from team to team; this is all they learn of one before they enter it.
create policy owner_reads on teams for select to appliance_owner using (true);
create function app_all_teams() returns setof uuid language sql stable security definer set search_path = public, pg_temp
    as $$ select id from teams order by id $$;
revoke all on function app_all_teams() from public;
grant execute on function app_all_teams() to appliance_app;
