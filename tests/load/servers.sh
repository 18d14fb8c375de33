# Sourced by ./run: the two servers that are compared, and what they share.
watchdog='' nginx_pid='' sampler=''

make_work_folder() {
  work=$(mktemp -d "${LOAD_FOLDER:-/var/tmp}/appliance-load.XXXXXX")
  chmod 0711 "$work"
  figures=$work/figures.tsv
  : >"$figures"
  data=$work/appliance
  mkdir "$data"
  chmod 0711 "$data"
  local ports
  read -r app_port metrics_port nginx_port < <(free_ports)
  origin=https://localhost:$app_port
  site=https://localhost:$nginx_port
}

free_ports() {
  python3 - <<'PY'
import socket
held = [socket.socket() for _ in range(3)]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])
PY
}

# note WHAT FIGURE…   a line of the result
note() { local IFS=$'\t'; printf '%s\n' "$*" >>"$figures"; }

machine() {
  echo "$(date -u +%F), $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)), $(free -g | awk '/Mem:/ {print $2}') GiB, Linux $(uname -r), $("$postgres/postgres" --version | grep -o '[0-9.]*' | head -1 | sed 's/^/PostgreSQL /'), $(nginx -v 2>&1 | sed 's/.*: //'), load average at the start $(cut -d' ' -f1 /proc/loadavg)"
}

# One certificate for both: ECDSA P-256, as the appliance makes its own.
make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
  install -m 0400 -o "$web_user" "$work/key.pem" "$work/appliance-key.pem" 2>/dev/null || install -m 0400 "$work/key.pem" "$work/appliance-key.pem"
  export SSL_CERT_FILE=$work/certificate.pem
}

start_everything() {
  umask 077
  only_once
  choose_socket
  make_folder "$data/web" "$web_user" 0700
  cd "$data"
  prepare_database
  start_database
  as "$database_user" env PGOPTIONS="--client-min-messages=warning" psql -qX -h "$socket" -U postgres -d postgres -v database=appliance -f - <"$repository/app/Appliance.Data/roles.sql" >/dev/null
  (application "$database_user" migrate) >/dev/null
  export APPLIANCE_ORIGIN=$origin APPLIANCE_LISTEN=127.0.0.1:$app_port APPLIANCE_METRICS_LISTEN=127.0.0.1:$metrics_port \
    APPLIANCE_TLS_CERTIFICATE=$work/certificate.pem APPLIANCE_TLS_KEY=$work/appliance-key.pem
  # What is measured is the work, not the bounds on how often one client may ask for it.
  export APPLIANCE_RATE_PER_ADDRESS=1000000 APPLIANCE_RATE_ANONYMOUS=1000000 APPLIANCE_RATE_PER_ACCOUNT=1000000 APPLIANCE_RATE_UPLOADS=1000000
  start_web
  make_person
  start_nginx
}

# Starts the application; answers in "took" after how many milliseconds it was ready.
start_web() {
  local began
  began=$(date +%s%N)
  (application "$web_user" serve) >>"$work/appliance.out" 2>&1 &
  web_pid=$!
  until curl -sf --max-time 5 --cacert "$SSL_CERT_FILE" -o /dev/null "$origin/health/ready"; do
    kill -0 "$web_pid" 2>/dev/null || fail 'The appliance did not start.' "$(tail -3 "$work/appliance.out")"
    sleep 0.01
  done
  took=$((($(date +%s%N) - began) / 1000000))
}

stop_web() {
  kill -TERM "$web_pid" 2>/dev/null || true
  wait "$web_pid" 2>/dev/null || true
  web_pid=''
}

# A person with teams, made as people are made: through the set-up link, with a security key (in software).
make_person() {
  local link=''
  # It is printed a moment after the first answer.
  for _ in $(seq 100); do
    link=$(grep -o 'https://[^ ]*/set-up/[^ ]*' "$work/appliance.out" | head -1 || true)
    [[ -z $link ]] || break
    sleep 0.1
  done
  [[ -n $link ]] || fail 'The appliance printed no set-up link.'
  dotnet "$repository/tests/Appliance.Benchmarks/bin/Release/net10.0/Appliance.Benchmarks.dll" prepare "$link" Load Lists Archive >"$work/person.sh"
  source "$work/person.sh"
  printf 'Authorization: Bearer %s\n' "$TOKEN" >"$work/headers"
}

start_nginx() {
  mkdir -m 0711 "$work/nginx"
  mkdir -m 0755 "$work/nginx/files" "$work/nginx/tmp"
  local who
  who=$([[ $root = yes ]] && echo "user www-data;" || true)
  [[ $root = no ]] || chown -R www-data "$work/nginx/files" "$work/nginx/tmp"
  cat >"$work/nginx/nginx.conf" <<CONF
$who
worker_processes 2;
daemon off;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_buffer_size 64k;
  client_body_temp_path $work/nginx/tmp;
  default_type application/octet-stream;
  server {
    listen 127.0.0.1:$nginx_port ssl;
    ssl_certificate $work/certificate.pem;
    ssl_certificate_key $work/key.pem;
    ssl_protocols TLSv1.3;
    root $work/nginx/files;
    autoindex on;
    autoindex_format json;
    dav_methods PUT;
    create_full_put_path on;
  }
}
CONF
  setsid nginx -c "$work/nginx/nginx.conf" -e "$work/nginx/error.log" >/dev/null 2>&1 &
  nginx_pid=$!
  until curl -s --max-time 5 --cacert "$SSL_CERT_FILE" -o /dev/null "$site/"; do
    kill -0 "$nginx_pid" 2>/dev/null || fail 'nginx did not start.' "$(tail -3 "$work/nginx/error.log")"
    sleep 0.05
  done
}

# KiB of proportional memory of these processes and their children.
pss() {
  local pid total=0 kib
  for pid in "$@" $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    kib=$(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup" 2>/dev/null || echo 0)
    total=$((total + kib))
  done
  echo "$total"
}

cleanup() {
  local code=$?
  trap - EXIT
  [[ -z $watchdog ]] || { pkill -P "$watchdog" 2>/dev/null; kill "$watchdog" 2>/dev/null; } || true
  [[ -z $sampler ]] || kill "$sampler" 2>/dev/null || true
  [[ -z $nginx_pid ]] || { kill -TERM "$nginx_pid" 2>/dev/null; wait "$nginx_pid" 2>/dev/null; } || true
  stop
  cd /
  if [[ -n ${work:-} ]]; then
    [[ $code -eq 0 ]] || { echo "The appliance's last words:"; tail -5 "$work/appliance.out" 2>/dev/null; } >&2
    rm -rf "$work"
  fi
  exit "$code"
}
