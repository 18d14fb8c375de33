-- The models of security keys that may be used; no row: any. Not tenant data: it holds for the whole appliance.
create table key_models (
    id       uuid primary key,                     -- the AAGUID; for a U2F model, a UUID made of its attestation key's identifier
    added_at timestamptz not null
);
grant select, insert, delete on key_models to appliance_app;

-- The FIDO metadata BLOB that was uploaded last. Its signature is verified again whenever it is read.
create table fido_metadata (
    id          smallint primary key default 1 check (id = 1),
    number      bigint not null,
    blob        bytea not null check (octet_length(blob) <= 16777216),
    uploaded_at timestamptz not null
);
grant select, insert, update on fido_metadata to appliance_app;
