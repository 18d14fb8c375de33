-- Run once by the cluster's superuser (psql -f), before the first migration. Safe to run again.
-- appliance_owner  owns the schema, runs migrations, and is not a role that the running app can become
-- appliance_app    what the app connects as: owns nothing, cannot bypass row-level security
-- Neither has a password: who may connect as which is decided by pg_hba.conf and pg_ident.conf (peer authentication).
\set ON_ERROR_STOP on
select 'create role appliance_owner login nosuperuser nocreatedb nocreaterole nobypassrls noreplication'
 where not exists (select from pg_roles where rolname = 'appliance_owner') \gexec
select 'create role appliance_app login nosuperuser nocreatedb nocreaterole nobypassrls noreplication'
 where not exists (select from pg_roles where rolname = 'appliance_app') \gexec
select format('create database %I owner appliance_owner encoding ''UTF8'' locale ''C.UTF-8'' template template0', :'database')
 where not exists (select from pg_database where datname = :'database') \gexec
select format('revoke all on database %I from public', :'database') \gexec
select format('grant connect on database %I to appliance_app', :'database') \gexec
\connect :database
alter schema public owner to appliance_owner;
revoke all on schema public from public;
grant usage on schema public to appliance_app;
-- Extensions are the superuser's to make; the names of files are searched by trigram, within a team.
create extension if not exists pg_trgm;
create extension if not exists btree_gin;
