# Sourced by ./run: what is measured. Each figure goes to the result with "note"; table.py knows the targets.

# wrk_at URL SECONDS   with 8 connections unless LOAD_CONNECTIONS says otherwise; answers: requests/s, median ms, 95th percentile ms, failures
wrk_at() {
  timeout $(($2 + 20)) wrk -t1 -c"${LOAD_CONNECTIONS:-8}" -d"$2"s --timeout 10s -s "$load/wrk.lua" "$1" | awk '$1 == "figures" {print $2, $3, $4, $5}'
}

# asked_of URL SECONDS VARIABLE…   the same with the variables of wrk.lua
asked_of() {
  local url=$1 seconds=$2; shift 2
  (export "$@"; wrk_at "$url" "$seconds")
}

# What autovacuum does within a minute on a living system: a table that was empty a moment ago is planned for as such.
analyze() { as "$database_user" psql -qX -h "$socket" -U postgres -d appliance -c analyze >/dev/null; }

curl_to() {
  [[ " $* " == *' -o '* ]] || set -- "$@" -o /dev/null
  curl -sS --fail --http1.1 --max-time 120 --cacert "$SSL_CERT_FILE" -H 'Expect:' "$@"
}

# seconds COMMAND…   three times; answers the median
seconds() {
  local i t
  for i in 1 2 3; do
    t=$(curl_to -w '%{time_total}' "$@") || return 1
    echo "$t"
  done | sort -n | sed -n 2p
}

measure_start() {
  say 'Starting again, warm, three times …'
  local i all=()
  for i in 1 2 3; do
    stop_web
    start_web
    all+=("$took")
  done
  note start "$(printf '%s\n' "${all[@]}" | sort -n | sed -n 2p)"
  sleep 5
  note idle "$(pss "$web_pid")" "$(pss "$nginx_pid")"
}

measure_pages() {
  say 'The sign-in page …'
  curl -sS --max-time 10 --cacert "$SSL_CERT_FILE" "$origin/sign-in" >"$work/nginx/files/sign-in.html"
  chmod 0644 "$work/nginx/files/sign-in.html"
  asked_of "$origin" 10 LOAD_PREFIX=/sign-in?n= >/dev/null
  note pages "$(asked_of "$origin" 5 LOAD_PREFIX=/sign-in?n=)" "$(asked_of "$site" 5 LOAD_PREFIX=/sign-in.html?n=)"
}

measure_small() {
  say '4 KiB up and down, 8 connections …'
  head -c 4096 /dev/urandom >"$work/small"
  local ours=(LOAD_METHOD=POST LOAD_BODY="$work/small" LOAD_HEADERS="$work/headers" LOAD_SUFFIX=.bin)
  local theirs=(LOAD_METHOD=PUT LOAD_BODY="$work/small" LOAD_SUFFIX=.bin)
  local files=/api/v1/teams/$TEAM_LOAD/files?name=
  asked_of "$origin" 4 "${ours[@]}" LOAD_PREFIX="${files}cold-" >/dev/null
  analyze
  asked_of "$origin" 8 "${ours[@]}" LOAD_PREFIX="${files}warm-" >/dev/null
  note small-up "$(asked_of "$origin" 10 "${ours[@]}" LOAD_PREFIX="${files}small-")" "$(asked_of "$site" 5 "${theirs[@]}" LOAD_PREFIX=/small-)"

  curl_to -H @"$work/headers" "$origin/api/v1/teams/$TEAM_LOAD/entries?limit=1000" -o "$work/list.json"
  python3 -c "
import json, sys
for e in json.load(open(sys.argv[1]))['entries']:
    if e['size'] == 4096: print('/api/v1/teams/' + sys.argv[2] + '/entries/' + e['reference'] + '/content')" "$work/list.json" "$TEAM_LOAD" >"$work/paths"
  seq 1 1000 | sed 's|.*|/small-&.bin|' >"$work/their-paths"
  asked_of "$origin" 8 LOAD_HEADERS="$work/headers" LOAD_PATHS="$work/paths" >/dev/null
  note small-down "$(asked_of "$origin" 5 LOAD_HEADERS="$work/headers" LOAD_PATHS="$work/paths")" "$(asked_of "$site" 5 LOAD_PATHS="$work/their-paths")"
}

measure_large() {
  say '512 MiB up and down …'
  head -c 536870912 /dev/urandom >"$work/large"
  local n=0 up down reference
  sync -f "$work"
  curl_to -H @"$work/headers" -X POST -T "$work/large" "$origin/api/v1/teams/$TEAM_LOAD/files?name=warm" -o "$work/entry.json"
  reference=$(python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['reference'])" "$work/entry.json")
  sync -f "$work"
  up=$(for n in 1 2 3; do curl_to -w '%{time_total}\n' -H @"$work/headers" -X POST -T "$work/large" "$origin/api/v1/teams/$TEAM_LOAD/files?name=large-$n"; sync -f "$work"; done | sort -n | sed -n 2p)
  curl_to -T "$work/large" "$site/large"
  sync -f "$work"
  note large-up "$up" "$(for n in 1 2 3; do curl_to -w '%{time_total}\n' -T "$work/large" "$site/large-$n"; sync -f "$work"; done | sort -n | sed -n 2p)"
  curl_to -H @"$work/headers" "$origin/api/v1/teams/$TEAM_LOAD/entries/$reference/content" -o "$work/back"
  cmp -s "$work/large" "$work/back" || fail 'What came back is not what was sent.'
  rm "$work/back"
  note large-down "$(seconds -H @"$work/headers" "$origin/api/v1/teams/$TEAM_LOAD/entries/$reference/content")" "$(seconds "$site/large")"
}

