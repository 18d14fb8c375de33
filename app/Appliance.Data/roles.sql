-- Run once by the cluster's superuser (psql -f), before the first migration. Safe to run again.
-- appliance_owner  owns the schema, runs migrations, and is not a role that the running app can become
-- appliance_app    what the app connects as: owns nothing, cannot bypass row-level security
-- appliance_operator  what the app connects as for its operators' port: no grant on any table, only functions whose names begin with operator_
-- None has a password: who may connect as which is decided by pg_hba.conf and pg_ident.conf (peer authentication).
\set ON_ERROR_STOP on
select 'create role appliance_owner login nosuperuser nocreatedb nocreaterole nobypassrls noreplication'
 where not exists (select from pg_roles where rolname = 'appliance_owner') \gexec
select 'create role appliance_app login nosuperuser nocreatedb nocreaterole nobypassrls noreplication'
 where not exists (select from pg_roles where rolname = 'appliance_app') \gexec
select 'create role appliance_operator login nosuperuser nocreatedb nocreaterole nobypassrls noreplication connection limit 40'
 where not exists (select from pg_roles where rolname = 'appliance_operator') \gexec
select format('create database %I owner appliance_owner encoding ''UTF8'' locale ''C.UTF-8'' template template0', :'database')
 where not exists (select from pg_database where datname = :'database') \gexec
select format('revoke all on database %I from public', :'database') \gexec
select format('grant connect on database %I to appliance_app, appliance_operator', :'database') \gexec
\connect :database
alter schema public owner to appliance_owner;
revoke all on schema public from public;
grant usage on schema public to appliance_app, appliance_operator;
-- A database from before this role: its migration may have run without it.
select format('grant execute on function %s to appliance_operator', oid::regprocedure)
  from pg_proc where pronamespace = 'public'::regnamespace and proname like 'operator\_%' and proowner = 'appliance_owner'::regrole \gexec
-- Extensions are the superuser's to make; the names of files are searched by trigram, within a team.
create extension if not exists pg_trgm;
create extension if not exists btree_gin;
