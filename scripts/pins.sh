#!/bin/bash
# Compile requirements*.txt, with hashes, from the short lists in requirements*.in.
# Usage: scripts/pins.sh [--upgrade]
#        scripts/pins.sh --check    that what the image installs is pinned to the last package, and fits together
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/going.sh
. scripts/going.sh

venv=.cache/pins
[ -x "$venv/bin/uv" ] || { python3 -m venv "$venv" && "$venv/bin/python" -m pip install --quiet uv==0.13.9; }

everywhere=(--universal --python-version 3.11)
in_the_image=(--python-version 3.11 --python-platform x86_64-manylinux_2_31)
# vLLM bounds few of its dependencies, and newer ones were never tested with it: those of its own days are taken.
of_vllms_days=(--exclude-newer 2026-04-25)

paddle=paddlepaddle==$(sed -n 's/^ARG PADDLE_VERSION=//p' Dockerfile)

compile() {
    local list=$1
    shift
    echo "compiling $list.txt" >&2
    going "$list.txt" "$venv/bin/uv" pip compile "$list.in" --output-file "$list.txt" --generate-hashes --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make pins" --quiet "$@"
}

# check ENVIRONMENT LIST... [-- uv's options]: what the lists resolve to must be what is pinned for them.
check() {
    local environment=$1 lists=() options=() resolved unpinned
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        lists+=("$1.in")
        options+=(--constraints "$1.txt")
        shift
    done
    resolved=$(going "the pins of $environment" "$venv/bin/uv" pip compile "${lists[@]}" "${options[@]}" "${@:2}" "${in_the_image[@]}" \
        --no-header --no-annotate --quiet)
    unpinned=$(grep -vxFf <(pinned "${lists[@]/%.in/.txt}") <<<"$resolved" || true)
    [ -z "$unpinned" ] || { echo "WRONG $environment: not pinned: $unpinned" >&2 && exit 1; }
    echo "ok    the pins of $environment are complete and fit together"
}

pinned() {
    sed -n 's/^\([a-z0-9][^ ;]*==[^ ;]*\).*/\1/p' "$@"
    echo "$paddle"
}

if [ "${1-}" = --check ]; then
    check "the service" requirements
    # paddlepaddle-gpu is on Paddle's own index alone; the build for the CPU asks for the same packages of Python.
    check "the service with PaddleOCR and Paddle" requirements requirements-paddleocr -- - <<<"$paddle"
    check "vLLM" requirements-vllm -- "${of_vllms_days[@]}"
else
    compile requirements "${everywhere[@]}" "$@"
    compile requirements-paddleocr "${everywhere[@]}" --constraints requirements.txt "$@"
    compile requirements-dev "${everywhere[@]}" --constraints requirements.txt "$@"
    compile requirements-s3-servers "${everywhere[@]}" "$@"
    compile requirements-mcp-client "${everywhere[@]}" "$@"
    compile requirements-langchain-client "${everywhere[@]}" "$@"
    compile requirements-vllm "${in_the_image[@]}" "${of_vllms_days[@]}" "$@"
fi
