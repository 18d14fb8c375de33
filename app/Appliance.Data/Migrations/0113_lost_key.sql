-- Recovery from lost keys by two owners of the appliance (docs/lost-key.md).
create index users_owners on users (id) where owner;

-- What is under way; what is over is in the ledger. That three people are in it, the database asks as well. Not tenant data.
create table lost_key_requests (
    user_id      uuid primary key references users (id) on delete cascade,  -- one for each person
    reference    text not null unique,             -- which request an owner saw when they agreed
    requested_by uuid not null references users (id) on delete cascade,
    reason       text not null check (length(reason) between 1 and 200),
    requested_at timestamptz not null,
    approved_by  uuid references users (id) on delete cascade,
    approved_at  timestamptz,
    code_mac     bytea,                            -- of the code, until it is given
    sign_in      uuid,                             -- the half sign-in that it was given in, from then on
    expires_at   timestamptz not null,             -- of the request, then of the code, then of that sign-in
    check (requested_by <> user_id and approved_by <> user_id and approved_by <> requested_by),
    check ((approved_by is null) = (approved_at is null)),
    check (num_nonnulls(code_mac, sign_in) = num_nonnulls(approved_by))
);
create index lost_key_requests_expiry on lost_key_requests (expires_at);
grant select, insert, delete, update (approved_by, approved_at, code_mac, sign_in, expires_at) on lost_key_requests to appliance_app;

alter table mail_links drop constraint mail_links_purpose_check,
    add constraint mail_links_purpose_check check (purpose in ('confirm-address', 'new-password', 'not-me', 'stop-lost-key'));
