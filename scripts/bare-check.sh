#!/bin/bash
# Set the project up in bare roots of Debian 12 and 13, with the Python and pip of Debian.
# Usage: scripts/bare-check.sh [COMMAND...]    default: the set-ups of `make run` and `make test`
#   SUITES   which Debian releases; default: bookworm trixie
# Needs root on Debian. The roots and the packages that uv downloaded stay in .cache/bare for the next time.
# shellcheck disable=SC2329 # some functions run in a shell of their own
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/image/root.sh
. scripts/image/root.sh
work=$PWD/.cache/bare
read -ra suites <<<"${SUITES:-bookworm trixie}"

main() {
    local suite jobs=() failed=0
    command -v debootstrap >/dev/null || install_debootstrap
    for suite in "${suites[@]}"; do
        check "$suite" "$@" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=1; done
    exit $failed
}

install_debootstrap() {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
}

# check SUITE [COMMAND...]
check() {
    local suite=$1 root=$work/$1 log=$work/$1.check.log
    shift
    mkdir -p "$work/uv"
    if [ ! -e "$root.made" ]; then
        make_root "$suite" "$root" make || fail "$suite" "the root cannot be made"
        touch "$root.made"
    fi
    copy_project "$work/$suite.project"
    export -f inside set_up megabytes
    # The mounts and the processes end with this command.
    rm -rf "$root.layers"
    unshare --mount --pid --fork --kill-child bash -euo pipefail -c 'inside "$@"' inside "$root" "$work/uv" \
        "${@:-set_up}" >"$log" 2>&1 || { tail -n 40 "$log" >&2 && fail "$suite" "the log is $log"; }
    sed -n "s/^RESULT /ok    $suite: /p" "$log"
    [ $# -eq 0 ] || { tail -n 3 "$log" && echo "ok    $suite: $*"; }
}

fail() {
    echo "WRONG $1: $2" >&2
    exit 1
}

# copy_project FOLDER: the files of the working tree, without the ignored ones.
copy_project() {
    rm -rf "$1"
    mkdir -p "$1"
    git ls-files -z --cached --others --exclude-standard --deduplicate | xargs -0 cp --parents -t "$1"
}

# inside ROOT UV_CACHE COMMAND...: in namespaces of its own, a fresh copy of the root with the project in it.
inside() {
    local root=$1 cache=$2 layers
    shift 2
    layers=$root.layers
    mkdir -p "$layers"/{upper,work,root}
    mount --make-rprivate /
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$layers/upper,workdir=$layers/work" "$layers/root"
    mkdir -p "$layers"/root/{project,uv}
    mount --bind "$root.project" "$layers/root/project"
    mount --bind "$cache" "$layers/root/uv"
    mount -t proc proc "$layers/root/proc"
    mount --rbind /dev "$layers/root/dev"
    mount --rbind /sys "$layers/root/sys"
    # debootstrap writes no such file; the installer of Debian does.
    echo "127.0.0.1 localhost" >"$layers/root/etc/hosts"
    [ "$1" != set_up ] || set -- bash -euc "$(declare -f set_up megabytes); set_up"
    mapfile -t network < <(env | grep -E '^(PIP_INDEX_URL|PIP_CERT|UV_DEFAULT_INDEX|SSL_CERT_FILE|https?_proxy|no_proxy)=' -i)
    chroot "$layers/root" /usr/bin/env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        UV_CACHE_DIR=/uv "${network[@]}" sh -c 'cd /project && "$@"' sh "$@"
}

set_up() {
    local purpose began before
    for purpose in run test; do
        began=$SECONDS before=$(megabytes)
        scripts/setup.sh "$purpose"
        echo "RESULT set-up of make $purpose: $((SECONDS - began)) s, $(($(megabytes) - before)) MB"
    done
    .venv/bin/python -c 'import server, paddleocr, pytest'
    .cache/mcp-client/bin/python -c 'import fastmcp, paddleocr_mcp, email_validator'
    .cache/langchain-client/bin/python -c 'import langchain_paddleocr'
    .cache/http-clients/bin/lit --version
    .cache/s3-servers/bin/python -c 'import swift'
    .cache/kubectl/bin/kubectl version --client
    echo "RESULT $(python3 --version), pip $(python3 -c 'import ensurepip; print(ensurepip.version())')"
}

megabytes() { du -smxc --exclude=/uv / /project | tail -n 1 | cut -f1; }

main "$@"
