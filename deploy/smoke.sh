#!/bin/bash
# Ask a running service what its first user would ask; a line for each question, and exit code 1 if one failed.
# Usage: deploy/smoke.sh URL [FILE]
#   FILE        the document to send; examples/scan.jpg where none is named
#   ML_TOKEN    sent as a Bearer token, if set
#   IMAGE_URL   the address of a document that the service can fetch; without it, that is not tried
set -u

url=${1:-}
file=${2:-$(dirname "${BASH_SOURCE[0]}")/../examples/scan.jpg}
if [ -z "$url" ]; then
    echo "usage: deploy/smoke.sh URL [FILE]" >&2
    exit 2
fi
url=${url%/}
failed=0
# The first request may have to wait for models that are being loaded.
longest=300

# ask PATH [curl's options]: leaves the answer in $status and $body.
ask() {
    local path=$1 answer
    shift
    # In a file of its own, the token is on no command line.
    answer=$(curl --silent --show-error --max-time "$longest" --write-out '\n%{http_code}' \
        --header @<([ -z "${ML_TOKEN:-}" ] || echo "Authorization: Bearer $ML_TOKEN") \
        "$@" "$url$path" 2>&1)
    status=${answer##*$'\n'}
    body=${answer%$'\n'*}
}

pass() { echo "pass  $1: $2"; }
skip() { echo "skip  $1: $2"; }
fail() {
    echo "FAIL  $1: HTTP $status, $(head -c 300 <<<"$body" | tr '\n' ' ')"
    failed=1
}

field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" <<<"$body" | head -1; }

check_health() {
    ask /health
    if [ "$status" = 200 ] && [ "$(field status)" = healthy ]; then
        pass health "healthy, engine $(field engine)"
    else
        fail health
    fi
}

check_vllm() {
    ask /health/vllm
    if [ "$status" = 200 ]; then
        pass health/vllm "ready, serves $(field model)"
    elif [ "$(field status)" = disabled ]; then
        pass health/vllm "this engine does without"
    else
        fail health/vllm
    fi
}

# check_text NAME [curl's options]: some text must come back.
check_text() {
    local name=$1
    shift
    ask "/ocr?format=text" "$@"
    if [ "$status" = 200 ] && [ -n "${body//[[:space:]]/}" ]; then
        pass "$name" "$(wc -m <<<"$body") characters of text"
    else
        fail "$name"
    fi
}

check_health
check_vllm
check_text multipart --form "file=@$file"
if [ -n "${IMAGE_URL:-}" ]; then
    check_text image_url --data-urlencode "image_url=$IMAGE_URL"
else
    skip image_url "IMAGE_URL is not set"
fi
exit "$failed"
