#!/bin/bash
# Sourced: make a root file system of Debian packages that reaches the package indexes as this machine does.

# make_root SUITE FOLDER PACKAGES: the packages are joined by commas.
make_root() {
    local suite=$1 root=$2 packages=$3 mirror
    # The mirror of this machine, if it names one, or else the default of debootstrap.
    mapfile -t mirror < <(awk '/^URIs:|^deb / {print $2; exit}' \
        /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null)
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include="ca-certificates,$packages" "$suite" "$root" "${mirror[@]}" \
        >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        return 1
    }
    cp -r /etc/apt/apt.conf.d "$root/etc/apt/"
    cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
    env -u TMPDIR chroot "$root" update-ca-certificates >>"$root.log" 2>&1 || return 1
    [ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/"
}
