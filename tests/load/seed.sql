-- Many files without their bytes, as the superuser: what listing and search have to cope with.
--   lists    reference of the team that gets a folder of 1,000 and one of 100,000 files
--   archive  reference of the team that gets 1,000,000 files in 1,000 folders
\set ON_ERROR_STOP on
set session_replication_role = replica; -- no triggers and foreign keys: the rows fit by the way they are made
set synchronous_commit = off;
set maintenance_work_mem = '512MB';
set work_mem = '256MB';

-- Row by row, the index of names is what takes the time: it is made again from all of them.
select pg_get_indexdef('entries_search'::regclass) as search_index \gset
drop index entries_search;

create function pg_temp.ref(seed text) returns text language sql immutable as $$ select left(translate(md5(seed), '0189', 'ghij'), 26) $$;
create function pg_temp.pick(words text[], seed bigint) returns text language sql immutable as
    $$ select words[1 + abs(hashint8(seed)::bigint) % cardinality(words)] $$;

-- Names as people give them: "Invoice 2023-04 Northwind final.pdf".
create function pg_temp.file_name(n bigint) returns text language sql immutable as $$
    select pg_temp.pick('{Invoice,Report,Minutes,Contract,Budget,Photo,Scan,Offer,Letter,Plan,Drawing,Interview,Episode,Recording,Script,Poster,Survey,Protocol,Manual,Backup,Résumé,Übersicht,Certificate,Receipt,Timetable,Payroll,Agenda,Checklist,Brochure,Storyboard}'::text[], n)
        || ' ' || (2005 + n % 21) || '-' || lpad((1 + n % 12)::text, 2, '0') || ' '
        || pg_temp.pick('{Northwind,Lindqvist,Okafor,Harbour,Meridian,Castellan,Juniper,Bergmann,Falkner,Orchard,Tanaka,Quarry,Solaris,Whitfield,Almeida,Rosenthal,Kestrel,Marlowe,Dubois,Ferncliff,Novak,Pemberton,Sagebrush,Vanguard,Zielinski,Hallström,Eriksen,Moreau,Castillo,Ivanova}'::text[], n * 7 + 3)
        || ' ' || pg_temp.pick('{draft,final,signed,v1,v2,v3,old,new,copy,reviewed,approved,"(1)","(2)",print,web}'::text[], n * 13 + 5)
        || ' ' || n || pg_temp.pick('{.pdf,.docx,.xlsx,.jpg,.png,.txt,.mp3,.wav,.mp4,.zip,.pptx,.odt,.csv,.md,.tif}'::text[], n * 17 + 11) $$;

create function pg_temp.folder(team uuid, person uuid, folder_name text, parent uuid) returns uuid language sql as $$
    insert into entries (id, team_id, reference, parent_id, kind, name, name_key, size, created_at, created_by, modified_at, modified_by)
    values (gen_random_uuid(), team, pg_temp.ref(team::text || folder_name), parent, 'folder', folder_name, upper(folder_name), 0, now(), person, now(), person) returning id $$;

create temp table planned (team_id uuid, person uuid, parent_id uuid, id uuid default gen_random_uuid(), content uuid default gen_random_uuid(), name text, n bigint);
select m.team_id as lists_id, m.user_id as person from memberships m join teams t on t.id = m.team_id where t.reference = :'lists' \gset
select id as archive_id from teams where reference = :'archive' \gset

insert into planned (team_id, person, parent_id, name, n)
    select :'lists_id', :'person', f.id, pg_temp.file_name(n), n from (select pg_temp.folder(:'lists_id', :'person', 'A thousand', null) as id) f, generate_series(1, 1000) n;
insert into planned (team_id, person, parent_id, name, n)
    select :'lists_id', :'person', f.id, pg_temp.file_name(n), n from (select pg_temp.folder(:'lists_id', :'person', 'A hundred thousand', null) as id) f, generate_series(1, 100000) n;
create temp table folders as select k, pg_temp.folder(:'archive_id', :'person', 'Box ' || k, null) as id from generate_series(0, 999) k;
insert into planned (team_id, person, parent_id, name, n)
    select :'archive_id', :'person', f.id, pg_temp.file_name(n), n from generate_series(1, 1000000) n join folders f on f.k = n % 1000;

insert into entries (id, team_id, reference, parent_id, kind, name, name_key, current_version_id, size, media_type, created_at, created_by, modified_at, modified_by)
    select id, team_id, pg_temp.ref(id::text), parent_id, 'file', normalize(name, nfc), upper(normalize(name, nfc)), content, n, 'application/octet-stream',
           now() - n * interval '1 second', person, now() - n * interval '1 second', person from planned;
insert into versions (id, team_id, entry_id, content_id, number, size, media_type, created_at, created_by)
    select content, team_id, id, content, 1, n, 'application/octet-stream', now(), person from planned;
set session_replication_role = origin;
:search_index;
vacuum (analyze) entries;
analyze versions;
checkpoint;
