#!/bin/bash
# Sourced: root file systems of Debian packages that reach the package indexes as this machine does.
# shellcheck disable=SC2034 # `roots` is for the scripts that read this file

roots=$PWD/.cache/roots

# install_missing PACKAGE...: install the Debian packages that this machine does not have.
install_missing() {
    local missing=() package
    for package in "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    hold "$roots/packages.lock"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    exec 9>&-
}

# make_root SUITE: $roots/SUITE has the required packages of Debian, CA certificates and make. It is made once.
make_root() {
    local root=$roots/$1
    hold "$root.lock"
    if [ ! -e "$root.made" ]; then
        bootstrap "$1" "$root" >"$root.log" 2>&1 || {
            tail -n 20 "$root.log" >&2
            return 1
        }
        touch "$root.made"
    fi
    exec 9>&-
}

# hold FILE: wait until no other script has it. The lock ends with descriptor 9.
hold() {
    mkdir -p "$roots"
    exec 9>"$1"
    flock 9
}

# bootstrap SUITE FOLDER
bootstrap() {
    local mirror
    # The mirror of this machine, if it names one, or else the default of mmdebstrap.
    mapfile -t mirror < <(awk '/^URIs:|^deb / {print $2; exit}' \
        /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null)
    rm -rf "$2"
    # The root need not survive a power failure, and has no manuals, as Debian's slim images. In a hook, $1 is the root. If
    # this machine is a container, its apt keeps no cache of the package lists, and each call would read them again.
    # shellcheck disable=SC2016
    env -u TMPDIR mmdebstrap --variant=minbase --include=ca-certificates,make --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --setup-hook='copy-in /etc/apt/apt.conf.d /etc/apt' \
        --setup-hook='sed -i /pkgcache/d "$1"/etc/apt/apt.conf.d/*' \
        --essential-hook='copy-in /usr/local/share/ca-certificates /usr/local/share' \
        "$1" "$2" "${mirror[@]}" || return 1
    [ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$2/etc/"
}
