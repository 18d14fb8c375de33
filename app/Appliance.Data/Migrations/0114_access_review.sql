-- Owners look through who has access, and sign that they did (docs/access-review.md). What was signed stays as it was signed.
alter table team_policies add column review_days integer check (review_days between 7 and 730);  -- null: as everybody, 90

create table access_reviews (
    team_id   uuid not null references teams (id),
    reference text not null unique,
    signed_at timestamptz not null,
    signed_by uuid not null references users (id),
    kept      integer not null,
    removed   integer not null,
    lines     text not null,                       -- JSON: everybody as they were, and what was decided
    primary key (team_id, reference)
);
create index access_reviews_signed_at on access_reviews (team_id, signed_at desc);
alter table access_reviews enable row level security;
alter table access_reviews force row level security;
create policy owners_read on access_reviews for select to appliance_app
    using (team_id = app_team() and ((select app_owns_team()) or app_user() = '00000000-0000-0000-0000-000000000000'));
create policy owners_sign on access_reviews for insert to appliance_app
    with check (team_id = app_team() and signed_by = app_user() and (select app_owns_team()));
grant select, insert on access_reviews to appliance_app;

-- When owners were last reminded of a review that is due. The appliance's own job alone writes it.
create table access_review_reminders (
    team_id     uuid primary key references teams (id),
    reminded_at timestamptz not null
);
alter table access_review_reminders enable row level security;
alter table access_review_reminders force row level security;
create policy job on access_review_reminders to appliance_app
    using (team_id = app_team() and app_user() = '00000000-0000-0000-0000-000000000000')
    with check (team_id = app_team() and app_user() = '00000000-0000-0000-0000-000000000000');
grant select, insert, update on access_review_reminders to appliance_app;
