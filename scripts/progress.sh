#!/bin/bash
# Run a command without output, and report every few seconds that it is still running.
# Usage: scripts/progress.sh LABEL COMMAND...   or, if this file is sourced:   with_progress LABEL COMMAND...
#   PROGRESS_SECONDS   interval; default 10

with_progress() {
    local label=$1 reporter status=0
    shift
    report_progress "$label" >&2 &
    reporter=$!
    "$@" || status=$?
    kill "$reporter"
    wait "$reporter" 2>/dev/null || true
    return "$status"
}

# Ends with the process that started it. The last `sleep` has no output, so a reader of the reports need not wait for it.
report_progress() {
    local began=$SECONDS
    while sleep "${PROGRESS_SECONDS:-10}" &>/dev/null && kill -0 $$ 2>/dev/null; do
        echo "$1: still running after $((SECONDS - began)) s"
    done
}

[ "${BASH_SOURCE[0]}" != "$0" ] || with_progress "$@"
