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

-- Entries that are not sealed yet. The position is drawn when the entry is written and takes no lock: whatever had been
-- committed before an entry was written stands before it.
create table ledger_queue (
    tree     uuid not null,
    position bigint not null generated always as identity,
    entry_id uuid not null unique,
    primary key (tree, position)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create table ledger_leaves (
    tree     uuid not null,
    index    bigint not null check (index >= 0),
    entry_id uuid not null unique,
    hash     bytea not null check (octet_length(hash) = 32),
    primary key (tree, index)
);
create table ledger_heads (
    tree      uuid not null,
    size      bigint not null check (size > 0),
    root      bytea not null check (octet_length(root) = 32),
    frontier  bytea not null,                      -- the roots of the complete subtrees, to append from
    signed_at timestamptz not null,
    key_id    text not null,                       -- SHA-256 of the public key, hexadecimal
    signature bytea not null,
    primary key (tree, size)
);

alter table ledger_entries enable row level security;
alter table ledger_entries force row level security;
alter table ledger_queue enable row level security;
alter table ledger_queue force row level security;
alter table ledger_leaves enable row level security;
alter table ledger_leaves force row level security;
alter table ledger_heads enable row level security;
alter table ledger_heads force row level security;

-- A team's tree belongs to whoever may enter the team; the appliance's tree to nobody in particular, so to no person's session.
-- Written out in each policy, because a function around it would be called for each row; and as one equality, because two that
-- are or-ed would keep the database from reading a tree in the order of its index.
create policy tree_reads on ledger_entries for select to appliance_app
    using (tree = coalesce(app_team(), '00000000-0000-0000-0000-000000000000')
           and (select app_may_enter() or (app_team() is null and app_user() is null)));
create policy tree_reads on ledger_queue for select to appliance_app
    using (tree = coalesce(app_team(), '00000000-0000-0000-0000-000000000000')
           and (select app_may_enter() or (app_team() is null and app_user() is null)));
create policy tree_reads on ledger_leaves for select to appliance_app
    using (tree = coalesce(app_team(), '00000000-0000-0000-0000-000000000000')
           and (select app_may_enter() or (app_team() is null and app_user() is null)));
create policy tree_reads on ledger_heads for select to appliance_app
    using (tree = coalesce(app_team(), '00000000-0000-0000-0000-000000000000')
           and (select app_may_enter() or (app_team() is null and app_user() is null)));

-- Whoever may enter a team writes to its ledger, and so does the one who is just making the team. Anybody's change may also
-- tell the appliance's ledger of itself (a team was made, a sign-in failed); nobody's change tells another team's.
create policy team_writes on ledger_entries for insert to appliance_app
    with check (tree = app_team() and ((select app_may_enter()) or (select app_team_is_new())));
create policy appliance_writes on ledger_entries for insert to appliance_app
    with check (tree = '00000000-0000-0000-0000-000000000000');

-- Only the appliance's own job seals: the nil user in a team, nobody at all outside of one.
create policy job_writes on ledger_leaves for insert to appliance_app
    with check ((tree = app_team() and (select app_user() = '00000000-0000-0000-0000-000000000000'))
             or (tree = '00000000-0000-0000-0000-000000000000' and (select app_team() is null and app_user() is null)));
create policy job_writes on ledger_heads for insert to appliance_app
    with check ((tree = app_team() and (select app_user() = '00000000-0000-0000-0000-000000000000'))
             or (tree = '00000000-0000-0000-0000-000000000000' and (select app_team() is null and app_user() is null)));

grant select, insert on ledger_entries, ledger_leaves, ledger_heads to appliance_app;
grant select on ledger_queue to appliance_app;

-- The queue is the database's own: filled where an entry is written and emptied where its leaf is, so that no code path can
-- write an entry that the sealer does not hear of, nor drop one without sealing it, nor seal one twice.
create policy owner_queues on ledger_queue to appliance_owner using (true) with check (true);

create function ledger_enqueue() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$ begin insert into ledger_queue (entry_id, tree) values (new.id, new.tree); return null; end $$;
create trigger enqueue after insert on ledger_entries for each row execute function ledger_enqueue();

create function ledger_dequeue() returns trigger language plpgsql security definer set search_path = public, pg_temp
    as $$
    declare waiting bigint;
    begin
        delete from ledger_queue q using sealed s where q.entry_id = s.entry_id and q.tree = s.tree;
        get diagnostics waiting = row_count;
        if waiting <> (select count(*) from sealed) then
            raise exception 'a leaf was written for an entry that was not waiting' using errcode = 'insufficient_privilege';
        end if;
        return null;
    end $$;
create trigger dequeue after insert on ledger_leaves referencing new table as sealed for each statement execute function ledger_dequeue();

-- Which trees have entries waiting: all that the sealer learns before it enters a team. One index look-up for each tree,
-- however many entries wait.
create function ledger_waiting_trees() returns setof uuid language sql stable security definer set search_path = public, pg_temp
    as $$
    with recursive waiting as (
        (select tree from ledger_queue order by tree limit 1)
        union all
        select (select q.tree from ledger_queue q where q.tree > w.tree order by q.tree limit 1) from waiting w where w.tree is not null
    )
    select tree from waiting where tree is not null $$;

revoke all on function ledger_enqueue(), ledger_dequeue(), ledger_waiting_trees() from public;
grant execute on function ledger_waiting_trees() to appliance_app;

-- Not even the owner of the tables edits what was written, short of switching this off where it shows.
create function ledger_is_append_only() returns trigger language plpgsql
    as $$ begin raise exception 'the ledger is append-only' using errcode = 'insufficient_privilege'; end $$;
create trigger append_only before update or delete or truncate on ledger_entries for each statement execute function ledger_is_append_only();
create trigger append_only before update or delete or truncate on ledger_leaves for each statement execute function ledger_is_append_only();
create trigger append_only before update or delete or truncate on ledger_heads for each statement execute function ledger_is_append_only();
