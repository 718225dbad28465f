#!/bin/sh
# Install the HTTP clients of other languages, from Debian and npm, and run them against the service.
# Usage: scripts/clients.sh [FOLDER]: their requests go to FOLDER, which is .cache/requests by default.
set -eu
cd "$(dirname "$0")/.."

packages="default-jdk-headless libhttpclient-java libhttpmime-java golang-go php-cli php-curl nodejs mono-mcs
    libmono-system-net-http4.0-cil"
axios=1.21.1

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

install_axios() {
    command -v npm >/dev/null || { [ "$(id -u)" -eq 0 ] && apt-get install -y --no-install-recommends npm; }
    npm install --silent --no-save --prefix .cache/axios "axios@$axios"
}

install_packages
[ -d .cache/axios/node_modules/axios ] || install_axios
exec .venv/bin/python -m tests.clients.other_languages "${1:-.cache/requests}"
