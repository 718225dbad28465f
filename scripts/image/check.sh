#!/bin/bash
# Build the cpu target of the image without Docker, run it with the restrictions of Kubernetes, and check its behaviour.
# Needs root on Debian. All files are below .cache/image and .cache/roots; the base image stays for the next run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=$PWD/scripts/image
work=$PWD/.cache/image
image=localhost/paddleocr-vl-service:latest-cpu
# shellcheck source=scripts/progress.sh
. scripts/progress.sh
# shellcheck source=scripts/image/root.sh
. scripts/image/root.sh

say() { echo "image: $*" >&2; }

ok() { echo "ok    $*"; }

# wrong MESSAGE [FILE]: the last lines of the file may show the cause.
wrong() {
    echo "WRONG $1" >&2
    [ -z "${2:-}" ] || tail -n 30 "$2" >&2
    exit 1
}

# until_true COMMAND...: polls, because other processes send no event.
until_true() {
    local tries=12000
    until "$@"; do
        [ $((tries -= 1)) -gt 0 ] || wrong "this did not become true: $*"
        sleep 0.05
    done
}

install_tools() {
    [ "$(id -u)" -eq 0 ] || wrong "root is needed, for buildah and podman"
    with_progress "installing tools" install_missing buildah mmdebstrap podman runc docker-registry
}

# buildah and podman store their data below $work.
configure() {
    mkdir -p "$work/tmp"
    export TMPDIR=$work/tmp
    export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_REGISTRIES_CONF=$work/registries.conf
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' \
        "$work/storage" "$work/run" >"$CONTAINERS_STORAGE_CONF"
    printf '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n' >"$CONTAINERS_REGISTRIES_CONF"
}

# Without systemd, podman warns that it cannot schedule health checks.
podman() {
    command podman --log-level fatal --cgroup-manager cgroupfs --events-backend none --runtime "$here/runc" "$@"
}

# The BASE_IMAGE of the Dockerfile: a Debian with Python, of the release of this machine.
make_base() {
    ! buildah inspect localhost/base >/dev/null 2>&1 || return 0
    say "making a base image of Debian packages"
    with_progress "the base image" build_base >"$work/log" || wrong "the base image cannot be made" "$work/log"
}

build_base() {
    local suite container root
    # shellcheck disable=SC1091
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    make_root "$suite"
    container=$(buildah from scratch)
    root=$(buildah mount "$container")
    cp -a "$roots/$suite/." "$root"
    buildah run --isolation chroot "$container" -- sh -euc '
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends python3 python3-venv
        rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin'
    # The published image keeps no cache of apt either.
    cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
    buildah config --cmd /bin/bash "$container"
    buildah commit -q "$container" localhost/base
    buildah rm "$container"
}

# The used parts of docker, with buildah and podman. Without --format docker, buildah drops HEALTHCHECK.
docker() {
    local command=$1
    shift
    case $command in
    build)
        with_progress "building" build "$@" || wrong "the image cannot be built" "$work/log"
        ;;
    run)
        podman run --network host --env UVICORN_PORT="$port" --env UVICORN_HOST=127.0.0.1 \
            --health-interval=disable "$@" >/dev/null
        ;;
    *) podman "$command" "$@" >/dev/null ;;
    esac
}

build() {
    buildah bud --isolation chroot --pull-never --format docker --layers \
        --build-arg BASE_IMAGE=localhost/base "$@" >"$work/log" 2>&1
}

guide() { awk '/^```/ {on = 0} on; /^# needs Docker$/ {on = 1}' deploy/README.md; }

# The guide builds the image for all checks: even if all layers are there, a build copies the packages to compare them.
build_as_in_guide() {
    # shellcheck disable=SC1090
    source <(guide | grep "^docker build ")
}

# Run the other commands of the guide, on another port.

check_guide() {
    port=$(free_port)
    podman rm --force ocr >/dev/null
    # shellcheck disable=SC1090
    source <(guide | grep --invert-match "^docker build " | sed "s/8081/$port/g")
    echo
    ok "the Docker commands of deploy/README.md work"
}

inspect_image() { podman image inspect --format "{{json $2}}" "$1"; }

# Change a file and the revision, as a release does. A build copies all packages to compare them, so these have only one.
check_layers() {
    local changed=$work/changed one=(--target cpu --build-arg REQUIREMENTS=requirements/one.txt) added
    rm -rf "$changed"
    mkdir "$changed"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$changed"
    awk '/^[a-z]/ {on = /^typing-extensions==/} on' requirements.txt >"$changed/requirements/one.txt"
    docker build "${one[@]}" --tag localhost/before "$changed"
    echo "# A change." >>"$changed/server.py"
    docker build "${one[@]}" --build-arg REVISION=another --tag localhost/changed "$changed"
    added=$(diff <(inspect_image localhost/before .RootFS.Layers | tr , '\n') \
        <(inspect_image localhost/changed .RootFS.Layers | tr , '\n') | grep -c '^>' || true)
    [ "$added" = 1 ] || wrong "a change of code rebuilds $added layers"
    ok "a change of code rebuilds one layer, the last"
}

