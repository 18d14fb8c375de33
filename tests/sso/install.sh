#!/usr/bin/env bash
# Installs the npm package saml-idp, an identity provider for tests, into a folder of this machine and prints the folder. What is there already stays.
# Its own dependency on a fork of samlp, which only GitHub has, is met by samlp itself from the registry.
set -euo pipefail
version=1.2.1 samlp=7.1.1
folder="${XDG_CACHE_HOME:-$HOME/.cache}/appliance-tests/saml-idp-$version"
if [ ! -e "$folder/done" ]; then
  mkdir -p "$folder"
  work=$(mktemp -d "$folder.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (
    cd "$work"
    npm pack --silent "saml-idp@$version" >/dev/null
    tar xzf "saml-idp-$version.tgz" --strip-components=1
    node -e 'const fs = require("fs"), p = require("./package.json"); p.dependencies.samlp = process.argv[1]; delete p.devDependencies; delete p.scripts; fs.writeFileSync("package.json", JSON.stringify(p))' "$samlp"
    npm install --silent --no-audit --no-fund --ignore-scripts --omit=dev --no-package-lock
    touch done
  ) >&2
  rm -rf "$folder"
  mv "$work" "$folder"
fi
echo "$folder"
