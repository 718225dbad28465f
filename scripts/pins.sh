#!/bin/sh
# Compile requirements*.txt, with hashes, from the short lists in requirements*.in.
# Usage: scripts/pins.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."

venv=.cache/pins
[ -x "$venv/bin/uv" ] || { python3 -m venv "$venv" && "$venv/bin/python" -m pip install uv==0.13.9; }

compile() {
    list=$1
    shift
    "$venv/bin/uv" pip compile "$list.in" --output-file "$list.txt" --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make pins" \
        --quiet "$@"
}

compile requirements "$@"
compile requirements-paddleocr --constraints requirements.txt "$@"
compile requirements-dev --constraints requirements.txt "$@"
