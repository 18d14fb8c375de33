#!/usr/bin/env bash
# Upgrades the web application of blue-green.yaml to another image, with no request refused:
#   compose/blue-green.sh IMAGE
# Brings the schema up to date, starts the one that does not serve with the new image, waits until HAProxy finds it ready, and turns new connections to it.
# When it has held for a while, the old one is drained and stopped. Where the new one does not get ready, or stops being so, new connections go to the old one
# as before (it was not stopped), and the new one is removed; ends with 1.
#   READY_WITHIN=120   seconds that the new one may take        HOLD=15   seconds that it must hold
# Other compose files than the two: COMPOSE_FILE, as Docker Compose reads it.
set -euo pipefail
cd "$(dirname "$0")"
new=${1:?"Which image? compose/blue-green.sh IMAGE"}
export COMPOSE_FILE=${COMPOSE_FILE:-compose.yaml:blue-green.yaml} COMPOSE_PROFILES=green,upgrade

say() { printf '%s\n' "$*"; }
running() { docker compose ps --services --status running | grep -qx "$1"; }
haproxy() { docker compose exec -T haproxy bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; echo "$1" >&3; cat <&3' bash "$1"; }
# How HAProxy sees it: UP or something else.
seen() { haproxy "show stat" | awk -F, -v server="$1" '$1 == "ready" && $2 == server {print $18}'; }
# turn SERVICE ready | drain: whether it takes new connections, when its checks are good
turn() { haproxy "set server ready/$1 state $2"; }
ready() { running "$1" && [ "$(seen "$1")" = UP ]; }
# wait_ready SERVICE SECONDS
wait_ready() { local until=$((SECONDS + $2)); until ready "$1"; do [ $SECONDS -lt $until ] || return 1; sleep 1; done; }

if ready web; then old=web new_service=web-green
elif ready web-green; then old=web-green new_service=web
else say "Neither web nor web-green is ready, so there is nothing to upgrade from. Start one: docker compose up."; exit 69; fi

give_up() {
  turn $old ready
  say "$1 What $new_service said last:"
  docker compose logs --no-color --no-log-prefix --tail 20 $new_service || true
  docker compose rm --force --stop $new_service
  wait_ready $old 60 || { say "And $old is not ready either."; exit 70; }
  say "Back to the version before: $old serves, $new_service is gone."
  exit 1
}

say "Bringing the schema up to date …"
APPLIANCE_IMAGE=$new docker compose run --rm --no-deps migrate || { say "The schema was not changed. $old serves as before."; exit 1; }
docker compose rm --force --stop $new_service
until [ "$(seen $new_service)" != UP ]; do sleep 1; done
turn $new_service ready
say "Starting $new_service with $new …"
APPLIANCE_IMAGE=$new docker compose up --detach --no-deps $new_service || give_up "It does not start."
wait_ready $new_service "${READY_WITHIN:-120}" || give_up "It did not get ready within ${READY_WITHIN:-120} s."
say "$new_service is ready, and takes the new connections."
turn $old drain
until=$((SECONDS + ${HOLD:-15}))
while [ $SECONDS -lt $until ]; do ready $new_service || give_up "It was ready, and is not any more."; sleep 1; done
say "Draining $old …"
docker compose stop $old
docker compose rm --force $old >/dev/null
touch .env
sed -i '/^APPLIANCE_IMAGE=/d' .env
echo "APPLIANCE_IMAGE=$new" >>.env
say "$new_service serves with $new, which compose/.env names now. (database and objects take it with the next \"docker compose up\", which interrupts them for some seconds.)"
