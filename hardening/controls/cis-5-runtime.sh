# CIS Docker Benchmark 1.6.0, section 5: container runtime
# each ID TITLE FORMAT WANTED: the same of all three containers
each() { control "$1" "$2"; local service; for service in "${services[@]}"; do expect "$service" "$(look "$service" "$3")" "$4"; done; }
control_5_1() { control "CIS 5.1" "Swarm mode is off"; expect engine "$(docker info --format '{{.Swarm.LocalNodeState}}')" inactive; }
control_5_2() {
  control "CIS 5.2" "An AppArmor profile, where the machine has AppArmor"
  if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then note "this machine has no AppArmor"; return; fi
  each "CIS 5.2" "An AppArmor profile, where the machine has AppArmor" '{{.AppArmorProfile}}' docker-default
}
control_5_3() {
  control "CIS 5.3" "SELinux's label, where the machine has SELinux"
  if ! docker info --format '{{.SecurityOptions}}' | grep -q name=selinux; then note "this engine has no SELinux"; return; fi
  local s; for s in "${services[@]}"; do if [ "$(look "$s" '{{.ProcessLabel}}')" != '' ]; then pass "$s: $(look "$s" '{{.ProcessLabel}}')"; else fail "$s: none"; fi; done
}
control_5_4() { each "CIS 5.4" "Every capability is dropped, none is added" '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}' '[ALL] []'; }
control_5_5() { each "CIS 5.5" "Not privileged" '{{.HostConfig.Privileged}}' false; }
control_5_6() {
  control "CIS 5.6" "Nothing of the host is mounted but what the operator gives to be read: secrets, a certificate, a configuration"
  local service
  for service in "${services[@]}"; do
    expect "$service" "$(look "$service" '{{range .Mounts}}{{if eq .Type "bind"}}{{.Source}}>{{.Destination}}:{{.RW}}{{"\n"}}{{end}}{{end}}' | grep -vE "^$|>$given:false$")" ""
  done
}
control_5_7() {
  control "CIS 5.7" "No sshd, and no process that the service does not need"
  # The service, and the health check that may run just now. OBJECTS_PROCESSES adds programs (our tests' stand-in for the object store is several).
  local service allowed
  for service in "${services[@]}"; do
    case $service in web) allowed=Appliance ;; database) allowed='postgres:?|pg_isready|Appliance' ;; haproxy) allowed=haproxy ;; objects) allowed="minio|Appliance${OBJECTS_PROCESSES:+|$OBJECTS_PROCESSES}" ;; esac
    expect "$service: strangers" "$(docker top "${containers[$service]}" -eo pid,args | sed 1d | awk -v ok="^(.*/)?($allowed)$" '$2 ~ ok || /libexec\/appliance\/healthy|timeout 4 openssl s_client -connect localhost:|openssl s_client -connect localhost:|head -c 2000$/ {next} {print $2}' | sort -u | tr '\n' ' ')" ""
  done
}
control_5_8() {
  control "CIS 5.8" "No port below 1024 is published"
  expect web "$(look web '{{range $p, $b := .NetworkSettings.Ports}}{{range $b}}{{.HostPort}} {{end}}{{end}}' | tr ' ' '\n' | awk '$1 != "" && $1 < 1024' | wc -l)" 0
}
control_5_9() {
  control "CIS 5.9" "Of the whole project, only the web application's port is published, and the operators' on loopback where there is one"
  local published="8443/tcp "
  if look web '{{.Config.Env}}' | grep -q APPLIANCE_OPERATOR_KEYS; then published="8443/tcp 8444/tcp "; fi
  # shellcheck disable=SC2046
  expect "all containers" "$(docker inspect --format '{{range $p, $b := .NetworkSettings.Ports}}{{if $b}}{{$p}}{{"\n"}}{{end}}{{end}}' $(docker ps --quiet --filter "label=com.docker.compose.project=$project") | grep . | sort | tr '\n' ' ')" "$published"
}
control_5_10() { control "CIS 5.10" "The host's network is not shared"; local s; for s in "${services[@]}"; do if [ "$(look "$s" '{{.HostConfig.NetworkMode}}')" != host ]; then pass "$s: $(look "$s" '{{.HostConfig.NetworkMode}}')"; else fail "$s"; fi; done; }
control_5_11() { control "CIS 5.11" "Memory is limited"; local s m; for s in "${services[@]}"; do m=$(look "$s" '{{.HostConfig.Memory}}'); if [ "$m" -gt 0 ]; then pass "$s: $((m >> 20)) MiB"; else fail "$s: unlimited"; fi; done; }
control_5_12() { control "CIS 5.12" "Processor time is limited"; local s m; for s in "${services[@]}"; do m=$(look "$s" '{{.HostConfig.NanoCpus}}'); if [ "$m" -gt 0 ]; then pass "$s: $((m / 1000000)) m"; else fail "$s: unlimited"; fi; done; }
control_5_13() { each "CIS 5.13" "The root file system is read-only" '{{.HostConfig.ReadonlyRootfs}}' true; }
control_5_14() { control "CIS 5.14" "Where the port is published"; note "by intent on every address of the machine: APPLIANCE_PUBLISH=ADDRESS:PORT in compose/.env names one; now $(look web '{{range $p, $b := .NetworkSettings.Ports}}{{range $b}}{{.HostIp}}:{{.HostPort}} {{end}}{{end}}')"; }
control_5_15() {
  control "CIS 5.15" "Restarts after a failure"
  each "CIS 5.15" "Restarts after a failure" '{{.HostConfig.RestartPolicy.Name}}' unless-stopped
  note "without the benchmark's limit of five, by intent: a database that comes back late must not leave the appliance down; Docker waits longer each time"
}
control_5_16() { each "CIS 5.16" "The host's processes are not shared" '{{.HostConfig.PidMode}}' ''; }
control_5_17() { control "CIS 5.17" "The host's IPC is not shared"; local s; for s in "${services[@]}"; do if [ "$(look "$s" '{{.HostConfig.IpcMode}}')" != host ]; then pass "$s: $(look "$s" '{{.HostConfig.IpcMode}}')"; else fail "$s"; fi; done; }
control_5_18() { each "CIS 5.18" "No device of the host" '{{len .HostConfig.Devices}}' 0; }
control_5_19() {
  control "CIS 5.19" "The engine's limits are not widened for a container"
  local s; for s in "${services[@]}"; do expect "$s: its own ulimits" "$(look "$s" '{{len .HostConfig.Ulimits}}')" 0; done
}
control_5_20() { control "CIS 5.20" "No mount is propagated back"; local s; for s in "${services[@]}"; do expect "$s" "$(look "$s" '{{range .Mounts}}{{.Propagation}} {{end}}' | grep -c shared)" 0; done; }
control_5_21() { each "CIS 5.21" "The host's name space of names (UTS) is not shared" '{{.HostConfig.UTSMode}}' ''; }
control_5_22() {
  control "CIS 5.22" "A seccomp profile is in force, and it is the service's own"
  local s own
  for s in "${services[@]}"; do
    expect "$s (Seccomp of process 1)" "$(inside "$s" sh -c 'sed -n "s/^Seccomp:[[:space:]]*//p" /proc/1/status')" 2
    own=seccomp/$s.json
    [ "$s" != objects ] || own=${APPLIANCE_OBJECTS_SECCOMP:-$own}
    if [ "$(look "$s" '{{range .HostConfig.SecurityOpt}}{{println .}}{{end}}' | sed -n 's/^seccomp=//p' | tr -d ' \n')" = "$(tr -d ' \n' <"$own")" ]; then pass "$s: $own"; else fail "$s: not $own"; fi
  done
}
control_5_23() { control "CIS 5.23" "No docker exec with more rights (5.23, 5.24)"; note "what people type, which no container shows: use --user as the service's, never --privileged or --user 0; auditd's rule for the docker command shows who did"; }
control_5_25() { each "CIS 5.25" "The engine's own control group is not replaced" '{{.HostConfig.CgroupParent}}' ''; }
control_5_26() { control "CIS 5.26" "No process can gain rights"; local s; for s in "${services[@]}"; do expect "$s (NoNewPrivs of process 1)" "$(inside "$s" sh -c 'sed -n "s/^NoNewPrivs:[[:space:]]*//p" /proc/1/status')" 1; done; }
control_5_27() { each "CIS 5.27" "Health is checked, and it is well" '{{.State.Health.Status}}' healthy; }
control_5_29() { control "CIS 5.29" "The number of processes is limited"; local s m; for s in "${services[@]}"; do m=$(look "$s" '{{.HostConfig.PidsLimit}}'); if [ "$m" != '<nil>' ] && [ "$m" -gt 0 ]; then pass "$s: $m"; else fail "$s: unlimited"; fi; done; }
control_5_30() { control "CIS 5.30" "Docker's default bridge is not used"; local s; for s in "${services[@]}"; do expect "$s" "$(look "$s" '{{range $n, $v := .NetworkSettings.Networks}}{{$n}} {{end}}' | grep -cw bridge)" 0; done; }
control_5_31() { each "CIS 5.31" "The host's user name space is not asked for" '{{.HostConfig.UsernsMode}}' ''; }
control_5_32() { control "CIS 5.32" "Docker's own socket is not mounted"; local s; for s in "${services[@]}"; do expect "$s" "$(look "$s" '{{range .Mounts}}{{.Source}} {{end}}' | grep -c docker.sock)" 0; done; }
