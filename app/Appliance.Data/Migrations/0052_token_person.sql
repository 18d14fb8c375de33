-- Whose token it is, and the person told to the database for the rest of the transaction: nobody where the token is over, or of another team than the
-- one that is set. A function in PL/pgSQL keeps its plan for as long as a connection lives; every request with a token asks this. It runs as the caller.
create function app_enter_with_token(hash bytea, wanted_kind text, at timestamptz, latest_made timestamptz)
    returns table (id uuid, user_id uuid, username text, username_key text, team_id uuid, may_write boolean, created_at timestamptz,
                   expires_at timestamptz, last_used_at timestamptz, reference text, name text, person text)
    language plpgsql set search_path = public, pg_temp
    as $$
    #variable_conflict use_column
    begin
        return query
            select a.id, a.user_id, u.username, u.username_key, a.team_id, a.may_write, a.created_at, a.expires_at, a.last_used_at, a.reference, a.name,
                   set_config('app.person', case when (a.expires_at is null or a.expires_at > at) and a.created_at <= latest_made
                       and (a.team_id is null or a.team_id = app_team()) then a.user_id::text else '' end, true)
            from api_tokens a join users u on u.id = a.user_id where a.token_hash = hash and a.kind = wanted_kind;
    end $$;
revoke all on function app_enter_with_token(bytea, text, timestamptz, timestamptz) from public;
grant execute on function app_enter_with_token(bytea, text, timestamptz, timestamptz) to appliance_app;
