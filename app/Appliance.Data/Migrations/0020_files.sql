-- A team's folders and files. Content is not here: a version's bytes lie in one or more sealed objects ("segments").
create table entries (
    id                 uuid primary key,
    team_id            uuid not null references teams (id),
    reference          text not null,              -- what addresses call it
    parent_id          uuid,                       -- null: the team's root
    kind               text not null check (kind in ('folder', 'file')),
    name               text not null check (name is nfc normalized),
    name_key           text not null,              -- NFC, upper case: names that differ only in case or form are the same name
    current_version_id uuid,
    created_at         timestamptz not null,
    created_by         uuid not null references users (id),
    modified_at        timestamptz not null,
    deleted_at         timestamptz,
    unique (team_id, reference),
    unique (team_id, id),
    -- With the team in the key, no row can hang below another team's folder.
    foreign key (team_id, parent_id) references entries (team_id, id),
    check ((kind = 'file') = (current_version_id is not null))
);
-- One name in one folder, the root included; what was deleted does not hold its name.
create unique index entries_name on entries (team_id, parent_id, name_key) nulls not distinct where deleted_at is null;
-- The listing, page by page: folders first, then by name.
create index entries_listing on entries (team_id, parent_id, kind desc, name_key) where deleted_at is null;

create table versions (
    id         uuid primary key,                   -- also the content id of its segments
    team_id    uuid not null references teams (id),
    entry_id   uuid not null,
    number     integer not null check (number > 0),
    size       bigint not null check (size >= 0),
    media_type text not null,
    created_at timestamptz not null,
    created_by uuid not null references users (id),
    unique (team_id, entry_id, number),
    unique (team_id, id),
    foreign key (team_id, entry_id) references entries (team_id, id)
);
alter table entries add foreign key (team_id, current_version_id) references versions (team_id, id) deferrable initially deferred;

-- The pieces of one content, in order, without gaps. A row is written only after its object is durable.
create table segments (
    team_id    uuid not null references teams (id),
    content_id uuid not null,                      -- an upload, and the version that becomes of it
    start      bigint not null check (start >= 0), -- bytes of content before this piece
    length     bigint not null check (length > 0),
    object_id  uuid not null,
    primary key (team_id, content_id, start),
    unique (team_id, object_id)
);

create table uploads (
    id          uuid primary key,
    team_id     uuid not null references teams (id),
    reference   text not null,
    user_id     uuid not null references users (id),
    folder_id   uuid,                              -- null: the team's root
    name        text not null,
    name_key    text not null,
    length      bigint not null check (length >= 0),
    received    bigint not null default 0 check (received between 0 and length),
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    -- The file is there. The row stays until it expires, so that a client that missed the answer learns that all is well.
    finished_at timestamptz check (finished_at is null or received = length),
    unique (team_id, reference),
    foreign key (team_id, folder_id) references entries (team_id, id)
);
create index uploads_expiry on uploads (team_id, expires_at);

-- A place in a team, offered to a username and taken or declined by whoever has that name. The team sees the same whether
-- there is such an account or not.
create table member_offers (
    team_id      uuid not null references teams (id),
    username     text not null,
    username_key text not null,
    reference    text not null unique,
    team_name    text not null,                    -- all that the person learns of the team before they are in it
    offered_by   uuid not null references users (id),
    offered_at   timestamptz not null,
    primary key (team_id, username_key)
);
create index member_offers_to on member_offers (username_key);

alter table entries enable row level security;
alter table entries force row level security;
alter table versions enable row level security;
alter table versions force row level security;
alter table segments enable row level security;
alter table segments force row level security;
alter table uploads enable row level security;
alter table uploads force row level security;
alter table member_offers enable row level security;
alter table member_offers force row level security;

create policy team on entries to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy team on versions to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy team on segments to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy team on uploads to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy team on member_offers to appliance_app using (team_id = app_team() and (select app_may_enter()));

create function app_username_key() returns text language sql stable parallel safe security definer set search_path = public, pg_temp
    as $$ select username_key from users where id = app_user() $$;
create policy mine on member_offers for select to appliance_app using (username_key = (select app_username_key()));
create policy declined on member_offers for delete to appliance_app using (username_key = (select app_username_key()));

-- Has the team that is set offered a place to whoever is set? Then they may write their own membership, and no other.
create policy owner_reads on member_offers for select to appliance_owner using (true);
create function app_is_offered() returns boolean language sql stable parallel safe security definer set search_path = public, pg_temp
    as $$ select exists (select from member_offers where team_id = app_team() and username_key = app_username_key()) $$;
revoke all on function app_username_key(), app_is_offered() from public;
grant execute on function app_username_key(), app_is_offered() to appliance_app;
create policy offered_joins on memberships for insert to appliance_app
    with check (team_id = app_team() and user_id = app_user() and role = 'member' and (select app_is_offered()));
-- Who declines is not in the team, and yet its ledger hears of it: this one event, in their own name, while the offer stands.
create policy offered_declines on ledger_entries for insert to appliance_app
    with check (tree = app_team() and action = 'member.declined' and actor = app_user() and (select app_is_offered()));

grant select, insert, update on entries to appliance_app;
grant select, insert on versions to appliance_app;
grant select, insert, delete on segments to appliance_app;
grant select, insert, update, delete on uploads to appliance_app;
grant select, insert, delete on member_offers to appliance_app;
