#!/bin/sh
# Install the HTTP clients of other languages and two generators of clients, from Debian, npm and PyPI, and run them
# against the service.
# Usage: scripts/clients.sh [FOLDER]: their requests go to FOLDER, which is .cache/requests by default.
set -eu
cd "$(dirname "$0")/.."

packages="default-jdk-headless libhttpclient-java libhttpmime-java golang-go php-cli php-curl nodejs mono-mcs
    libmono-system-net-http4.0-cil"
axios=1.21.1
openapi_ts=0.99.0
typescript=5.9.3
node_types=20.9.5
openapi_generator=7.26.0

say() { echo "clients: $*" >&2; }

install_packages() {
    if [ "$(id -u)" -ne 0 ]; then
        say "clients that are not installed are left out; as root, this script installs: $packages"
        return
    fi
    apt-get update
    for package in $packages; do
        # A machine may have a Java or a Node.js that is not Debian's.
        case $package in
        default-jdk-headless) command -v javac >/dev/null && continue ;;
        nodejs) command -v node >/dev/null && continue ;;
        esac
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package"
    done
}

# install_node_packages FOLDER PACKAGE...
install_node_packages() {
    folder=.cache/$1
    shift
    [ ! -d "$folder/node_modules" ] || return 0
    command -v npm >/dev/null || { [ "$(id -u)" -eq 0 ] && apt-get install -y --no-install-recommends npm; }
    npm install --silent --no-save --prefix "$folder" "$@"
}

# The package on PyPI has the program for Java.
install_openapi_generator() {
    [ ! -d .cache/openapi-generator ] || return 0
    .cache/uv/bin/uv pip install --quiet --python .venv --no-deps --target .cache/openapi-generator \
        "openapi-generator-cli==$openapi_generator"
}

install_packages
install_node_packages axios "axios@$axios"
install_node_packages openapi-ts "@hey-api/openapi-ts@$openapi_ts" "typescript@$typescript" "@types/node@$node_types"
install_openapi_generator
.venv/bin/python -m tests.clients.documented
exec .venv/bin/python -m tests.clients.other_languages "${1:-.cache/requests}"
