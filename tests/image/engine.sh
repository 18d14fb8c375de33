#!/usr/bin/env bash
# Makes sure that a Docker engine with Compose v2 answers: installs and starts one where there is none. Prints "started PID" where it started one, which
# the caller then stops; an engine that runs already is used as it is.
set -euo pipefail
cd "$(dirname "$0")"
source ../../tools/install.sh

if ! docker info >/dev/null 2>&1; then
  install_missing docker.io:/usr/sbin/dockerd iptables:/usr/sbin/iptables >&2
  log=$(mktemp /tmp/dockerd.XXXXXX.log)
  setsid dockerd >"$log" 2>&1 </dev/null &
  engine=$!
  for _ in $(seq 300); do docker info >/dev/null 2>&1 && break; kill -0 $engine 2>/dev/null || { tail "$log" >&2; exit 1; }; sleep 0.2; done
  docker info >/dev/null
  echo "started $engine"
fi
if ! docker compose version >/dev/null 2>&1; then
  # Debian 12 has Compose v1 alone; the plugin of Debian 13 is one program and runs here as well.
  ./bases.sh debian >&2
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  docker run --rm --network host -v "$folder:/out" docker.io/library/debian:trixie-slim sh -c 'apt-get update -qq && cd /out && apt-get download -qq docker-compose' >&2
  dpkg-deb -x "$folder"/docker-compose_*.deb "$folder/x"
  install -D -m 0755 "$folder/x/usr/libexec/docker/cli-plugins/docker-compose" "$HOME/.docker/cli-plugins/docker-compose"
  docker compose version >&2
fi