check_config() {
    local all
    all=$(inspect_image "$image" .Config)$(inspect_image "$image" .HealthCheck)
    for part in '"User":"10001:10001"' '"ExposedPorts":{"8080/tcp":{},"8081/tcp":{}}' '"ocr_service.container.healthcheck"' \
        "\"org.opencontainers.image.version\":\"$(version)\"" '"Entrypoint":["/app/start.sh"]'; do
        [[ $all = *"$part"* ]] || wrong "the configuration of the image has no $part"
    done
    [ "$(inspect_image "$image" .Architecture)" = '"amd64"' ] || wrong "it is not for amd64"
    ok "user, ports, health check, entry point and labels are in the image"
}

version() { sed -n 's/^__version__ = "\(.*\)"/\1/p' ocr_service/__init__.py; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# run [OPTION...]: with the `restricted` policy of Kubernetes and a read-only root file system.
run() {
    port=$(free_port)
    podman rm --force --ignore ocr >/dev/null 2>&1
    install -d -o 10001 -g 10001 "$work/output"
    began=$(date +%s%N)
    docker run --detach --name ocr --read-only --tmpfs /tmp:exec --volume "$work/output:/app/output" \
        --cap-drop all --security-opt no-new-privileges "$@" "$image"
    until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/health"; do
        [ "$(podman inspect --format '{{.State.Running}}' ocr)" = true ] || not_running
        sleep 0.05
    done
}

not_running() {
    podman logs ocr >"$work/log" 2>&1
    wrong "the container exited" "$work/log"
}

inside() { podman exec ocr "$@"; }

log_has() { podman logs ocr 2>&1 | grep -q "$1"; }

# OpenShift gives each project a range of user ids, and group 0.
check_any_user() {
    # shellcheck disable=SC2016
    podman run --rm --user 1234567:0 --cap-drop all --entrypoint /bin/sh "$image" -c \
        'touch /app/output/file /models/file && python3 -c "import server"' >"$work/log" 2>&1 ||
        wrong "another user id in group 0 cannot run the service" "$work/log"
    ok "any user id in group 0 can write to /app/output and /models"
}

check_service() {
    run
    ok "/health answers $((($(date +%s%N) - began) / 1000000)) ms after \`podman run\`"
    until_true log_has "Starting FastAPI handler on port $port\.\.\."
    until_true log_has "Uvicorn running on http://127.0.0.1:$port"
    curl --silent --form file=@examples/scan.jpg "http://127.0.0.1:$port/ocr?format=markdown" |
        grep -q "# Договор поставки № 17" || wrong "the scan was not read"
    ok "a scan is read"
    .venv/bin/python -c 'from tests.pdf_fonts import *; print(pdf_of_pages("ArialMT", ["Накладная номер 4471"]).decode("latin-1"))' |
        curl --silent --form file=@- "http://127.0.0.1:$port/ocr?format=text" >"$work/text"
    grep -q "^Накладная номер 4471$" "$work/text" || wrong "the letters of a PDF without fonts are missing" "$work/text"
    ok "a PDF that does not contain its fonts is read"
    deploy/smoke.sh "http://127.0.0.1:$port"
    podman healthcheck run ocr >/dev/null || wrong "the health check fails on a healthy service"
    ! inside env UVICORN_PORT=9 python3 -m ocr_service.container.healthcheck || wrong "the health check passes if nothing answers"
    ok "the health check passes and fails as it should"
}

check_confinement() {
    [ "$(inside id -u)" = 10001 ] || wrong "it runs as $(inside id -u)"
    inside grep -q "^CapEff:\s*0*$" /proc/1/status || wrong "it has capabilities"
    inside grep -q "^NoNewPrivs:\s*1$" /proc/1/status || wrong "it may gain privileges"
    ! inside touch /app/file 2>/dev/null || wrong "the root file system is writable"
    inside touch /tmp/file /app/output/file || wrong "/tmp or /app/output is not writable"
    ! inside sh -c 'command -v gcc' >/dev/null || wrong "there is a compiler in the image"
    ok "it runs as an ordinary user, without capabilities, on a read-only file system"
}

exit_code() { podman inspect --format '{{.State.ExitCode}}' ocr; }

check_stop() {
    local answer=$work/answer reading began took
    curl --silent --no-buffer --header "Accept: application/x-ndjson" --form file=@examples/contract.pdf \
        "http://127.0.0.1:$port/ocr" >"$answer" &
    reading=$!
    until_true grep -q '"event":"start"' "$answer"
    began=$(date +%s%N)
    podman stop --time 120 ocr >/dev/null
    took=$((($(date +%s%N) - began) / 1000000))
    [ "$(exit_code)" = 0 ] || wrong "after SIGTERM the exit code is $(exit_code)"
    wait $reading || wrong "a request was lost"
    grep -q '"event":"end"' "$answer" || wrong "a request was cut off"
    ok "SIGTERM stops it after $took ms with exit code 0, and the running request gets its answer"
}

# The whole gpu target takes too long, so only its environment with PaddleOCR is built, and its system packages. The
# environment is mounted: a copy of it, as in the gpu target, would take more than a gigabyte for each layer.
check_paddleocr() {
    docker build --target service-gpu --build-arg LAYOUT_ENGINE=onnxruntime --build-arg COMPILE_BYTECODE=0 \
        --tag localhost/service-gpu .
    docker build --target base-gpu --tag localhost/base-gpu .
    with_progress "importing PaddleOCR" import_paddleocr || wrong "PaddleOCR cannot be imported in the gpu target" "$work/log"
    ok "the PaddleOCR environment of the gpu target can be built, and PaddleOCR can be imported in it"
}

import_paddleocr() {
    podman run --rm --network none --health-interval=disable --user 0 --entrypoint /bin/sh \
        --mount type=image,source=localhost/service-gpu,destination=/from \
        --volume "$PWD/scripts:/build:ro" localhost/base-gpu -euc '
        ln -s /from/opt/service /opt/service
        python3 -c "
import sys
sys.path.insert(0, \"/build\")
import cv2, onnxruntime, paddleocr
from download_models import formats
assert formats(\"PP-DocLayoutV3\", \"onnxruntime\") == (\"onnx\",)"' >"$work/log" 2>&1
}

# All orphans have ended, and none is a zombie.
orphans_are_reaped() {
    local processes
    processes=$(inside sh -c 'cat /proc/[0-9]*/stat' 2>/dev/null) || return 1
    [[ $processes = *"(sleep)"* && $processes != *") Z "* && $processes != *"(orphan)"* ]]
}

# The first process must reap the orphans of vLLM.
check_first_process() {
    local leave_orphans='cp /bin/sleep /tmp/orphan; for i in 1 2 3 4 5; do (/tmp/orphan 0.5 & exit); done; exec sleep 600'
    run --device /dev/null:/dev/nvidia0 --env OCR_ENGINE=auto --env VLLM_COMMAND="$leave_orphans"
    until_true orphans_are_reaped
    podman stop --time 120 ocr >/dev/null
    [ "$(exit_code)" = 0 ] || wrong "SIGTERM did not stop it gracefully"
    ok "if a GPU is visible, vLLM is started too; no zombies; SIGTERM stops both"
}

# A real registry on this machine that requires a key.
start_registry() {
    registry_address=127.0.0.1:$(free_port)
    rm -rf "$work/registry"
    mkdir -p "$work/registry"
    perl -e 'print "key-id:", crypt("placeholder", "\$2b\$05\$abcdefghijklmnopqrstuv"), "\n"' >"$work/htpasswd"
    cat >"$work/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "$registry_address"}
auth: {htpasswd: {realm: test, path: $work/htpasswd}}
YAML
    docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
    registry=$!
    until_true curl --silent --output /dev/null "http://$registry_address/v2/"
}

# push SECRET
push() {
    CONTAINER_TOOL=podman REGISTRY_ENDPOINT=$registry_address KEY_ID=key-id KEY_SECRET=$1 \
        deploy/push.sh cpu >"$work/log" 2>&1
}

check_push() {
    start_registry
    ! push wrong-secret || wrong "a wrong key is accepted"
    grep -q "push.sh: podman cannot log in" "$work/log" || wrong "a wrong key is not reported" "$work/log"
    with_progress "pushing" push placeholder || wrong "the image cannot be pushed" "$work/log"
    ! grep -q "placeholder\|key-id" "$work/log" || wrong "the key is in the log"
    local tags
    tags=$(curl --silent --user key-id:placeholder "http://$registry_address/v2/paddleocr-vl-service/tags/list")
    for tag in latest-cpu "$(version)-cpu"; do
        [[ $tags = *"\"$tag\""* ]] || wrong "the registry has no $tag"
    done
    ok "deploy/push.sh pushes to a registry that requires a key, and does not print the key"
}

finish() {
    podman rm --force --ignore ocr >/dev/null 2>&1 || true
    [ -z "${registry:-}" ] || kill "$registry" || true
}

install_tools
configure
trap finish EXIT
scripts/lock.sh --check
make_base
build_as_in_guide
check_config
check_any_user
check_layers
check_service
check_confinement
check_stop
check_first_process
check_push
check_guide
check_paddleocr