seed() {
  say 'Making 1,101,000 entries by SQL …'
  # A trap waits for the command in the foreground, so this one has an end of its own.
  as "$database_user" timeout 180 psql -qX -h "$socket" -U postgres -d appliance -v lists="$TEAM_LISTS" -v archive="$TEAM_ARCHIVE" -f - <"$load/seed.sql" >"$work/seed.log" 2>&1 || fail 'The seed failed.' "$(tail -3 "$work/seed.log")"
}

measure_listing() {
  say 'Listings …'
  local folder name
  curl_to -H @"$work/headers" "$origin/api/v1/teams/$TEAM_LISTS/entries" -o "$work/list.json"
  mkdir -p "$work/nginx/files/thousand"
  (cd "$work/nginx/files/thousand" && seq -f 'Invoice 2020-04 Northwind final %g.pdf' 1000 | xargs -d '\n' touch)
  chmod -R a+rX "$work/nginx/files/thousand"
  export LOAD_CONNECTIONS=1
  for name in 'A thousand' 'A hundred thousand'; do
    folder=$(python3 -c "import json, sys; print(next(e['reference'] for e in json.load(open(sys.argv[1]))['entries'] if e['name'] == sys.argv[2]))" "$work/list.json" "$name")
    case $name in
      'A thousand')
        asked_of "$origin" 3 LOAD_HEADERS="$work/headers" LOAD_PREFIX="/api/v1/teams/$TEAM_LISTS/entries?folder=$folder&limit=1000&n=" >/dev/null
        note listing-1000 "$(asked_of "$origin" 4 LOAD_HEADERS="$work/headers" LOAD_PREFIX="/api/v1/teams/$TEAM_LISTS/entries?folder=$folder&limit=1000&n=")" \
          "$(asked_of "$site" 3 LOAD_PREFIX=/thousand/?n=)"
        ;;
      *)
        asked_of "$origin" 1 LOAD_HEADERS="$work/headers" LOAD_PREFIX="/api/v1/teams/$TEAM_LISTS/entries?folder=$folder&n=" >/dev/null
        note listing-100000 "$(asked_of "$origin" 3 LOAD_HEADERS="$work/headers" LOAD_PREFIX="/api/v1/teams/$TEAM_LISTS/entries?folder=$folder&n=")"
        ;;
    esac
  done
  unset LOAD_CONNECTIONS
}

measure_search() {
  say 'Search among 1,000,000 names …'
  python3 -c "
import sys, urllib.parse
for q in open(sys.argv[1]): print('/api/v1/teams/' + sys.argv[2] + '/search?limit=50&q=' + urllib.parse.quote(q.rstrip('\n')))" "$load/queries.txt" "$TEAM_ARCHIVE" >"$work/queries"
  export LOAD_CONNECTIONS=1
  asked_of "$origin" 4 LOAD_HEADERS="$work/headers" LOAD_PATHS="$work/queries" >/dev/null
  note search "$(asked_of "$origin" 12 LOAD_HEADERS="$work/headers" LOAD_PATHS="$work/queries")"
  unset LOAD_CONNECTIONS
}

measure_uploads16() {
  say '16 uploads of 512 MiB at once …'
  [[ -e $work/large ]] || head -c 536870912 /dev/urandom >"$work/large"
  sleep 10
  local before n peak began pids=()
  before=$(pss "$web_pid")
  note used "$before" "$(pss "$nginx_pid")"
  (while :; do pss "$web_pid"; sleep 0.1; done) >"$work/pss" & sampler=$!
  began=$(date +%s%N)
  for n in $(seq 16); do
    curl_to --max-time 200 -H @"$work/headers" -X POST -T "$work/large" "$origin/api/v1/teams/$TEAM_LOAD/files?name=sixteen-$n" & pids+=($!)
  done
  for n in "${pids[@]}"; do wait "$n" || note failed "an upload of sixteen"; done
  kill "$sampler"; wait "$sampler" 2>/dev/null || true; sampler=''
  peak=$(sort -n "$work/pss" | tail -1)
  note uploads16 "$before" "$peak" "$((($(date +%s%N) - began) / 1000000))"
}

measure_sealing() {
  say 'Sealing against openssl …'
  (dotnet "$repository/tests/Appliance.Benchmarks/bin/Release/net10.0/Appliance.Benchmarks.dll" sealing) >"$work/sealing"
  note sealing "$(sed -n 's/^| sealing ÷ openssl | \([0-9.]*\).*/\1/p' "$work/sealing")" "$(sed -n 's/^| opening ÷ openssl | \([0-9.]*\).*/\1/p' "$work/sealing")"
}
