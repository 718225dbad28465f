#!/bin/bash
# Set the project up in bare roots of Debian 12 and 13, with the Python and pip of Debian.
# Usage: scripts/bare-check.sh [COMMAND...]    default: the set-ups of `make run` and `make test`
#   SUITES   which Debian releases; default: bookworm trixie
# Needs root on Debian. The roots stay in .cache/roots for the next time, and the packages that uv downloaded in
# .cache/bare/uv.
# shellcheck disable=SC2016,SC2329 # some commands and functions run in a shell of their own
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/image/root.sh
. scripts/image/root.sh
work=$PWD/.cache/bare
read -ra suites <<<"${SUITES:-bookworm trixie}"

main() {
    local suite jobs=() failed=0
    install_missing mmdebstrap
    for suite in "${suites[@]}"; do
        check "$suite" "$@" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=1; done
    exit $failed
}

# check SUITE [COMMAND...]
check() {
    local suite=$1 log=$work/$1.check.log
    shift
    make_root "$suite" || fail "$suite" "the root cannot be made"
    mkdir -p "$work/uv"
    copy_project "$work/$suite.project"
    export -f inside set_up import_packages python_release megabytes read_scan
    # The mounts and the processes end with this command.
    rm -rf "$work/$suite.layers"
    unshare --mount --pid --fork --kill-child bash -euo pipefail -c 'inside "$@"' inside "$roots" "$work" "$suite" \
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

# inside ROOTS WORK SUITE COMMAND...: in namespaces of its own, a fresh copy of the root with the project in it.
inside() {
    local roots=$1 work=$2 suite=$3 layers
    shift 3
    layers=$work/$suite.layers
    mkdir -p "$layers"/{upper,work,root}
    mount --make-rprivate /
    mount -t overlay overlay -o "lowerdir=$roots/$suite,upperdir=$layers/upper,workdir=$layers/work" "$layers/root"
    # The project and the cache of uv are in one mount, so uv links files instead of copying them.
    mkdir "$layers/root/work"
    mount --bind "$work" "$layers/root/work"
    mount -t proc proc "$layers/root/proc"
    mount --rbind /dev "$layers/root/dev"
    mount --rbind /sys "$layers/root/sys"
    # The sizes of the set-ups do not count it.
    mount -t tmpfs tmpfs "$layers/root/var/cache/apt"
    # mmdebstrap writes no such file; the installer of Debian does.
    echo "127.0.0.1 localhost" >"$layers/root/etc/hosts"
    [ "$1" != set_up ] ||
        set -- bash -euc "$(declare -f set_up import_packages python_release megabytes read_scan); set_up $(python_release)"
    mapfile -t network < <(env | grep -E '^(PIP_INDEX_URL|PIP_CERT|UV_DEFAULT_INDEX|SSL_CERT_FILE|https?_proxy|no_proxy)=' -i)
    chroot "$layers/root" /usr/bin/env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        UV_CACHE_DIR=/work/uv "${network[@]}" sh -c 'cd "$0" && "$@"' "/work/$suite.project" "$@"
}

# set_up [RELEASE]: the release of Python that runs the tests of this checkout.
set_up() {
    local purpose began before
    for purpose in run test; do
        began=$SECONDS before=$(megabytes)
        scripts/setup.sh "$purpose"
        echo "RESULT set-up of make $purpose: $((SECONDS - began)) s, $(($(megabytes) - before)) MB"
    done
    # Its libraries of Debian are enough.
    .venv/bin/python -c 'import cv2'
    # Most of an import is compilation, and the tests import the same packages.
    [ "${1-}" = "$(python_release)" ] || import_packages
    .cache/http-clients/bin/lit --version
    .cache/kubectl/bin/kubectl version --client
    # Its own Node.js needs libraries of Debian.
    .venv/bin/python -m playwright --version
    read_scan
    echo "RESULT a scan is read"
    echo "RESULT $(python3 --version), pip $(python3 -c 'import ensurepip; print(ensurepip.version())')"
}

# python_release: 3.11, or nothing if there is no environment.
python_release() { .venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }

import_packages() {
    .venv/bin/python -c 'import server, paddleocr, pytest'
    .cache/paddleocr-clients/bin/python -c 'import fastmcp, paddleocr_mcp, email_validator'
    .cache/langchain-client/bin/python -c 'import langchain_paddleocr'
    .cache/s3-servers/bin/python -c 'import swift'
}

# With the Python of Debian, which can be older than that of the tests.
read_scan() {
    .venv/bin/python - <<'PYTHON'
from tests.running import RunningService

with RunningService() as service, open("examples/scan.jpg", "rb") as scan:
    answer = service.client.post("/ocr?format=markdown", files={"file": scan})
assert answer.text.startswith("# Договор поставки № 17"), answer.text
PYTHON
}

megabytes() { du -smxc / "$PWD" | tail -n 1 | cut -f1; }

main "$@"
