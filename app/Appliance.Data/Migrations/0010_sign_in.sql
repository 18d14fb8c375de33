-- Who is signed in, where, and how one gets there. None of it is tenant data. Tokens are kept as their SHA-256 alone.
create table sessions (
    id            uuid primary key,
    reference     text not null unique,            -- names the session in the person's own list
    token_hash    bytea not null unique,
    user_id       uuid not null references users (id) on delete cascade,
    created_at    timestamptz not null,
    last_seen_at  timestamptz not null,            -- written at most once a minute
    expires_at    timestamptz not null,            -- absolute; nothing moves it
    locked_at     timestamptz,
    stepped_up_at timestamptz,                     -- when the second factor was last given
    address       text,
    agent         text
);
create index sessions_user on sessions (user_id);

-- The password was right; the second factor is still to come. Five minutes, once.
create table sign_ins (
    id         uuid primary key,
    token_hash bytea not null unique,
    user_id    uuid not null references users (id) on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null
);

-- Growing delays. The key is a MAC of account and address, of the address, or of the account: nobody who reads the table
-- learns what was typed, and an unknown account leaves the same traces as a known one.
create table sign_in_delays (
    key           bytea primary key,
    failures      integer not null,
    last_at       timestamptz not null,
    blocked_until timestamptz not null
);
create index sign_in_delays_last_at on sign_in_delays (last_at);

-- The addresses that have signed in to an account before, as MACs of account and address: a crowd that guesses elsewhere
-- does not slow these down.
create table sign_in_places (
    key        bytea primary key,
    user_id    uuid not null references users (id) on delete cascade,
    last_at    timestamptz not null
);

create table recovery_codes (
    id         uuid primary key,
    user_id    uuid not null references users (id) on delete cascade,
    mac        bytea not null,
    created_at timestamptz not null,
    used_at    timestamptz,
    unique (user_id, mac)
);

-- What a person must be told until they say that they have read it.
create table notices (
    id           uuid primary key,
    reference    text not null unique,
    user_id      uuid not null references users (id) on delete cascade,
    kind         text not null,
    at           timestamptz not null,
    address      text,
    agent        text,
    dismissed_at timestamptz
);
create index notices_user on notices (user_id) where dismissed_at is null;

-- A one-time link that lets a person in. What they enter waits here until their first security key is enrolled; only then
-- is there an account.
create table set_up_links (
    id            uuid primary key,
    reference     text not null unique,
    token_hash    bytea not null unique,
    owner         boolean not null,                -- makes the first owner
    made_by       uuid references users (id) on delete cascade,  -- null: made at the start
    created_at    timestamptz not null,
    expires_at    timestamptz not null,
    used_at       timestamptz,
    user_id       uuid not null,                   -- the id that the account will have
    username      text,
    username_key  text,
    email         text,
    email_key     text,
    password_hash text
);

grant select, insert, update, delete on sessions, sign_ins, sign_in_delays, sign_in_places, recovery_codes, notices, set_up_links to appliance_app;
