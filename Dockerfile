# One image, every service of the appliance: the web application, PostgreSQL and the S3 server. Which of them a container runs is its command.
#   docker build -t appliance .        from the repository's root; amd64 and arm64 alike
# The bases are named by tag; image/pin.sh writes their digests where a registry can be reached.
ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0
ARG BASE_IMAGE=docker.io/library/debian:trixie-slim
ARG OBJECT_STORE_IMAGE=docker.io/pgsty/silo:RELEASE.2026-09-16T00-00-00Z

FROM $OBJECT_STORE_IMAGE AS object-store

# Self-contained and compiled ahead of time: no runtime and no compiler in the final image, and a quick start.
FROM $SDK_IMAGE AS build
ARG TARGETARCH
WORKDIR /src
COPY global.json Directory.Build.props Directory.Packages.props .editorconfig ./
COPY app app
RUN set -eu; \
    case "${TARGETARCH:-$(dpkg --print-architecture)}" in amd64) rid=linux-x64 ;; arm64) rid=linux-arm64 ;; *) echo "no such architecture" >&2; exit 1 ;; esac; \
    dotnet restore app/Appliance/Appliance.csproj --locked-mode; dotnet restore app/Appliance.Cli/Appliance.Cli.csproj --locked-mode; \
    dotnet publish app/Appliance/Appliance.csproj --configuration Release --runtime "$rid" --self-contained \
      -p:RestoreLockedMode=false -p:PublishReadyToRun=true -p:DebugType=none -p:GenerateDocumentationFile=false -p:RunAnalyzers=false --output /out; \
    # The operators' client stands beside it, on the same runtime.
    dotnet publish app/Appliance.Cli/Appliance.Cli.csproj --configuration Release --runtime "$rid" --self-contained \
      -p:RestoreLockedMode=false -p:PublishReadyToRun=true -p:DebugType=none -p:GenerateDocumentationFile=false -p:RunAnalyzers=false --output /cli; \
    cp /cli/appliancectl /cli/appliancectl.dll /cli/appliancectl.deps.json /cli/appliancectl.runtimeconfig.json /cli/System.CommandLine.dll /out/; \
    cp app/Appliance.Data/roles.sql /out/
COPY tools/Appliance.Sbom tools/Appliance.Sbom
RUN dotnet publish tools/Appliance.Sbom --configuration Release -p:RestoreLockedMode=true -p:GenerateDocumentationFile=false --output /sbom

