#!/bin/bash
# Ask a running service what its first user would ask; a line for each question, and exit code 1 if one failed.
# Usage: deploy/smoke.sh URL [FILE]
#   FILE        the document to send; examples/scan.jpg where none is named
#   API_KEY     one of the service's keys (OCR_API_KEYS), sent as X-API-Key, if set
#   ML_TOKEN    the token of a platform in front of the service, sent as a Bearer token, if set
#   IMAGE_URL   the address of a document that the service can fetch; without it, that is not tried
set -u

url=${1:-}
file=${2:-$(dirname "${BASH_SOURCE[0]}")/../examples/scan.jpg}
if [[ $url != http://* && $url != https://* ]]; then
    echo "usage: deploy/smoke.sh URL [FILE], with a URL such as http://localhost:8081" >&2
    exit 2
fi
url=${url%/}
failed=0
# The first request may have to wait for models that are being loaded.
longest=300
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

headers() {
    [ -z "${API_KEY:-}" ] || echo "X-API-Key: $API_KEY"
    [ -z "${ML_TOKEN:-}" ] || echo "Authorization: Bearer $ML_TOKEN"
}

# ask PATH [curl's options]: leaves the answer's $status, $type and $body; status 000 and curl's words if there is none.
ask() {
    local path=$1 told
    shift
    # A person may have to wait for it; the answers stand on standard output.
    echo "wait  $path: up to $longest s" >&2
    # In a file of their own, key and token are on no command line.
    if told=$(curl --silent --show-error --max-time "$longest" --output "$work/body" --stderr "$work/error" \
        --write-out '%{http_code} %{content_type}' \
        --header @<(headers) "$@" -- "$url$path"); then
        status=${told%% *} type=${told#* } body=$(<"$work/body")
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

# The first field of that name; ours stand on the answer's top level, before anything nested.
field() { grep -o "\"$1\": *\"[^\"]*\"" <<<"$body" | head -1 | cut -d '"' -f 4; }

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
    if [ "$status" = 200 ] && [ "$(field status)" = ready ]; then
        pass health/vllm "ready, serves $(field model)"
    elif [ "$status" = 503 ] && [ "$(field status)" = disabled ]; then
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
