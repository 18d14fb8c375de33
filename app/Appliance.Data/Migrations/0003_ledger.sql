-- The ledger: entries are written in the transaction of the change they tell of; one sealer appends them to a Merkle
-- tree (RFC 9162), one for each team and one (the nil tree) for the appliance, and signs each tree head.
create table ledger_entries (
    id      uuid primary key,
    tree    uuid not null,                         -- a team's id, or nil for the appliance
    at      timestamptz not null,
    actor   uuid,                                  -- null: nobody signed in
    action  text not null,
    subject text,
    address text,                                  -- where the request came from
    details text not null                          -- a JSON object, exactly as it was hashed
);
create index ledger_entries_tree on ledger_entries (tree, id desc);

create table ledger_queue (                        -- entries that are not sealed yet
    entry_id uuid primary key,
    tree     uuid not null
);
create table ledger_leaves (
    tree     uuid not null,
    index    bigint not null,
    entry_id uuid not null unique,
    hash     bytea not null,
    primary key (tree, index)
);
create table ledger_heads (
    tree      uuid not null,
    size      bigint not null,
    root      bytea not null,
    frontier  bytea not null,                      -- the roots of the complete subtrees, to append from
    signed_at timestamptz not null,
    key_id    text not null,                       -- SHA-256 of the public key, hexadecimal
    signature bytea not null,
    primary key (tree, size)
);

alter table ledger_entries enable row level security;
alter table ledger_entries force row level security;
alter table ledger_leaves enable row level security;
alter table ledger_leaves force row level security;
alter table ledger_heads enable row level security;
alter table ledger_heads force row level security;

create function app_may_read_tree(tree uuid) returns boolean language sql stable
    as $$ select case when tree = '00000000-0000-0000-0000-000000000000' then app_team() is null
                      else tree = app_team() and (select app_may_enter()) end $$;

create policy tree_reads on ledger_entries for select to appliance_app using (app_may_read_tree(tree));
-- A change in a team may also tell the appliance's ledger of itself (a team was made), never another team's.
create policy tree_writes on ledger_entries for insert to appliance_app
    with check (tree = '00000000-0000-0000-0000-000000000000' or tree = app_team());
create policy tree_reads on ledger_leaves for select to appliance_app using (app_may_read_tree(tree));
create policy tree_writes on ledger_leaves for insert to appliance_app with check (app_may_read_tree(tree));
create policy tree_reads on ledger_heads for select to appliance_app using (app_may_read_tree(tree));
create policy tree_writes on ledger_heads for insert to appliance_app with check (app_may_read_tree(tree));

grant select, insert on ledger_entries, ledger_leaves, ledger_heads to appliance_app;
grant select, delete on ledger_queue to appliance_app;

-- Queued by the database, so that no code path can write an entry that the sealer does not hear of.
create function ledger_enqueue() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$ begin insert into ledger_queue (entry_id, tree) values (new.id, new.tree); return null; end $$;
create trigger enqueue after insert on ledger_entries for each row execute function ledger_enqueue();

-- Not even the owner of the tables edits what was written, short of switching this off where it shows.
create function ledger_is_append_only() returns trigger language plpgsql
    as $$ begin raise exception 'the ledger is append-only' using errcode = 'insufficient_privilege'; end $$;
create trigger append_only before update or delete or truncate on ledger_entries for each statement execute function ledger_is_append_only();
create trigger append_only before update or delete or truncate on ledger_leaves for each statement execute function ledger_is_append_only();
create trigger append_only before update or delete or truncate on ledger_heads for each statement execute function ledger_is_append_only();
