#!/usr/bin/env bash
# Loads hardening/nftables into a network of our own (namespaces: the host with two bridges, web, objects, outside) and tries flows through it. Needs root.
# Prints "through FLOW" or "refused FLOW" for each; the test compares. With the argument "without", no rules are loaded: everything must then go through,
# or what is refused below would prove nothing.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
id=fw$$
cleanup() { for n in host web objects outside; do ip netns pids "$id-$n" 2>/dev/null | xargs -r kill -9 2>/dev/null; ip netns del "$id-$n" 2>/dev/null; done; true; }
trap cleanup EXIT
in_() { local n=$1; shift; ip netns exec "$id-$n" "$@"; }

for n in host web objects outside; do ip netns add "$id-$n"; in_ $n ip link set lo up; done
for b in edge store; do in_ host ip link add $b type bridge; in_ host ip link set $b up; done
in_ host ip addr add 10.99.1.1/24 dev edge
in_ host ip addr add 10.99.2.1/24 dev store # a bridge that Docker calls internal has an address as well
in_ host sysctl -qw net.ipv4.ip_forward=1
join() { # join NAMESPACE BRIDGE ADDRESS
  in_ "$1" ip link add "to-$2" type veth peer name "$1-$2" netns "$id-host"
  [ "$2" = none ] || in_ host ip link set "$1-$2" master "$2"
  in_ host ip link set "$1-$2" up
  in_ "$1" ip addr add "$3" dev "to-$2"; in_ "$1" ip link set "to-$2" up
}
join web edge 10.99.1.2/24; join web store 10.99.2.2/24; join objects store 10.99.2.3/24; join outside none 10.99.3.2/24
in_ host ip addr add 10.99.3.1/24 dev outside-none
in_ web ip route add default via 10.99.1.1; in_ objects ip route add default via 10.99.2.1; in_ outside ip route add default via 10.99.3.1

# Listeners on everything that is tried, told apart by nothing: whether a connection is made is the question.
listen() { in_ "$1" python3 -c 'import socket,sys,time
s=[socket.create_server(("0.0.0.0",int(p))) for p in sys.argv[1:]]
time.sleep(120)' "${@:2}" >&2 & }
listen web 8443 9464; listen objects 9000 9001; listen outside 25 443; listen host 22 5432
listening() { [ "$(in_ "$1" cat /proc/net/tcp | awk '$4 == "0A"' | wc -l)" = 2 ]; }
for n in web objects outside host; do for _ in $(seq 200); do listening $n && break; sleep 0.1; done; listening $n; done
[ "${1:-}" = without ] || in_ host env EDGE=edge STORE=store "$root/hardening/nftables/firewall" load 10.99.3.2:25
[ "${1:-}" = without ] || in_ host env EDGE=edge STORE=store "$root/hardening/nftables/firewall" check >&2

try() { # try FROM ADDRESS PORT WHAT: all at once, since a refusal is silence
  tried=$((tried + 1))
  { if in_ "$1" timeout 4 bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null; then echo "through $4"; else echo "refused $4"; fi; } >"$answers/$tried" &
  tries+=($!)
}
answers=$(mktemp -d) tried=0 tries=()
try outside 10.99.1.2 8443 "outside to web 8443"
try host 10.99.1.2 8443 "host to web 8443"
try web 10.99.2.3 9000 "web to objects 9000"
try web 10.99.3.2 25 "web to the configured address"
try outside 10.99.1.2 9464 "outside to web 9464"
try outside 10.99.2.3 9000 "outside to objects 9000"
try web 10.99.2.3 9001 "web to objects 9001"
try web 10.99.3.2 443 "web to another port outside"
try web 10.99.1.1 22 "web to the host 22"
try objects 10.99.3.2 443 "objects to outside"
try objects 10.99.3.2 25 "objects to the configured address"
try objects 10.99.2.2 8443 "objects to web 8443"
try objects 10.99.2.2 9464 "objects to web 9464"
try objects 10.99.2.1 5432 "objects to the host 5432"
try host 10.99.2.3 9000 "host to objects 9000"
wait "${tries[@]}"
for number in $(seq $tried); do cat "$answers/$number"; done
rm -rf "$answers"
