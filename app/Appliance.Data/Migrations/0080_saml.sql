-- Single sign-on (docs/saml.md): a team's connection to its identity provider. All of it belongs to the team, identities too: what one team's
-- provider says of a person means nothing to another team.
create table saml_connections (
    team_id            uuid primary key references teams (id),
    state              text not null check (state in ('draft', 'on', 'required')),
    idp_entity_id      text,
    sign_on_url        text,
    is_redirect        boolean not null default true,
    certificates       text not null default '',      -- DER in base64, one to a line
    username_attribute text,
    email_attribute    text,
    groups_attribute   text,
    others             text not null default 'member' check (others in ('member', 'nobody')),  -- whose groups say nothing
    just_in_time       boolean not null default false,
    idp_initiated      boolean not null default false,
    second_factor      text not null default 'appliance' check (second_factor in ('appliance', 'identity-provider')),
    tested_at          timestamptz,                    -- by a sign-in, with this very provider
    bound_by           uuid references users (id),     -- who let it become binding: on whose word members are made
    changed_at         timestamptz not null,
    check (state = 'draft' or (idp_entity_id is not null and sign_on_url is not null and tested_at is not null and bound_by is not null))
);

-- Our own keys: sealed under the appliance key. At most one of each use.
create table saml_keys (
    id          uuid primary key,
    team_id     uuid not null references saml_connections (team_id),
    use         text not null check (use in ('next', 'current', 'old')),
    sealed      bytea not null,
    certificate bytea not null,
    created_at  timestamptz not null,
    unique (team_id, use) deferrable initially deferred
);

create table saml_roles (
    team_id uuid not null references saml_connections (team_id),
    value   text not null check (char_length(value) between 1 and 256),
    role    text not null check (role in ('owner', 'member')),
    primary key (team_id, value)
);

create table saml_identities (
    team_id    uuid not null references teams (id),
    issuer     text not null,
    name_id    text not null,
    user_id    uuid not null references users (id),
    reference  text not null unique,
    is_made    boolean not null,                       -- the account was made by the first sign-in; false: a person linked it to theirs
    email      text,                                   -- as the provider says, for reading only: nobody is found by it
    created_at timestamptz not null,
    last_at    timestamptz,
    primary key (team_id, issuer, name_id),
    unique (team_id, user_id)
);

-- A request that waits for its answer, in one browser; what a test or a link brought back waits here for its person to look at.
create table saml_requests (
    id           uuid primary key,
    team_id      uuid not null references teams (id),
    reference    text not null unique,
    request_id   text not null unique,
    browser_hash bytea not null,
    purpose      text not null check (purpose in ('sign-in', 'test', 'link')),
    user_id      uuid references users (id),
    return_path  text not null,
    created_at   timestamptz not null,
    expires_at   timestamptz not null,
    answered_at  timestamptz,
    outcome      text                                  -- JSON
);
create index saml_requests_expiry on saml_requests (team_id, expires_at);

-- Assertions that were accepted, until they are over by themselves: each is good once.
create table saml_assertions (
    team_id    uuid not null references teams (id),
    id_hash    bytea not null,
    expires_at timestamptz not null,
    primary key (team_id, id_hash)
);

do $$
declare name text;
begin
    foreach name in array array['saml_connections', 'saml_keys', 'saml_roles', 'saml_identities', 'saml_requests', 'saml_assertions'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy team on %I to appliance_app using (team_id = app_team() and (select app_may_enter()))', name);
    end loop;
end $$;
grant select, insert, update, delete on saml_connections, saml_keys, saml_roles, saml_identities, saml_requests to appliance_app;
grant select, insert, delete on saml_assertions to appliance_app;

-- Which team a sign-in address belongs to, before anybody is known; only teams that have a connection. The reference is not guessable.
create policy owner_reads on saml_connections for select to appliance_owner using (true);
create function app_sso_team(sought text) returns uuid language sql stable security definer set search_path = public, pg_temp
    as $$ select c.team_id from teams t join saml_connections c on c.team_id = t.id where t.reference = sought $$;
revoke all on function app_sso_team(text) from public;
grant execute on function app_sso_team(text) to appliance_app;

-- Does somebody who can sign in without the provider remain in charge? A password and a key of their own.
create function app_break_glass_owners(without uuid) returns bigint language sql stable security definer set search_path = public, pg_temp
    as $$ select count(*) from memberships m join users u on u.id = m.user_id
           where m.team_id = app_team() and m.role = 'owner' and m.user_id is distinct from without and u.password_hash is not null
             and exists (select from security_keys k where k.user_id = m.user_id) $$;
revoke all on function app_break_glass_owners(uuid) from public;
grant execute on function app_break_glass_owners(uuid) to appliance_app;

-- A session that a team's provider vouched for opens that team and nothing else.
alter table sessions add column only_team uuid references teams (id), add column only_team_reference text;
alter table sign_ins add column only_team uuid references teams (id), add column only_team_reference text, add column session_ends_at timestamptz;
