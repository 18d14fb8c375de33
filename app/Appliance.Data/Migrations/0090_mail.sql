-- Mail to people: a queue that outlives the process, and what was sent to whom. Not tenant data.
alter table users add column email_confirmed_at timestamptz, add column sealed_phrase bytea;  -- the phrase: in every mail to the person, sealed for them alone
create index users_confirmed_email on users (email_key) where email_confirmed_at is not null;

create table mails (
    id          uuid primary key,
    reference   text not null unique,              -- in the mail and in the person's list
    user_id     uuid references users (id) on delete cascade,  -- null: to an address that belongs to nobody here
    kind        text not null,
    sealed_head bytea not null,                    -- address (once it is known) and subject
    sealed_body bytea,                             -- the rest, links included; gone once the mail is sent or given up
    created_at  timestamptz not null,
    next_at     timestamptz not null,
    expires_at  timestamptz not null,              -- after that it would help nobody
    tries       integer not null default 0,
    tried_at    timestamptz,
    problem     text,                              -- why the last try failed
    sent_at     timestamptz,
    failed_at   timestamptz,
    check (sent_at is null or failed_at is null)
);
create index mails_waiting on mails (next_at) where sent_at is null and failed_at is null;
create index mails_user on mails (user_id, created_at);
create index mails_created on mails (created_at);
grant select, insert, delete, update (user_id, sealed_head, sealed_body, next_at, tries, tried_at, problem, sent_at, failed_at) on mails to appliance_app;

-- How many mails somebody caused within a day, as MACs of who and to whom: nobody's mailbox is filled by us.
create table mail_budgets (
    mac   bytea primary key,
    since timestamptz not null,
    sent  integer not null
);
create index mail_budgets_since on mail_budgets (since);
grant select, insert, delete, update (since, sent) on mail_budgets to appliance_app;

-- One-time links that mails carry. Looking at one changes nothing.
create table mail_links (
    id             uuid primary key,
    token_hash     bytea not null unique,
    user_id        uuid not null references users (id) on delete cascade,
    purpose        text not null check (purpose in ('confirm-address', 'new-password', 'not-me')),
    sealed_address bytea,                          -- to be confirmed
    password_hash  text,                           -- chosen, and not the person's until a second factor was given
    created_at     timestamptz not null,
    expires_at     timestamptz not null,
    used_at        timestamptz
);
create index mail_links_user on mail_links (user_id, purpose);
create index mail_links_expiry on mail_links (expires_at);
grant select, insert, delete, update (password_hash, used_at) on mail_links to appliance_app;

-- What was asked for by people who cannot sign in. Whose it is, is found out later: whoever asks sees the same, and it takes the same time.
create table recovery_requests (
    id           uuid primary key,
    sealed_name  bytea not null,
    requested_at timestamptz not null,
    address      text
);
grant select, insert, delete, update (requested_at) on recovery_requests to appliance_app;  -- update: for the lock of whoever answers one

-- Devices and networks that a person has signed in from, as MACs.
create table known_origins (
    user_id uuid not null references users (id) on delete cascade,
    mac     bytea not null,
    last_at timestamptz not null,
    primary key (user_id, mac)
);
create index known_origins_age on known_origins (last_at);
grant select, insert, delete, update (last_at) on known_origins to appliance_app;

-- A sign-in that began with a link for a new password: the password changes when the second factor is given.
alter table sign_ins add column new_password uuid references mail_links (id) on delete cascade;

-- A set-up link that was mailed: the account gets this address and no other, confirmed.
alter table set_up_links add column bound_email text;

-- Invitations into a team, by mail.
create table team_invitations (
    team_id    uuid not null references teams (id),
    reference  text not null unique,
    email      text not null,
    email_key  text not null,
    token_hash bytea not null unique,
    team_name  text not null,                      -- all that the person learns of the team before they are in it
    invited_by uuid not null references users (id),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at    timestamptz,
    primary key (team_id, email_key)
);
alter table team_invitations enable row level security;
alter table team_invitations force row level security;
create policy team on team_invitations to appliance_app using (team_id = app_team() and (select app_may_enter()));
grant select, insert, delete on team_invitations to appliance_app;

-- Whoever holds the link, signed in or not, learns what it is for.
create policy owner_reads on team_invitations for select to appliance_owner using (true);
create function app_invitation(hash bytea, at timestamptz) returns table (team_name text, invited_by text, email text)
    language sql stable security definer set search_path = public, pg_temp
    as $$ select i.team_name, u.username, i.email from team_invitations i join users u on u.id = i.invited_by
           where i.token_hash = hash and i.used_at is null and i.expires_at > at $$;
revoke all on function app_invitation(bytea, timestamptz) from public;
grant execute on function app_invitation(bytea, timestamptz) to appliance_app;

-- Whoever has the address that was invited, confirmed, turns the invitation into an offer to themself: once. They then take it as any other.
create policy owner_uses on team_invitations for update to appliance_owner using (true) with check (true);
create policy owner_offers on member_offers for insert to appliance_owner with check (true);
create function app_take_invitation(hash bytea, at timestamptz, offer text) returns text
    language sql volatile security definer set search_path = public, pg_temp
    as $$
    with person as (select id, username, username_key, email_key from users where id = app_user() and email_confirmed_at is not null),
    taken as (
        update team_invitations i set used_at = at from person p
         where i.token_hash = hash and i.used_at is null and i.expires_at > at and i.email_key = p.email_key
        returning i.team_id, i.team_name, i.invited_by, p.username, p.username_key),
    offered as (
        insert into member_offers (team_id, username, username_key, reference, team_name, offered_by, offered_at)
        select team_id, username, username_key, offer, team_name, invited_by, at from taken
        on conflict (team_id, username_key) do nothing returning reference)
    select reference from offered union all
    select o.reference from taken t join member_offers o using (team_id, username_key) where not exists (select from offered)
    $$;
revoke all on function app_take_invitation(bytea, timestamptz, text) from public;
grant execute on function app_take_invitation(bytea, timestamptz, text) to appliance_app;
