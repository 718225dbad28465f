#!/bin/bash
# Push a local image to a registry, with the tags `latest` and the version.
# Usage: deploy/push.sh [--dry-run] [gpu|cpu]
#   REGISTRY_ENDPOINT    address of the registry, such as registry-xxxxx.cr.cloud.ru
#   KEY_ID, KEY_SECRET   access key of the registry
#   CONTAINER_TOOL       docker (default) or podman
# The key is on no command line and in no output. It is in a private temporary folder until the script ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

name=paddleocr-vl-service
tool=${CONTAINER_TOOL:-docker}
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' ocr_service/__init__.py)

fail() {
    echo "push.sh: $*" >&2
    exit 1
}

need() {
    [ -n "${!1:-}" ] || fail "$1 is not set: $2"
}

# Print a command; run it unless this is a dry run.
run_command() {
    echo "+ $*"
    [ -n "$dry_run" ] || "$@"
}

# `login` without a user name checks the key in the configuration file, with docker and with podman.
log_in() {
    [ -n "$dry_run" ] || write_key_file
    run_command "$tool" login "$REGISTRY_ENDPOINT" </dev/null 2>&1 | redact_key || fail "$tool cannot log in to $REGISTRY_ENDPOINT"
}

write_key_file() {
    local private key
    if [ "$tool" = docker ]; then
        # Our configuration file replaces the one that has the address of the Docker server.
        DOCKER_HOST=${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}')}
        export DOCKER_HOST
    fi
    private=$(mktemp -d)
    # shellcheck disable=SC2064 # expand now: the variable is local
    trap "rm -rf '$private'" EXIT
    key=$(printf '%s:%s' "$KEY_ID" "$KEY_SECRET" | base64 | tr -d '\n')
    (umask 077 && printf '{"auths": {"%s": {"auth": "%s"}}}\n' "$REGISTRY_ENDPOINT" "$key" >"$private/config.json")
    export DOCKER_CONFIG=$private REGISTRY_AUTH_FILE=$private/config.json
}

# docker prints the user name of the key.
redact_key() {
    local line
    while read -r line; do
        line=${line//"$KEY_ID"/***}
        echo "${line//"$KEY_SECRET"/***}"
    done
}

# Do not tag an image of an older version with the new one.
check_version() {
    local label
    label=$("$tool" image inspect --format '{{index .Config.Labels "org.opencontainers.image.version"}}' \
        "$name:latest$suffix") || fail "there is no image $name:latest$suffix: build it first"
    [ "$label" = "$version" ] || fail "$name:latest$suffix is of version $label and not $version: rebuild it"
}

push_as() {
    run_command "$tool" tag "$name:latest$suffix" "$REGISTRY_ENDPOINT/$name:$1"
    run_command "$tool" push "$REGISTRY_ENDPOINT/$name:$1"
}

dry_run=
target=gpu
for argument in "$@"; do
    case $argument in
    --dry-run) dry_run=yes ;;
    gpu | cpu) target=$argument ;;
    *) fail "unknown argument $argument; usage: deploy/push.sh [--dry-run] [gpu|cpu]" ;;
    esac
done

need REGISTRY_ENDPOINT "it is the address of the registry, such as registry-xxxxx.cr.cloud.ru"
need KEY_ID "it is the ID of an access key for the registry"
need KEY_SECRET "it is the secret of that access key"
[[ $REGISTRY_ENDPOINT =~ ^[A-Za-z0-9.-]+(:[0-9]+)?$ ]] ||
    fail "REGISTRY_ENDPOINT must be a name such as registry-xxxxx.cr.cloud.ru, without https:// and without a path"
[ -n "$dry_run" ] || command -v "$tool" >/dev/null || fail "$tool is not installed; set CONTAINER_TOOL to use another one"

suffix=
[ "$target" = gpu ] || suffix=-$target
[ -n "$dry_run" ] || check_version
log_in
push_as "$version$suffix"
push_as "latest$suffix"
