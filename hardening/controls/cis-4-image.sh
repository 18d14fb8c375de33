# CIS Docker Benchmark 1.6.0, section 4: container images and build file
control_4_1() { control "CIS 4.1" "The image names a user that is not root"; expect image "$(docker inspect --format '{{.Config.User}}' "$image")" 10001:10001; }
control_4_3() {
  control "CIS 4.3" "No package that is not needed: no compiler, editor, shell client or downloader"
  local found
  found=$(docker run --rm --network none --entrypoint sh "$image" -c 'for p in gcc cc make perl python3 curl wget ssh nc vi nano sudo apt apt-get; do command -v $p; done; true')
  if [ -z "$found" ]; then pass "none of gcc make perl python3 curl wget ssh nc vi sudo apt"; else fail "${found//$'\n'/ }"; fi
}
control_4_6() {
  control "CIS 4.6" "The image has a health check"
  local test
  test=$(docker inspect --format '{{json .Config.Healthcheck.Test}}' "$image")
  if [ "$test" != null ]; then pass "$test"; else fail "none"; fi
}
control_4_8() {
  control "CIS 4.8" "No file with another's rights (setuid, setgid)"
  expect image "$(docker run --rm --network none --user 0 --entrypoint find "$image" / -xdev -perm /6000 -type f 2>/dev/null | wc -l)" 0
}
control_4_9() {
  control "CIS 4.9" "COPY, never ADD, in the build file"
  expect history "$(docker history --no-trunc --format '{{.CreatedBy}}' "$image" | grep -c '#(nop) ADD')" 0
}
control_4_10() {
  control "CIS 4.10" "No secret in the image: no key, no credential, no environment value that is one"
  local found
  found=$(docker run --rm --network none --user 0 --entrypoint sh "$image" -c 'grep -rlIE -- "-----BEGIN [A-Z ]*PRIVATE KEY" /etc /usr/lib/appliance /usr/libexec /var 2>/dev/null; ls /var/lib/appliance/*/ 2>/dev/null | grep -vE "^/|^$|^(objects|database|(web|objects|database)-supervisor)$"; true')
  if [ -z "$found" ]; then pass "no private key, empty data folders"; else fail "${found//$'\n'/ }"; fi
  if docker inspect --format '{{json .Config.Env}}' "$image" | grep -qiE 'secret|password|token'; then fail "a value in ENV"; else pass "none in ENV"; fi
}
control_4_2() { control "CIS 4.2" "The bases come from where they are made"; note "the Dockerfile names Debian's and Microsoft's own images and the store's; image/pin.sh pins them to digests"; }
control_4_4() { control "CIS 4.4" "Scanned, and built again with what was mended"; note "hardening/advisories holds the bill of materials against published advisories; each build takes Debian's newest"; }
control_4_5() { control "CIS 4.5" "Content trust"; note "for the registry that an operator pulls from: DOCKER_CONTENT_TRUST=1, or a digest in APPLIANCE_IMAGE"; }
control_4_7() {
  control "CIS 4.7" "No layer only updates the lists of packages, which would be kept and grow old"
  expect "layers with apt-get update and no install" "$(docker history --no-trunc --format '{{.CreatedBy}}' "$image" | grep 'apt-get update' | grep -vc 'apt-get install')" 0
}
control_4_11() { control "CIS 4.11" "Only packages whose signature was verified"; expect "ways around it in the layers" "$(docker history --no-trunc --format '{{.CreatedBy}}' "$image" | grep -ciE 'allow-unauthenticated|trusted=yes|AllowInsecure')" 0; }
control_4_12() {
  control "CIS 4.12" "What was built in is known"
  expect "the bill of materials: its format" "$(docker run --rm --network none --entrypoint sed "$image" -n 's/^ *"bomFormat": "\(.*\)",$/\1/p' /usr/share/appliance/sbom.cdx.json)" CycloneDX
}
