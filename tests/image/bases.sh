#!/usr/bin/env bash
# Makes, on this machine, images with the names that the Dockerfile begins from, where no container registry can be reached. The Dockerfile
# itself stays what users build; nothing in it depends on these.
#   tests/image/bases.sh          makes those that are missing
#   tests/image/bases.sh debian   Debian alone
# What each is: Debian trixie by debootstrap · Microsoft's SDK image = Debian trixie and this machine's own SDK · the object store = a stand-in
# with the same command line, ports and files and a real S3 server inside (tests only; see object-store-stand-in/) · HAProxy = Debian's package.
set -euo pipefail
cd "$(dirname "$0")"
source ../../tools/install.sh

debian=docker.io/library/debian:trixie-slim
sdk=mcr.microsoft.com/dotnet/sdk:10.0
store=$(sed -n 's/^ARG OBJECT_STORE_IMAGE=//p' ../../Dockerfile)
proxy=docker.io/library/haproxy:3.0

have() { docker image inspect "$1" >/dev/null 2>&1; }
say() { printf '\033[1m▸\033[0m %s\n' "$*"; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if ! have $debian; then
  say "Making $debian with debootstrap …"
  install_missing debootstrap:/usr/sbin/debootstrap
  debootstrap --variant=minbase trixie "$scratch/trixie" >"$scratch/log" 2>&1 || { tail "$scratch/log"; exit 1; }
  rm -rf "$scratch"/trixie/var/cache/apt/archives/*.deb "$scratch"/trixie/var/lib/apt/lists/*
  tar -C "$scratch/trixie" -c . | docker import --change 'CMD ["bash"]' - $debian >/dev/null
fi
[ "${1:-}" != debian ] || exit 0
if ! have $sdk; then
  say "Making $sdk from this machine's SDK …"
  sdk_folder=$(dirname "$(readlink -f "$(command -v dotnet)")")
  mkdir "$scratch/sdk"
  cp -L /etc/ssl/certs/ca-certificates.crt "$scratch/sdk/" # what this machine trusts, so that packages come through whatever it goes through
  printf '%s\n' "FROM $debian" \
    'RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libicu76 libssl3t64 && rm -rf /var/lib/apt/lists/*' \
    'COPY ca-certificates.crt /etc/ssl/certs/' 'COPY . /usr/share/dotnet' 'RUN ln -s /usr/share/dotnet/dotnet /usr/bin/dotnet' 'ENV DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1' >"$scratch/sdk/Dockerfile"
  tar -C "$sdk_folder" -c . --transform 's,^\./,,' >"$scratch/sdk.tar"
  tar -C "$scratch/sdk" -rf "$scratch/sdk.tar" Dockerfile ca-certificates.crt
  docker build --network host -q -t $sdk - <"$scratch/sdk.tar" >/dev/null
fi
if ! have "$store"; then
  say "Making a stand-in under the name $store (a real S3 server, Ceph RGW, with MinIO's command line; MinIO itself is not to be had here) …"
  docker build --network host -q -t "$store" object-store-stand-in >/dev/null
fi
if ! have $proxy; then
  say "Making $proxy from Debian's package …"
  printf '%s\n' "FROM $debian" \
    'RUN apt-get update && apt-get install -y --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*' \
    'USER haproxy' 'ENTRYPOINT ["haproxy"]' 'CMD ["-f", "/usr/local/etc/haproxy/haproxy.cfg"]' | docker build --network host -q -t $proxy - >/dev/null
fi
