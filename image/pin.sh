#!/usr/bin/env bash
# Pins the Dockerfile's base images to the digests that their tags have now, so that the same Dockerfile makes the same image next year.
#   image/pin.sh            asks each image's registry and writes NAME:TAG@sha256:… into the Dockerfile's ARG lines
#   image/pin.sh --check    changes nothing; ends with 1 where a base is not pinned, or its tag has moved on
# Ends with 0 all pinned · 69 a registry could not be reached (named; what could be pinned is) · 65 a registry's answer is no digest.
# PIN_REGISTRY=http://… asks that address instead of every registry (a mirror; our tests). Needs curl.
set -uo pipefail
dockerfile=${DOCKERFILE:-$(dirname "$(readlink -f "$0")")/../Dockerfile}
status=0
types='application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json'

# ask REGISTRY REPOSITORY TAG: the answer's head. A registry that wants a token first says where it is given (distribution spec, token authentication).
ask() {
  local base=${PIN_REGISTRY:-https://$1} head realm token
  head=$(curl --silent --show-error --head --max-time 20 --max-filesize 1000000 -H "Accept: $types" "$base/v2/$2/manifests/$3") || return 69
  if grep -qi '^HTTP/[0-9.]* 401' <<<"$head"; then
    realm=$(sed -n 's/^www-authenticate: bearer realm="\([^"]*\)",service="\([^"]*\)".*/\1?service=\2/Ip' <<<"$head" | tr -d '\r')
    token=$(curl --silent --max-time 20 --max-filesize 1000000 "$realm&scope=repository:$2:pull" | sed -n 's/.*"token" *: *"\([^"]*\)".*/\1/p') || return 69
    head=$(curl --silent --head --max-time 20 -H "Accept: $types" -H "Authorization: Bearer $token" "$base/v2/$2/manifests/$3") || return 69
  fi
  printf '%s' "$head"
}

while IFS='=' read -r argument image; do
  name=${image%@*} old=''
  [ "$name" = "$image" ] || old=${image#*@}
  registry=${name%%/*} repository=${name#*/}
  tag=${repository##*:} repository=${repository%:*}
  [ "$registry" != docker.io ] || registry=registry-1.docker.io
  head=$(ask "$registry" "$repository" "$tag") || { echo "not reachable  $registry: $name stays as it is" >&2; [ $status = 65 ] || status=69; continue; }
  digest=$(sed -n 's/^docker-content-digest: *\(sha256:[0-9a-f]\{64\}\)[[:space:]]*$/\1/Ip' <<<"$head")
  [ -n "$digest" ] || { echo "no digest      $registry answered for $name: $(head -1 <<<"$head" | tr -d '\r')" >&2; status=65; continue; }
  if [ "${1:-}" = --check ]; then
    if [ "$old" = "$digest" ]; then echo "pinned         $image"; else echo "not pinned     $name is $digest now${old:+, not $old}" >&2; [ $status != 0 ] || status=1; fi
  else
    sed -i "s|^ARG $argument=.*|ARG $argument=$name@$digest|" "$dockerfile"
    echo "pinned         $name@$digest"
  fi
done < <(sed -n 's/^ARG \([A-Z_]*_IMAGE\)=/\1=/p' "$dockerfile")
exit $status
