-- Phones that codes are sent to: the last resort, for people who have neither key nor app. Not tenant data.
create table phones (
    user_id       uuid primary key references users (id) on delete cascade,
    sealed_number bytea not null,                  -- E.164, sealed under the appliance key for this person alone
    created_at    timestamptz not null,
    last_used_at  timestamptz
);
grant select, insert, delete, update (last_used_at) on phones to appliance_app;

-- Codes that were sent. A row outlives its code by an hour, to count how many messages a person was sent. The person need not be in the database yet:
-- a set-up link makes the account together with its first factor.
create table sms_codes (
    reference_hash bytea primary key,              -- SHA-256 of what comes back with the code
    user_id        uuid not null,
    enrols         boolean not null,               -- confirms a phone, rather than signing in with it
    sealed_number  bytea not null,
    binding        bytea not null,                 -- SHA-256 of the sign-in or set-up that it was sent for
    mac            bytea not null,                 -- of the code
    sent_at        timestamptz not null,
    expires_at     timestamptz not null,
    tries          integer not null default 0 check (tries between 0 and 5),
    used_at        timestamptz
);
create index sms_codes_user on sms_codes (user_id, sent_at);
create index sms_codes_sent on sms_codes (sent_at);
grant select, insert, delete, update (tries, used_at) on sms_codes to appliance_app;
