#!/bin/bash
# Push an image that was built here to a registry, under the tags `latest` and the version.
# Usage: deploy/push.sh [--dry-run] [gpu|cpu]
#   REGISTRY_ENDPOINT    the registry, such as registry-xxxxx.cr.cloud.ru
#   KEY_ID, KEY_SECRET   an access key for it
#   CONTAINER_TOOL       docker (default) or podman
# The key never stands on a command line or in the output, and is not kept: it lies in a private folder meanwhile.
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

# In a dry run, commands are told and not run.
do_it() {
    echo "+ $*"
    [ -n "$dry_run" ] || "$@"
}

# docker and podman both find the key in such a file, and `login` without a user tries what is there.
log_in() {
    [ -n "$dry_run" ] || put_key_where_tools_look
    do_it "$tool" login "$REGISTRY_ENDPOINT" </dev/null 2>&1 | without_key || fail "$tool cannot log in to $REGISTRY_ENDPOINT"
}

put_key_where_tools_look() {
    local private key
    if [ "$tool" = docker ]; then
        # The user's own configuration says where docker's server is; ours does not.
        DOCKER_HOST=${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}')}
        export DOCKER_HOST
    fi
    private=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$private'" EXIT
    key=$(printf '%s:%s' "$KEY_ID" "$KEY_SECRET" | base64 | tr -d '\n')
    (umask 077 && printf '{"auths": {"%s": {"auth": "%s"}}}\n' "$REGISTRY_ENDPOINT" "$key" >"$private/config.json")
    export DOCKER_CONFIG=$private REGISTRY_AUTH_FILE=$private/config.json
}

# docker tells whose key it tries.
without_key() {
    local line
    while read -r line; do
        line=${line//"$KEY_ID"/***}
        echo "${line//"$KEY_SECRET"/***}"
    done
}

# An image that was built before the version was raised must not get its tag.
check_version() {
    local label
    label=$("$tool" image inspect --format '{{index .Config.Labels "org.opencontainers.image.version"}}' \
        "$name:latest$suffix") || fail "there is no image $name:latest$suffix; build it first"
    [ "$label" = "$version" ] || fail "$name:latest$suffix is of version $label and not $version; build it anew"
}

push_as() {
    do_it "$tool" tag "$name:latest$suffix" "$REGISTRY_ENDPOINT/$name:$1"
    do_it "$tool" push "$REGISTRY_ENDPOINT/$name:$1"
}

dry_run=
target=gpu
for argument in "$@"; do
    case $argument in
    --dry-run) dry_run=yes ;;
    gpu | cpu) target=$argument ;;
    *) fail "there is no option $argument; usage: deploy/push.sh [--dry-run] [gpu|cpu]" ;;
    esac
done

need REGISTRY_ENDPOINT "it is the registry's address, such as registry-xxxxx.cr.cloud.ru"
need KEY_ID "it is the ID of an access key for the registry"
need KEY_SECRET "it is the secret of that access key"
[[ $REGISTRY_ENDPOINT =~ ^[A-Za-z0-9.-]+(:[0-9]+)?$ ]] ||
    fail "REGISTRY_ENDPOINT must be a name such as registry-xxxxx.cr.cloud.ru, without https:// and without a path"
[ -n "$dry_run" ] || command -v "$tool" >/dev/null || fail "$tool is not installed; CONTAINER_TOOL names another"

suffix=
[ "$target" = gpu ] || suffix=-$target
[ -n "$dry_run" ] || check_version
log_in
push_as "$version$suffix"
push_as "latest$suffix"
