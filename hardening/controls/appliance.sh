# The appliance's own: what listens, who reads what, what gets out (O1, O2, O6, O7)
# listening SERVICE: address:port of each listening TCP socket, from the kernel, without the container engine's own resolver
listening() {
  inside "$1" sh -c 'cat /proc/net/tcp /proc/net/tcp6' | awk '$4 == "0A" {print $2}' | grep -v '^0B00007F:' | sed 's/.*://' | while read -r port; do echo $((16#$port)); done | sort -nu | tr '\n' ' '
}
control_sockets() {
  control "APL sockets" "Listening sockets are exactly the documented ones"
  local web="8443 9464 "
  has web && look web '{{.Config.Env}}' | grep -q APPLIANCE_OPERATOR_KEYS && web="8443 8444 9464 "
  has web && expect "web" "$(listening web)" "$web"
  has database && expect "database (a Unix socket alone)" "$(listening database)" ""
  # The object store's port; the stand-in of our tests has more on its loopback, which nobody else reaches.
  has objects && expect "objects, on its network" "$(inside objects sh -c 'cat /proc/net/tcp /proc/net/tcp6' | awk '$4 == "0A" {print $2}' | grep -vE '^0[0-9A-F]00007F:|^0000000000000000FFFF00000100007F:' | sed 's/.*://' | sort -u | while read -r port; do echo $((16#$port)); done | tr '\n' ' ')" "9000 "
}
control_strangers() {
  control "APL files" "No service reads what is another's"
  has web && expect "web, PostgreSQL's files" "$(inside web sh -c 'ls /var/lib/appliance/database 2>&1 | grep -c "ermission denied"')" 1
  has web && expect "web, the store's files" "$(inside web sh -c 'ls /var/lib/appliance/objects 2>&1 | grep -c "ermission denied"')" 1
  has database && expect "database, the keys" "$(inside database sh -c 'ls /var/lib/appliance/web 2>&1 | grep -c "ermission denied"')" 1
  has objects && expect "objects, the keys" "$(inside objects sh -c 'ls /var/lib/appliance/web 2>&1 | grep -c "ermission denied"')" 1
  has database && expect "database, the store's credential" "$(inside database sh -c 'ls /run/appliance/objects 2>&1 | grep -c "ermission denied"')" 1
  has objects && expect "objects, PostgreSQL's socket" "$(inside objects sh -c 'ls /run/appliance/database/.s.PGSQL.5432 2>&1 | grep -cE "ermission denied|No such file"')" 1
}
control_roles() {
  control "APL roles" "The web application's account is the app's role and the operators' port's in the database, and no other"
  has database || { note "PostgreSQL runs elsewhere: its pg_hba.conf decides"; return; }
  expect "as appliance_operator" "$(inside web psql -qtAX -h /run/appliance/database -U appliance_operator -d appliance -c 'select 1')" 1
  expect "as appliance_operator, tables" "$(inside web psql -qtAX -h /run/appliance/database -U appliance_operator -d appliance -c 'select count(*) from entries' | grep -c 'permission denied')" 1
  expect "as appliance_app" "$(inside web psql -qtAX -h /run/appliance/database -U appliance_app -d appliance -c 'select 1')" 1
  local role
  for role in postgres appliance_owner; do
    expect "as $role" "$(inside web psql -qtAX -h /run/appliance/database -U "$role" -d appliance -c 'select 1' | grep -c 'authentication failed')" 1
  done
}
control_egress() {
  control "APL egress" "Nothing gets out"
  has database && expect "database: interfaces" "$(inside database sh -c 'ls /sys/class/net | tr "\n" " "')" "lo "
  local network
  network=$(docker network ls --quiet --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.network=store")
  has objects && expect "objects: its network leads nowhere (internal)" "$(docker network inspect --format '{{.Internal}}' "$network")" true
  has objects && expect "objects: no other network" "$(look objects '{{len .NetworkSettings.Networks}}')" 1
  network=$(docker network ls --quiet --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.network=edge")
  [ -n "$network" ] || { note "web is on a network that leads out, to a service elsewhere: the host's firewall decides"; return; }
  has web && expect "web: address translation of its network" "$(docker network inspect --format '{{index .Options "com.docker.network.bridge.enable_ip_masquerade"}}' "$network")" false
}
control_tried_egress() {
  control "APL tried" "Nothing gets out: tried from within"
  # By default an address of documentation (RFC 5737), so that the check itself troubles nobody; EGRESS_TO names what the host does reach, which proves more.
  # That the store answers the web application, ours or one elsewhere, shows that trying works.
  local service address store
  store=$(look web '{{range .Config.Env}}{{println .}}{{end}}' | sed -n 's|^APPLIANCE_S3_ENDPOINT=https://||p')
  case $store in *:*) ;; *) store=$store:443 ;; esac
  expect "web to the store" "$(inside web timeout 5 bash -c "exec 3<>/dev/tcp/${store%:*}/${store##*:} && echo made" | tail -1)" made
  for service in web objects; do
    has "$service" || continue
    for address in ${EGRESS_TO:-192.0.2.1:443}; do
      expect "$service to $address" "$(inside "$service" timeout 3 bash -c "exec 3<>/dev/tcp/${address%:*}/${address##*:} && echo made" 2>/dev/null | grep -c made)" 0
    done
  done
  expect "database to anything" "$(inside database timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/1 && echo made' 2>&1 | grep -cE 'made|refused')" 0
}
control_firewall() {
  control "APL firewall" "The host's rules for the two bridges"
  local said
  if said=$(PROJECT=$project nftables/firewall check 2>&1); then pass "$said"; else note "not loaded: from the web application's container the host's own ports can be reached. hardening/nftables/firewall load"; fi
}
control_secrets() {
  control "APL secrets" "Secrets are files that only their owner (and whom they are for) reads; none in an environment"
  local s
  for s in "${services[@]}"; do
    expect "$s: environment" "$(inside "$s" sh -c 'tr "\0" "\n" </proc/1/environ | grep -iE "password|secret|token|key" | grep -vcE "_FILE=|^APPLIANCE_TLS_KEY=/"')" 0
  done
  expect "keys: modes" "$(inside web sh -c 'find /var/lib/appliance/web/keys -type f ! -perm 0400 | wc -l')" 0
  has objects && expect "credential: modes" "$(inside web sh -c 'find /run/appliance/objects -type f ! -perm 0440 | wc -l')" 0
}
