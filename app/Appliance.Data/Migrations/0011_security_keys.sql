-- Security keys (WebAuthn credentials) of people. Not tenant data: a person can be in several teams.
create table security_keys (
    credential_id        bytea primary key check (octet_length(credential_id) between 1 and 1023),
    reference            text not null unique,
    user_id              uuid not null references users (id),
    name                 text not null check (char_length(name) between 1 and 64),
    public_key           bytea not null,           -- COSE_Key
    sign_count           bigint not null check (sign_count between 0 and 4294967295),
    transports           text[] not null,
    aaguid               uuid not null,            -- the model; nil where the key does not say
    attestation_format   text not null,
    is_user_verified     boolean not null,
    is_backup_eligible   boolean not null,
    is_backed_up         boolean not null,
    attestation_object   bytea not null,           -- kept, so that a stricter policy can look at it again
    client_data_json     bytea not null,
    created_at           timestamptz not null,
    last_used_at         timestamptz,
    counter_regressed_at timestamptz               -- the last time the key counted backwards: there may be a copy of it
);
create index security_keys_user on security_keys (user_id, created_at);
-- What a key is never changes; what it is called and how it was last used does.
grant select, insert, delete, update (name, sign_count, is_backed_up, last_used_at, counter_regressed_at) on security_keys to appliance_app;

-- A question to a security key that waits for its answer; taken out, once, before the answer is looked at. The person need
-- not be in the database yet: a set-up link makes the account together with its first key.
create table security_key_ceremonies (
    reference_hash bytea primary key,              -- SHA-256 of what comes back with the answer
    binding        bytea not null,                 -- SHA-256 of the browser's secret and of its session
    user_id        uuid not null,
    purpose        text not null check (purpose in ('registration', 'assertion')),
    state          text not null,
    expires_at     timestamptz not null
);
create index security_key_ceremonies_user on security_key_ceremonies (user_id, expires_at);
create index security_key_ceremonies_expiry on security_key_ceremonies (expires_at);
grant select, insert, delete on security_key_ceremonies to appliance_app;