FROM $BASE_IMAGE AS debian
# postgresql-17    the database (brings libicu, which the application needs for Unicode, and OpenSSL, for its TLS)
# pgbackrest       the database's backups: point in time, encrypted, verified
# s6               supervisor of the one-container shape: an account for each service, order, restarts
# libargon2-1      hashes passwords: the reference implementation
# ca-certificates  whom to believe when the operator configures an outside S3, mail or identity server
RUN set -eu; \
    mkdir -p /etc/postgresql-common; echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql-17 pgbackrest s6 libargon2-1 ca-certificates; \
    # Debian's wrappers (Perl) and just-in-time compilation (LLVM) come with PostgreSQL and are not used: the programs are started directly.
    dpkg --purge --force-depends postgresql-common postgresql-client-common postgresql-common-dev libio-pty-perl libipc-run-perl libjson-perl perl perl-modules-5.40 libperl5.40 \
      libgdbm-compat4t64 libgdbm6t64 libllvm19 libz3-4 ssl-cert ucf adduser >/dev/null; \
    rm -rf /usr/lib/postgresql/17/lib/llvmjit* ; \
    # Accounts with fixed numbers, so that volumes keep their owners from image to image. None can log in.
    groupadd --gid 10001 appliance-web; groupadd --gid 10002 appliance-database; groupadd --gid 10003 appliance-objects; groupadd --gid 10010 objects-access; \
    for name in web:10001 database:10002 objects:10003; do \
      useradd --uid "${name#*:}" --gid "${name#*:}" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "appliance-${name%:*}"; \
    done; \
    usermod --append --groups objects-access appliance-web; usermod --append --groups objects-access appliance-objects; \
    # What each service keeps, and where the services meet. A new volume takes its owner and mode from here.
    install -d -m 0755 /var/lib/appliance; \
    install -d -m 0700 -o 10001 -g 10001 /var/lib/appliance/web; \
    install -d -m 0700 -o 10002 -g 10002 /var/lib/appliance/database; \
    install -d -m 0700 -o 10003 -g 10003 /var/lib/appliance/objects; \
    for run in /run/appliance /var/lib/appliance/run; do \
      install -d -m 0755 $run; install -d -m 0711 -o 10002 -g 10002 $run/database; install -d -m 2750 -o 10003 -g 10010 $run/objects; \
    done; \
    # The one-container shape's supervisors, each under its service's account.
    for name in web:10001 database:10002 objects:10003; do install -d -m 0700 -o "${name#*:}" -g "${name#*:}" "/var/lib/appliance/run/${name%:*}-supervisor"; done; \
    chown root:root /etc/pgbackrest.conf; chmod 0644 /etc/pgbackrest.conf; \
    dpkg --purge --force-depends --force-remove-essential perl-base >/dev/null 2>&1; \
    # Nothing is installed after this, nothing runs with another's rights, and nothing is left that was only needed to install.
    rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/* /usr/share/man /usr/share/locale /usr/share/info /var/lib/postgresql /etc/postgresql \
      /usr/lib/postgresql/17/lib/bitcode /usr/bin/apt* /usr/lib/apt /etc/apt; \
    # Of each package's documents its licence stays, as most licences ask.
    find /usr/share/doc -type f ! -name copyright -delete; find /usr/share/doc -type d -empty -delete; \
    find / -xdev -perm /6000 -type f -exec chmod a-s {} +

# What is in the image, and under which licences (CycloneDX): from dpkg, what was published, the lock files, the vendored files and the store's program.
FROM build AS inventory
ARG OBJECT_STORE_IMAGE
ARG VERSION=0.1.0
COPY --from=object-store /usr/bin/minio /store/minio
COPY --from=debian /var/lib/dpkg/status /debian/var/lib/dpkg/status
COPY --from=debian /usr/share/doc /debian/usr/share/doc
RUN dotnet /sbom/Appliance.Sbom.dll /inventory --version "$VERSION" --debian /debian --deps /out/Appliance.deps.json,/out/appliancectl.deps.json --packages /root/.nuget/packages --locks app \
      --app app/Appliance --store /store/minio --store-image "$OBJECT_STORE_IMAGE"

FROM debian
COPY --from=object-store /usr/bin/minio /usr/bin/minio
COPY --from=build /out /usr/lib/appliance
COPY --from=inventory /inventory /usr/share/appliance
COPY image/libexec /usr/libexec/appliance
COPY LICENSE /usr/share/doc/appliance/copyright
# The folder is where a container of compose/blue-green.yaml lays the authority's certificate for the proxy.
# What it takes, uncompressed. The goal is 450 MB; a test holds it to that.
RUN install -d -m 0755 -o 10001 -g 10001 /run/appliance/authority && chmod 0755 /usr/libexec/appliance/* && \
    du -xsk /usr/lib/appliance /usr/lib/postgresql /usr/bin/minio /usr/lib/*-linux-gnu* /usr/share 2>/dev/null | sort -n | awk '{ printf "%8.1f MB  %s\n", $1 * 1.024 / 1000, $2 }' && \
    du -xsk / 2>/dev/null | awk '{ printf "%8.1f MB  the whole image\n", $1 * 1.024 / 1000 }'
ARG VERSION=0.1.0
ARG REVISION=unknown
# Licences as an SPDX expression: the application's own, the S3 server's, PostgreSQL's, and those of the runtime and Debian's packages, whose
# texts are in the image (/usr/share/doc/*/copyright).
LABEL org.opencontainers.image.title="Appliance" \
      org.opencontainers.image.description="A private place for an organisation's files and media" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0 AND AGPL-3.0-or-later AND PostgreSQL AND MIT AND ISC AND GPL-3.0-or-later AND LGPL-2.1-or-later" \
      org.opencontainers.image.base.name="docker.io/library/debian:trixie-slim" \
      appliance.sbom="/usr/share/appliance/sbom.cdx.json"
RUN ln -s /usr/lib/appliance/appliancectl /usr/bin/appliancectl
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin DOTNET_EnableDiagnostics=0 APPLIANCE_DATA=/var/lib/appliance/web
USER 10001:10001
EXPOSE 8443
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/libexec/appliance/entry"]
CMD ["help"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 CMD ["/usr/libexec/appliance/healthy"]
