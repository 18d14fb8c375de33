-- Search that looks at a bounded number of names, however common a word is. The trigram index builds the bitmap of all that match before it hands
-- out the first row, and those rows lie all over the table: right for a rare word, and slow for one that every thirtieth of a million names holds.

-- All that search needs to know of a name stands in the index of the names' order, so it reads that alone.
drop index entries_prefix;
create index entries_prefix on entries (team_id, name_key text_pattern_ops, id) include (parent_id) where deleted_at is null;
-- … where vacuum has said that rows are visible to all: after 2 % of new ones, not after 20 %.
alter table entries set (autovacuum_vacuum_insert_scale_factor = 0.02);

-- Up to "most" entries of the team that is set whose name holds all the words (upper-case NFC, at least one), those that begin with the first
-- word before the others, then by name. Nothing that lies in the trash or below a folder that does. If no word has three letters, only names that
-- begin with the first. Where there are more than "most", those that begin with it are the first of them all; of the others it is some.
create or replace function app_search(words text[], most integer)
    returns table (id uuid, reference text, parent_id uuid, kind text, name text, size bigint, media_type text, modified_at timestamptz, revision bigint)
    language plpgsql stable security definer set search_path = public, pg_temp set plan_cache_mode = force_custom_plan
    set enable_seqscan = off -- statistics are late after many uploads; every way of looking here has its index
    as $$
    #variable_conflict use_column
    declare
        team uuid := app_team();
        first text := words[1];
        past text := first || U&'\+10FFFF';
        longest integer := (select max(char_length(w)) from unnest(words) w);
        patterns text[] := (select array_agg('%' || replace(replace(replace(w, '\', '\\'), '%', '\%'), '_', '\_') || '%') from unnest(words) w);
        -- The trigram index can look for those that have three letters or digits in a row, and the longest say most.
        indexed text[] := (select array_agg(p order by char_length(p) desc, p) from unnest(patterns) p where p ~ '[[:alnum:]]{3}');
        one text := indexed[1];
        two text := coalesce(indexed[2], '%');
        gone uuid[];
        begins uuid[];
        others uuid[];
        are_all_known boolean := false; -- those that begin with it
        looks integer;
        sampled record;
    begin
        if not coalesce((select app_may_enter()), false) or first is null or first = '' then
            return;
        end if;
        -- The folders whose content is gone with them.
        gone := array(
            with recursive below as (
                select e.id from entries e where e.team_id = team and e.deleted_at is not null and e.kind = 'folder'
                union
                select e.id from below b join entries e on e.team_id = team and e.parent_id = b.id and e.kind = 'folder'
            )
            select b.id from below b);

        -- In the order of the answer with a limit on the names looked at; if that does not do, and nothing else does, without one.
        foreach looks in array array[most * 200, 2000000000] loop
            if not are_all_known then
                begins := array(
                    select e.id from (
                        select e.id, e.name_key, e.parent_id from entries e
                        where e.team_id = team and e.deleted_at is null and e.name_key ~>=~ first and e.name_key ~<~ past
                        order by e.name_key using ~<~, e.id limit looks) e
                    where e.name_key like all (patterns) and (e.parent_id is null or e.parent_id <> all (gone)) limit most);
                exit when cardinality(begins) = most;
                are_all_known := looks > (select count(*) from (
                    select from entries e where e.team_id = team and e.deleted_at is null and e.name_key ~>=~ first and e.name_key ~<~ past limit looks) e);
            end if;
            continue when longest < 3 and not are_all_known;
            exit when longest < 3;
            if are_all_known then
                others := array(
                    select e.id from (
                        select e.id, e.name_key, e.parent_id from entries e where e.team_id = team and e.deleted_at is null
                        order by e.name_key using ~<~, e.id limit looks) e
                    where e.name_key like all (patterns) and not starts_with(e.name_key, first) and (e.parent_id is null or e.parent_id <> all (gone))
                    limit most - cardinality(begins));
                exit when cardinality(begins) + cardinality(others) = most or looks > most * 200;
            end if;

            -- How many names hold the words, and how many those that the trigram index can look for? References are random: a thousand are a fair sample.
            select count(*) filter (where e.name_key like one and e.name_key like two) as trigrams,
                   count(*) filter (where e.name_key like all (patterns) and (e.parent_id is null or e.parent_id <> all (gone))) as words
                into sampled
                from (select e.name_key, e.parent_id from entries e where e.team_id = team and e.deleted_at is null order by e.reference limit 1000) e;
            if one is not null and sampled.trigrams < 10 then
                -- Few: all of them, by trigram.
                begins := array(
                    with matching as materialized (
                        select e.id, e.name_key, e.parent_id from entries e
                        where e.team_id = team and e.deleted_at is null and e.name_key like one and e.name_key like two)
                    select e.id from matching e
                    where e.name_key like all (patterns) and (e.parent_id is null or e.parent_id <> all (gone))
                    order by not starts_with(e.name_key, first), e.name_key using ~<~, e.id limit most);
                others := null;
                exit;
            end if;
            -- Many, and not among the first names: as many as are wanted, wherever they are.
            if are_all_known and sampled.words >= 5 then
                others := array(
                    select e.id from (
                        select e.id, e.name_key, e.parent_id from entries e where e.team_id = team and e.deleted_at is null order by e.reference limit looks) e
                    where e.name_key like all (patterns) and not starts_with(e.name_key, first) and (e.parent_id is null or e.parent_id <> all (gone))
                    limit most - cardinality(begins));
                exit when cardinality(begins) + cardinality(others) = most;
            end if;
        end loop;
        return query
            select e.id, e.reference, e.parent_id, e.kind, e.name, e.size, e.media_type, e.modified_at, e.revision
            from entries e where e.team_id = team and e.id = any (begins || others)
            order by not starts_with(e.name_key, first), e.name_key using ~<~, e.id;
    end $$;
