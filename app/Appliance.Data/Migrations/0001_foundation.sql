-- The two questions that every policy asks: which team, and who. TeamSession answers them with transaction-local
-- settings; where it has not, both are null and no policy lets a row through.
create function app_team() returns uuid language sql stable parallel safe
    as $$ select nullif(current_setting('app.team', true), '')::uuid $$;
create function app_user() returns uuid language sql stable parallel safe
    as $$ select nullif(current_setting('app.person', true), '')::uuid $$;

-- Facts about the installation itself, such as which appliance key its data was sealed with.
create table appliance_state (
    name  text primary key,
    value text not null
);
grant select, insert on appliance_state to appliance_app;

-- ASP.NET Core data protection keys, each sealed under the appliance key before it comes here.
create table data_protection_keys (
    id         uuid primary key,
    name       text not null,
    sealed     bytea not null,
    created_at timestamptz not null
);
grant select, insert on data_protection_keys to appliance_app;
