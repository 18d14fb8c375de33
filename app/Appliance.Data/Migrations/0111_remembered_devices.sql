-- Browsers whose person asked not to be asked for the second factor there for some days. Of selector and validator their SHA-256 alone is kept. Not tenant
-- data: looked up by selector before the person is wholly signed in.
create table remembered_devices (
    id             uuid primary key,
    reference      text not null unique,           -- names the device in the person's own list. Opens nothing
    user_id        uuid not null references users (id) on delete cascade,
    selector_hash  bytea not null unique,
    validator_hash bytea not null,
    previous_hash  bytea,                          -- the validator before this one, which for half a minute is a second tab's and not a thief's
    created_at     timestamptz not null,           -- when the second factor was given
    rotated_at     timestamptz not null,           -- when the validator was made; the last use, if it was not the first
    expires_at     timestamptz not null,
    address        text,
    agent          text
);
create index remembered_devices_user on remembered_devices (user_id);
grant select, insert, delete, update (validator_hash, previous_hash, rotated_at) on remembered_devices to appliance_app;
