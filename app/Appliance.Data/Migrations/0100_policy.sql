-- Who must use what to sign in (docs/decisions.md): one policy of the appliance, and one for each team that asks for more.
create table appliance_policy (
    id                boolean primary key default true check (id),  -- there is one
    second_factor     text not null default 'required' check (second_factor in ('optional', 'required', 'key')),
    device_bound      boolean not null default false,               -- no key that can be copied to another device (backup eligible)
    user_verification boolean not null default false,               -- a key asks for PIN or fingerprint
    idle_lock_minutes integer check (idle_lock_minutes between 1 and 1440),
    session_hours     integer check (session_hours between 1 and 720),
    password_days     integer check (password_days between 1 and 3650),
    passkey_alone     boolean not null default false,               -- a passkey that verified its user signs in without the password
    remembered_days   integer not null default 0 check (remembered_days between 0 and 90),  -- 0: no device is remembered
    version           integer not null default 0,                   -- counts the changes: who changes says which one they saw
    changed_at        timestamptz
);
insert into appliance_policy default values;
grant select, update on appliance_policy to appliance_app;

create table team_policies (
    team_id           uuid primary key references teams (id),
    second_factor     text not null default 'appliance' check (second_factor in ('appliance', 'required', 'key')),
    device_bound      boolean not null default false,
    user_verification boolean not null default false,
    idle_lock_minutes integer check (idle_lock_minutes between 1 and 1440),
    session_hours     integer check (session_hours between 1 and 720),
    unused_days       integer check (unused_days between 1 and 3650),  -- members who do not come for so long lose their access; null: never
    version           integer not null default 0,
    changed_at        timestamptz
);

create function app_owns_team() returns boolean language sql stable parallel safe security definer set search_path = public, pg_temp
    as $$ select exists (select from memberships where team_id = app_team() and user_id = app_user() and role = 'owner') $$;
revoke all on function app_owns_team() from public;
grant execute on function app_owns_team() to appliance_app;

alter table team_policies enable row level security;
alter table team_policies force row level security;
create policy team_reads on team_policies for select to appliance_app using (team_id = app_team() and (select app_may_enter()));
create policy owners_add on team_policies for insert to appliance_app with check (team_id = app_team() and (select app_owns_team()));
create policy owners_change on team_policies for update to appliance_app
    using (team_id = app_team() and (select app_owns_team())) with check (team_id = app_team());
create policy owner_reads on team_policies for select to appliance_owner using (true);
grant select, insert, update on team_policies to appliance_app;

-- What a team asks of a person in it, by the team's public reference, for the look-up that finds out who is there: it has told the database nobody yet.
create function app_team_policy(sought text, person uuid)
    returns table (second_factor text, device_bound boolean, user_verification boolean, idle_lock_minutes integer, session_hours integer)
    language plpgsql stable security definer set search_path = public, pg_temp
    as $$
    #variable_conflict use_column
    begin
        if sought = '' then
            return;
        end if;
        return query select p.second_factor, p.device_bound, p.user_verification, p.idle_lock_minutes, p.session_hours
            from teams t join memberships m on m.team_id = t.id and m.user_id = person join team_policies p on p.team_id = t.id
            where t.reference = sought;
    end $$;

-- What all teams of a person ask, for changes of that person's own keys and apps.
create function app_team_policies(person uuid)
    returns table (team text, second_factor text, device_bound boolean, user_verification boolean, idle_lock_minutes integer, session_hours integer)
    language sql stable security definer set search_path = public, pg_temp
    as $$ select t.name, p.second_factor, p.device_bound, p.user_verification, p.idle_lock_minutes, p.session_hours
          from memberships m join team_policies p on p.team_id = m.team_id join teams t on t.id = m.team_id where m.user_id = person order by t.id $$;
revoke all on function app_team_policy(text, uuid), app_team_policies(uuid) from public;
grant execute on function app_team_policy(text, uuid), app_team_policies(uuid) to appliance_app;

-- What a session was opened with. Null: by a version before this one, which asked everybody for a second factor.
alter table sessions
    add column factor text check (factor in ('password', 'recovery-code', 'phone', 'app', 'key', 'remembered-device', 'identity-provider')),
    add column key_id bytea,                                        -- the key that was touched last; what it is stands with the key
    add column user_verified boolean not null default false,        -- and whether it asked for PIN or fingerprint
    add column longest_idle_seconds integer not null default 0;     -- since the person last proved who they are
-- When a key last verified its user: one that was registered without can still be able to.
alter table security_keys add column user_verified_at timestamptz;
grant update (user_verified_at) on security_keys to appliance_app;

-- A question that any passkey may answer, before anybody is known.
alter table security_key_ceremonies drop constraint security_key_ceremonies_purpose_check;
alter table security_key_ceremonies add constraint security_key_ceremonies_purpose_check check (purpose in ('registration', 'assertion', 'passkey'));

-- A token is as good as the session that it was made in. Null: made by a version before this one.
alter table api_tokens
    add column factor text check (factor in ('password', 'recovery-code', 'phone', 'app', 'key', 'identity-provider')),
    add column key_id bytea,
    add column user_verified boolean not null default false;

-- As the function of 0052, which the version before this one still calls, and what the policies ask and the token was made with.
create function app_enter_with_token(hash bytea, wanted_kind text, at timestamptz, latest_made timestamptz, door text)
    returns table (id uuid, user_id uuid, username text, username_key text, team_id uuid, may_write boolean, created_at timestamptz,
                   expires_at timestamptz, last_used_at timestamptz, reference text, name text, person text,
                   second_factor text, device_bound boolean, user_verification boolean,
                   team_second_factor text, team_device_bound boolean, team_user_verification boolean,
                   factor text, key_backup_eligible boolean, user_verified boolean)
    language plpgsql set search_path = public, pg_temp
    as $$
    #variable_conflict use_column
    begin
        return query
            select a.id, a.user_id, u.username, u.username_key, a.team_id, a.may_write, a.created_at, a.expires_at, a.last_used_at, a.reference, a.name,
                   set_config('app.person', case when (a.expires_at is null or a.expires_at > at) and a.created_at <= latest_made
                       and (a.team_id is null or a.team_id = app_team()) then a.user_id::text else '' end, true),
                   p.second_factor, p.device_bound, p.user_verification, t.second_factor, t.device_bound, t.user_verification,
                   a.factor, k.is_backup_eligible, a.user_verified
            from api_tokens a join users u on u.id = a.user_id cross join appliance_policy p
                 left join security_keys k on k.credential_id = a.key_id and k.user_id = a.user_id
                 left join lateral app_team_policy(door, a.user_id) t on true
            where a.token_hash = hash and a.kind = wanted_kind;
    end $$;
revoke all on function app_enter_with_token(bytea, text, timestamptz, timestamptz, text) from public;
grant execute on function app_enter_with_token(bytea, text, timestamptz, timestamptz, text) to appliance_app;
