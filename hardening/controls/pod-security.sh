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
