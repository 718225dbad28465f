#!/bin/bash
# Check a running service: its health, and the recognition of a document. Prints a line per check; exits with 1 if one
# failed.
# Usage: deploy/smoke.sh URL [FILE]
#   FILE        document to send (default: examples/scan.jpg)
#   API_KEY     key of the service (OCR_API_KEYS), sent as X-API-Key
#   ML_TOKEN    token of the platform in front of the service, sent as a Bearer token
#   IMAGE_URL   address of a document for the service to download; if empty, this check is skipped
set -u

url=${1:-}
file=${2:-$(dirname "${BASH_SOURCE[0]}")/../examples/scan.jpg}
if [[ $url != http://* && $url != https://* ]]; then
    echo "usage: deploy/smoke.sh URL [FILE], with a URL such as http://localhost:8081" >&2
    exit 2
fi
url=${url%/}
failed=0
# The first request may wait until models are loaded.
timeout=300
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

headers() {
    [ -z "${API_KEY:-}" ] || echo "X-API-Key: $API_KEY"
    [ -z "${ML_TOKEN:-}" ] || echo "Authorization: Bearer $ML_TOKEN"
}

# request PATH [OPTIONS of curl]: sets $status, $type and $body. If there is no answer, the status is 000 and the body is
# the error message of curl.
request() {
    local path=$1 result
    shift
    # Progress goes to standard error, results to standard output.
    echo "wait  $path: up to $timeout s" >&2
    # A file for the headers keeps key and token off the command line.
    if result=$(curl --silent --show-error --max-time "$timeout" --output "$work/body" --stderr "$work/error" \
        --write-out '%{http_code} %{content_type}' \
        --header @<(headers) "$@" -- "$url$path"); then
        status=${result%% *} type=${result#* } body=$(<"$work/body")
    else
        status=000 type="" body=$(<"$work/error")
    fi
}

pass() { echo "pass  $1: $2"; }
skip() { echo "skip  $1: $2"; }
fail() {
    echo "FAIL  $1: HTTP $status, $(head -c 300 <<<"$body" | tr '\n' ' ')"
    failed=1
}

# field NAME: the first field with this name in $body. Fields of the top level come before nested ones.
field() { grep -o "\"$1\": *\"[^\"]*\"" <<<"$body" | head -1 | cut -d '"' -f 4; }

check_health() {
    request /health
    if [ "$status" = 200 ] && [ "$(field status)" = healthy ]; then
        pass health "healthy, engine $(field engine)"
    else
        fail health
    fi
}

check_vllm() {
    request /health/vllm
    if [ "$status" = 200 ] && [ "$(field status)" = ready ]; then
        pass health/vllm "ready, serves $(field model)"
    elif [ "$status" = 503 ] && [ "$(field status)" = disabled ]; then
        pass health/vllm "the engine needs no vLLM"
    else
        fail health/vllm
    fi
}

# check_text NAME [OPTIONS of curl]: the answer must have text.
check_text() {
    local name=$1
    shift
    request "/ocr?format=text" "$@"
    if [ "$status" = 200 ] && [[ $type = text/plain* ]] && [ -n "${body//[[:space:]]/}" ]; then
        pass "$name" "$(wc -m <<<"$body") characters of text"
    else
        fail "$name"
    fi
}

check_health
check_vllm
check_text multipart --form "file=@\"${file//\"/\\\"}\""
if [ -n "${IMAGE_URL:-}" ]; then
    check_text image_url --data-urlencode "image_url=$IMAGE_URL"
else
    skip image_url "IMAGE_URL is not set"
fi
exit "$failed"
