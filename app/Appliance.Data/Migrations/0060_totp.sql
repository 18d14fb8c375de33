-- Authenticator apps (TOTP, RFC 6238): the second choice after security keys, one for each person. Not tenant data: a person can be in several teams.
create table authenticator_apps (
    user_id       uuid primary key references users (id) on delete cascade,
    sealed_secret bytea not null,                  -- 160 random bits, sealed under the appliance key for this person alone
    last_step     bigint not null check (last_step >= 0),  -- the time step of the last code that was accepted; only later ones are
    created_at    timestamptz not null,
    last_used_at  timestamptz
);
-- What an app is never changes; another one takes its place.
grant select, insert, delete, update (last_step, last_used_at) on authenticator_apps to appliance_app;
