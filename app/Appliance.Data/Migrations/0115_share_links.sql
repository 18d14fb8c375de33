-- Files and folders shared by link (docs/sharing.md). A link works as whoever made it, and only for one entry: when its maker leaves the team, the database
-- itself shows it nothing any more. Of the link, the SHA-256 of its token is kept.
alter table team_policies add column no_share_links boolean not null default false;

create table share_links (
    team_id       uuid not null references teams (id),
    id            uuid not null,
    reference     text not null unique,                              -- names the link in lists; opens nothing
    token_hash    bytea not null unique,
    entry         text not null,                                     -- the entry's reference; what was deleted for good is not there
    entry_name    text not null,                                     -- as it was called when the link was made
    made_by       uuid not null references users (id),
    created_at    timestamptz not null,
    expires_at    timestamptz not null,
    password_hash text,
    max_downloads integer check (max_downloads between 1 and 1000000),
    downloads     integer not null default 0,
    last_used_at  timestamptz,
    revoked_at    timestamptz,
    primary key (team_id, id)
);
create index share_links_entry on share_links (team_id, entry);
create table share_uses (
    team_id uuid not null,
    link_id uuid not null,
    id      uuid not null,
    at      timestamptz not null,
    address text,
    primary key (team_id, id),
    foreign key (team_id, link_id) references share_links (team_id, id)
);
create index share_uses_link on share_uses (team_id, link_id, at desc);

alter table share_links enable row level security;
alter table share_links force row level security;
alter table share_uses enable row level security;
alter table share_uses force row level security;
create policy owner_reads on share_links for select to appliance_owner using (true);
-- Its maker's and the owners'.
create policy mine_are_read on share_links for select to appliance_app
    using (team_id = app_team() and (select app_may_enter()) and (made_by = app_user() or (select app_owns_team())));
create policy mine_are_made on share_links for insert to appliance_app
    with check (team_id = app_team() and (select app_may_enter()) and made_by = app_user());
create policy mine_change on share_links for update to appliance_app
    using (team_id = app_team() and (select app_may_enter()) and (made_by = app_user() or (select app_owns_team())))
    with check (team_id = app_team());
create policy of_my_links_are_read on share_uses for select to appliance_app
    using (team_id = app_team() and exists (select from share_links l where l.team_id = share_uses.team_id and l.id = link_id));
create policy of_my_links_are_made on share_uses for insert to appliance_app
    with check (team_id = app_team() and exists (select from share_links l where l.team_id = share_uses.team_id and l.id = link_id));
-- What is over for long is removed by the appliance's own job (the nil user), and by nobody else.
create policy job_reads on share_links for select to appliance_app using (team_id = app_team() and app_user() = '00000000-0000-0000-0000-000000000000');
create policy job_removes on share_links for delete to appliance_app using (team_id = app_team() and app_user() = '00000000-0000-0000-0000-000000000000');
create policy job_removes on share_uses for delete to appliance_app using (team_id = app_team() and app_user() = '00000000-0000-0000-0000-000000000000');
grant select, insert, delete on share_links, share_uses to appliance_app;
grant update (downloads, last_used_at, revoked_at) on share_links to appliance_app;

-- A link that works, by its token's hash, for whoever comes with it and is nobody: it has told the database nothing yet.
create function app_share_link(hash bytea, at timestamptz)
    returns table (team_id uuid, id uuid, reference text, entry text, made_by uuid, password_hash text, expires_at timestamptz, max_downloads integer, downloads integer)
    language sql stable security definer set search_path = public, pg_temp
    as $$ select l.team_id, l.id, l.reference, l.entry, l.made_by, l.password_hash, l.expires_at, l.max_downloads, l.downloads
          from share_links l join memberships m on m.team_id = l.team_id and m.user_id = l.made_by
               left join team_policies p on p.team_id = l.team_id
          where l.token_hash = hash and l.revoked_at is null and l.expires_at > at and not coalesce(p.no_share_links, false) $$;
revoke all on function app_share_link(bytea, timestamptz) from public;
grant execute on function app_share_link(bytea, timestamptz) to appliance_app;
