# Kubernetes Pod Security Standards, level "restricted", held against the containers as they run
control_restricted_user() {
  control "PSS user" "Every process runs as a user that is not root"
  local s
  for s in "${services[@]}"; do expect "$s: whose processes" "$(docker top "${containers[$s]}" -eo pid,uid | sed 1d | awk '{print $2}' | sort -u | tr '\n' ' ')" "$(look "$s" '{{.Config.User}}' | cut -d: -f1) "; done
}
control_restricted_capabilities() {
  control "PSS caps" "No capability: permitted, effective, bounding, ambient"
  local s
  for s in "${services[@]}"; do expect "$s" "$(inside "$s" sh -c 'grep -h "^Cap" /proc/1/status | grep -vc 0000000000000000')" 0; done
}
control_restricted_accounts() {
  control "PSS accounts" "Each service has an account of its own, and none has a shell"
  local s seen=''
  for s in "${services[@]}"; do
    seen+="$(look "$s" '{{.Config.User}}') "
    expect "$s: login shell" "$(inside "$s" sh -c 'grep ":$(id -u):" /etc/passwd | cut -d: -f7')" /usr/sbin/nologin
  done
  expect "accounts" "$(tr ' ' '\n' <<<"$seen" | sort -u | grep -c .)" ${#services[@]}
}
control_restricted_host() {
  control "PSS host" "No name space of the host, no path of it, no port beside the published one (baseline, held by CIS 5.6, 5.9, 5.10, 5.16, 5.17)"
  local s; for s in "${services[@]}"; do expect "$s" "$(look "$s" '{{.HostConfig.PidMode}}{{.HostConfig.UTSMode}}{{.HostConfig.UsernsMode}}{{len .HostConfig.Devices}}')" 0; done
}
control_restricted_sysctls() { control "PSS sysctls" "No kernel setting is changed"; local s; for s in "${services[@]}"; do expect "$s" "$(look "$s" '{{len .HostConfig.Sysctls}}')" 0; done; }
control_restricted_proc() {
  control "PSS proc" "The usual parts of /proc and /sys are masked or read-only"
  local s; for s in "${services[@]}"; do expect "$s: /proc/kcore, /proc/sys/kernel" "$(inside "$s" sh -c 'head -c 1 /proc/kcore 2>/dev/null | wc -c; (echo x >/proc/sys/kernel/hostname) 2>/dev/null && echo written' | tr "\n" " ")" "0 "; done
}
control_restricted_volumes() {
  control "PSS volumes" "Only volumes of the kinds that are allowed: named ones, memory, and secrets or a configuration to be read"
  local s; for s in "${services[@]}"; do expect "$s: other kinds" "$(look "$s" '{{range .Mounts}}{{.Type}}>{{.Destination}}:{{.RW}}{{"\n"}}{{end}}' | grep -cvE "^((volume|tmpfs)>.*|bind>$given:false|)$")" 0; done
}
