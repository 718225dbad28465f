#!/bin/bash
# Run a command that says nothing while it works, and tell every few seconds that it goes on.
# Usage: scripts/going.sh WHAT COMMAND...   or, where this file is sourced:   going WHAT COMMAND...
#   GOING_SECONDS   how often; 10 where it is not set

going() {
    local what=$1 ticker status=0
    shift
    tell_that_it_goes_on "$what" >&2 &
    ticker=$!
    "$@" || status=$?
    kill "$ticker"
    wait "$ticker" 2>/dev/null || true
    return "$status"
}

# Ends with whoever started it, too. Whoever reads what is told need not wait for the last `sleep`.
tell_that_it_goes_on() {
    local began=$SECONDS
    while sleep "${GOING_SECONDS:-10}" &>/dev/null && kill -0 $$ 2>/dev/null; do
        echo "$1: still at it after $((SECONDS - began)) s"
    done
}

[ "${BASH_SOURCE[0]}" != "$0" ] || going "$@"
