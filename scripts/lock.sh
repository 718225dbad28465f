#!/bin/bash
# Resolve the dependencies of pyproject.toml into uv.lock, and export the lists that the image installs.
# Usage: scripts/lock.sh [--upgrade | --upgrade-package NAME]
#        scripts/lock.sh --check-lists    the lists are those of uv.lock; needs no network
#        scripts/lock.sh --check          also: each environment of the image is complete
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/progress.sh
. scripts/progress.sh

scripts/setup.sh uv
uv=.cache/uv/bin/uv
# uv.lock names PyPI itself, never the mirror of one network.
unset UV_DEFAULT_INDEX UV_INDEX_URL UV_INDEX

in_the_image=(--python-version 3.11 --python-platform x86_64-manylinux_2_31)
# vLLM bounds few of its dependencies. Newer releases were never tested with it.
released_with_vllm=(--exclude-newer 2026-04-25)
paddle=paddlepaddle==$(sed -n 's/^ARG PADDLE_VERSION=//p' Dockerfile)

# export_list FOLDER FILE OPTION...
export_list() {
    local folder=$1 file=$2
    shift 2
    {
        echo "# Exported from uv.lock by \`make lock\`; do not edit."
        "$uv" export --quiet --frozen --no-default-groups --no-emit-project --no-header --no-annotate "$@"
    } >"$folder/$file"
}

# export_lists FOLDER
export_lists() {
    mkdir -p "$1/requirements"
    export_list "$1" requirements.txt --extra tesseract
    export_list "$1" requirements/paddleocr.txt --extra paddleocr
    export_list "$1" requirements/ray.txt --extra tesseract --extra ray
}

lock() {
    with_progress "uv.lock" "$uv" lock --quiet "$@"
    with_progress "requirements/vllm.txt" "$uv" pip compile requirements/vllm.in --output-file requirements/vllm.txt \
        --universal --python-version 3.11 "${released_with_vllm[@]}" --generate-hashes --no-emit-index-url \
        --no-annotate --custom-compile-command "make lock" --quiet "$@"
    export_lists .
}

check_lists() {
    local file exported
    "$uv" lock --check --offline --quiet || fail "uv.lock does not match pyproject.toml; run make lock"
    # Its own folder, as several checks may run at the same time.
    exported=$(mktemp -d .cache/lock.XXXXXX)
    export_lists "$exported"
    for file in requirements.txt requirements/paddleocr.txt requirements/ray.txt; do
        cmp -s "$file" "$exported/$file" || fail "$file does not match uv.lock; run make lock"
    done
    rm -r "$exported"
    echo "ok    the lists of the image are those of uv.lock"
}

# check_complete ENVIRONMENT LIST SOURCE OPTION...: the sources resolve to packages of the list and to no others.
check_complete() {
    local environment=$1 list=$2 resolved unpinned
    shift 2
    resolved=$(with_progress "the pins of $environment" "$uv" pip compile "$@" --constraints "$list" "${in_the_image[@]}" \
        --no-header --no-annotate --quiet)
    unpinned=$(grep -vxFf <(pins "$list") <<<"$resolved" || true)
    [ -z "$unpinned" ] || fail "$environment: not pinned: $unpinned"
    echo "ok    the pins of $environment are complete and fit together"
}

# Names without extras: `fastmcp[apps]==1` and `fastmcp==1` are one pin.
pins() {
    sed -n 's/^\([a-z0-9][^][ ;]*\)\(\[[^]]*\]\)\{0,1\}\(==[^ ;]*\).*/\1\3/p' "$1"
    echo "$paddle"
}

fail() {
    echo "WRONG $1" >&2
    exit 1
}

case "${1-}" in
--check-lists) check_lists ;;
--check)
    check_lists
    # paddlepaddle-gpu is on the index of Paddle alone. The build for the CPU has the same dependencies.
    check_complete "PaddleOCR with Paddle" requirements/paddleocr.txt pyproject.toml --extra paddleocr - <<<"$paddle"
    check_complete vLLM requirements/vllm.txt requirements/vllm.in "${released_with_vllm[@]}"
    ;;
*) lock "$@" ;;
esac
