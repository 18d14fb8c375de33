#!/bin/bash
# A private, throw-away Ceph RADOS Gateway: a real S3 server for the tests.
#
#   radosgw.sh start DIR MON_PORT HTTP_PORT [TLS_PORT CERTIFICATE KEY]
#
# Needs Debian's radosgw, ceph-mon, ceph-osd and ceph-common. Listens on 127.0.0.1 only and keeps everything below DIR.
# It stays in the foreground and takes one command a line on standard input, answering each with one line:
#   stop-gateway    kills the gateway as a power cut would; the objects stay            -> "stopped"
#   start-gateway   starts it again                                                     -> "ready"
# The first line of output is "ready". The end of standard input stops everything and removes DIR: the pipe breaks when the
# test process dies, however it dies; and should this script be killed, the kernel kills its children (pdeathsig).
# Access keys: test-access-key / test-secret-key, allowed to create buckets; other-access-key / other-secret-key, not allowed to.
set -euo pipefail

[ "${1:-}" = start ] && [ $# -ge 4 ] || { sed -n '2,12p' "$0" >&2; exit 64; }
dir=$2 mon_port=$3 http_port=$4 tls_port=${5:-} certificate=${6:-} key=${7:-}
for tool in ceph-mon ceph-osd radosgw radosgw-admin ceph monmaptool setpriv; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install radosgw ceph-mon ceph-osd ceph-common" >&2; exit 69; }
done

mkdir -p "$dir/mon" "$dir/osd" "$dir/rgw"
cd "$dir"
fsid=$(cat /proc/sys/kernel/random/uuid)
osd_id=$(cat /proc/sys/kernel/random/uuid)
frontends="beast endpoint=127.0.0.1:$http_port tcp_nodelay=1"
[ -z "$tls_port" ] || frontends+=" ssl_endpoint=127.0.0.1:$tls_port ssl_certificate=$certificate ssl_private_key=$key"

# paxos_propose_interval decides how long the start takes; memstore keeps the objects in the OSD's memory.
cat >ceph.conf <<CONF
[global]
fsid = $fsid
mon_host = v1:127.0.0.1:$mon_port
ms_bind_msgr2 = false
ms_bind_retry_count = 1
ms_bind_retry_delay = 0
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_update_on_start = false
osd_crush_update_on_start = false
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_data = $dir/osd
mon_data = $dir/mon
rgw_data = $dir/rgw
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
log_file = $dir/\$name.log
run_dir = $dir
crash_dir = $dir
admin_socket =
rgw_enable_usage_log = false
rgw_frontends = $frontends
CONF
export CEPH_CONF="$dir/ceph.conf"

daemon() { setpriv --pdeathsig KILL "$@" -f >>"$dir/daemons.log" 2>&1 </dev/null & }
failed() { echo "The S3 test server did not start: $1. Its last words:" >&2; tail -n 20 "$dir"/*.log >&2; exit 70; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

stop_all() {
    local running
    running=$(jobs -p)
    [ -z "$running" ] || kill -KILL $running 2>/dev/null || true
    wait 2>/dev/null || true
    cd /
    rm -rf "$dir"
}
trap stop_all EXIT
trap 'exit 0' TERM INT HUP

start_gateway() {
    daemon radosgw -n client.rgw
    gateway=$!
    for _ in $(seq 600); do
        answers "$http_port" && return
        kill -0 "$gateway" 2>/dev/null || failed "radosgw ended"
        sleep 0.05
    done
    failed "radosgw does not answer on port $http_port"
}

monmaptool --create --fsid "$fsid" --addv a "[v1:127.0.0.1:$mon_port]" monmap >/dev/null
ceph-mon -i a --mkfs --monmap monmap >>daemons.log 2>&1
daemon ceph-mon -i a
# Another run's monitor may have been quicker to take the port; it must not be given our OSD.
[ "$(ceph --connect-timeout 20 fsid 2>>daemons.log)" = "$fsid" ] || failed "ceph-mon did not get port $mon_port"
ceph osd new "$osd_id" 0 >/dev/null 2>>daemons.log || failed "ceph-mon gave no place to the OSD"
ceph osd crush add osd.0 1 root=default >/dev/null 2>>daemons.log
ceph-osd -i 0 --mkfs --osd-uuid "$osd_id" >>daemons.log 2>&1
daemon ceph-osd -i 0
start_gateway

radosgw-admin user create --uid test --display-name test --access-key test-access-key --secret-key test-secret-key >/dev/null 2>>daemons.log
radosgw-admin user create --uid other --display-name other --access-key other-access-key --secret-key other-secret-key --max-buckets -1 \
    >/dev/null 2>>daemons.log
echo ready

while read -r command; do
    case $command in
        stop-gateway) kill -KILL "$gateway"; wait "$gateway" 2>/dev/null || true; echo stopped ;;
        start-gateway) start_gateway; echo ready ;;
        *) echo "unknown command: $command" ;;
    esac
done
