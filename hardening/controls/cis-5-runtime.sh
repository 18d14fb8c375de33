# CIS Docker Benchmark 1.6.0, section 5: container runtime
# each ID TITLE FORMAT WANTED: the same of all three containers
each() { control "$1" "$2"; local service; for service in "${services[@]}"; do expect "$service" "$(look "$service" "$3")" "$4"; done; }
control_5_1() {
  control "CIS 5.1" "An AppArmor profile, where the machine has AppArmor"
  if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then note "this machine has no AppArmor"; return; fi
  each "CIS 5.1" "An AppArmor profile, where the machine has AppArmor" '{{.AppArmorProfile}}' docker-default
}
control_5_3() { each "CIS 5.3" "Every capability is dropped, none is added" '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}' '[ALL] []'; }
control_5_4() { each "CIS 5.4" "Not privileged" '{{.HostConfig.Privileged}}' false; }
control_5_5() {
  control "CIS 5.5" "Nothing of the host is mounted but what the operator gives to be read: secrets, a certificate, a configuration"
  local service
  for service in "${services[@]}"; do
    expect "$service" "$(look "$service" '{{range .Mounts}}{{if eq .Type "bind"}}{{.Source}}>{{.Destination}}:{{.RW}}{{"\n"}}{{end}}{{end}}' | grep -vE '^$|>(/run/secrets/[^/]+|/run/appliance/certificate|/usr/local/etc/haproxy/haproxy.cfg):false$')" ""
  done
}
control_5_6() {
  control "CIS 5.6" "No sshd, and no process that the service does not need"
  local service
  for service in "${services[@]}"; do expect "$service" "$(docker top "${containers[$service]}" -eo pid,args | sed 1d | awk '{print $2 ~ /(postgres:?|haproxy|\/postgres|\/Appliance|minio|sh|ld-linux-x86-64.so.2|sleep|cksum|cat)$/ ? "" : $2}' | sort -u | tr -d '\n')" ""; done
}
control_5_7() {
  control "CIS 5.7" "No port below 1024 is published"
  expect web "$(look web '{{range $p, $b := .NetworkSettings.Ports}}{{range $b}}{{.HostPort}} {{end}}{{end}}' | tr ' ' '\n' | awk '$1 != "" && $1 < 1024' | wc -l)" 0
}
control_5_8() {
  control "CIS 5.8" "Of the whole project, only the web application's port is published"
  # shellcheck disable=SC2046
  expect "all containers" "$(docker inspect --format '{{range $p, $b := .NetworkSettings.Ports}}{{if $b}}{{$p}}{{"\n"}}{{end}}{{end}}' $(docker ps --quiet --filter "label=com.docker.compose.project=$project") | grep . | sort | tr '\n' ' ')" "8443/tcp "
}
control_5_9() { control "CIS 5.9" "The host's network is not shared"; local s; for s in "${services[@]}"; do if [ "$(look "$s" '{{.HostConfig.NetworkMode}}')" != host ]; then pass "$s: $(look "$s" '{{.HostConfig.NetworkMode}}')"; else fail "$s"; fi; done; }
control_5_10() { control "CIS 5.10" "Memory is limited"; local s m; for s in "${services[@]}"; do m=$(look "$s" '{{.HostConfig.Memory}}'); if [ "$m" -gt 0 ]; then pass "$s: $((m >> 20)) MiB"; else fail "$s: unlimited"; fi; done; }
control_5_11() { control "CIS 5.11" "Processor time is limited"; local s m; for s in "${services[@]}"; do m=$(look "$s" '{{.HostConfig.NanoCpus}}'); if [ "$m" -gt 0 ]; then pass "$s: $((m / 1000000)) m"; else fail "$s: unlimited"; fi; done; }
control_5_12() { each "CIS 5.12" "The root file system is read-only" '{{.HostConfig.ReadonlyRootfs}}' true; }
control_5_15() { each "CIS 5.15" "The host's processes are not shared" '{{.HostConfig.PidMode}}' ''; }
control_5_16() { control "CIS 5.16" "The host's IPC is not shared"; local s; for s in "${services[@]}"; do if [ "$(look "$s" '{{.HostConfig.IpcMode}}')" != host ]; then pass "$s: $(look "$s" '{{.HostConfig.IpcMode}}')"; else fail "$s"; fi; done; }
control_5_17() { each "CIS 5.17" "No device of the host" '{{len .HostConfig.Devices}}' 0; }
control_5_19() { control "CIS 5.19" "No mount is propagated back"; local s; for s in "${services[@]}"; do expect "$s" "$(look "$s" '{{range .Mounts}}{{.Propagation}} {{end}}' | grep -c shared)" 0; done; }
control_5_20() { each "CIS 5.20" "The host's name space of names (UTS) is not shared" '{{.HostConfig.UTSMode}}' ''; }
control_5_21() {
  control "CIS 5.21" "A seccomp profile is in force"
  local s
  for s in "${services[@]}"; do expect "$s (Seccomp of process 1)" "$(inside "$s" sh -c 'sed -n "s/^Seccomp:[[:space:]]*//p" /proc/1/status')" 2; done
}
control_5_25() { control "CIS 5.25" "No process can gain rights"; local s; for s in "${services[@]}"; do expect "$s (NoNewPrivs of process 1)" "$(inside "$s" sh -c 'sed -n "s/^NoNewPrivs:[[:space:]]*//p" /proc/1/status')" 1; done; }
control_5_26() { each "CIS 5.26" "Health is checked, and it is well" '{{.State.Health.Status}}' healthy; }
control_5_28() { control "CIS 5.28" "The number of processes is limited"; local s m; for s in "${services[@]}"; do m=$(look "$s" '{{.HostConfig.PidsLimit}}'); if [ "$m" != '<nil>' ] && [ "$m" -gt 0 ]; then pass "$s: $m"; else fail "$s: unlimited"; fi; done; }
control_5_29() { control "CIS 5.29" "Docker's default bridge is not used"; local s; for s in "${services[@]}"; do expect "$s" "$(look "$s" '{{range $n, $v := .NetworkSettings.Networks}}{{$n}} {{end}}' | grep -cw bridge)" 0; done; }
control_5_30() { each "CIS 5.30" "The host's user name space is not asked for" '{{.HostConfig.UsernsMode}}' ''; }
control_5_31() { control "CIS 5.31" "Docker's own socket is not mounted"; local s; for s in "${services[@]}"; do expect "$s" "$(look "$s" '{{range .Mounts}}{{.Source}} {{end}}' | grep -c docker.sock)" 0; done; }
