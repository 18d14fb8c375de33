# Sourced by ./run and ./test: installs what is missing from Debian, and says so.

# The runtime's Unicode data. Its package is named after its version (libicu72, libicu76, …), and PostgreSQL's brings it.
unicode_data='^libicu[0-9][0-9]*$:/usr/lib/*/libicuuc.so.[0-9]*'

# install_missing PACKAGE:GLOB …   installs each package of whose files there is none. PACKAGE may be a pattern as apt-get knows it.
install_missing() {
  local missing=() pair
  for pair in "$@"; do
    compgen -G "${pair#*:}" >/dev/null || missing+=("${pair%%:*}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "Missing: ${missing[*]}. This machine has no apt-get: install them in its own way, then start again." >&2
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "These Debian packages are missing: ${missing[*]}" >&2
    echo "Install them as root, then start again:  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing from Debian: ${missing[*]}"
  # Debian makes and starts a cluster when PostgreSQL is installed. Nobody asked for that one: where there was no PostgreSQL
  # before, its packaging is told beforehand not to. Where there was one, nothing of it is touched.
  if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
  fi
  apt-get update -qq
  # Debian starts the servers that it installs. None of them was asked for (SimpleSAMLphp brings Apache): they are not started now, and that one not
  # at the next boot either.
  local apache=there
  [ -e /usr/sbin/apache2 ] || apache=new
  (
    if [ ! -e /usr/sbin/policy-rc.d ]; then
      trap 'rm -f /usr/sbin/policy-rc.d' EXIT
      printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
      chmod 755 /usr/sbin/policy-rc.d
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" >/dev/null
  ) || {
    echo "apt-get could not install them; its messages are above." >&2
    exit 1
  }
  if [ "$apache" = new ] && [ -e /usr/sbin/apache2 ]; then update-rc.d apache2 disable >/dev/null; fi
}
