#!/bin/bash
# Start the service, and vLLM for PaddleOCR-VL if it can run here. The container and `make run` use this script.
# `start.sh vllm` starts vLLM alone; ocr_service/container/supervisor.py uses this form. `start.sh preflight` checks the
# machine; it uses `start.sh vllm-command`, which prints the command for vLLM, its words separated by NUL.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")" || exit

# In a container, Kubernetes describes each Service by variables such as VLLM_SERVER_PORT=tcp://10.0.0.1:8080, which
# are no settings. All variables of such a Service are left out.
drop_service_links() {
    local port name prefix
    for port in "${!OCR_@}" "${!UVICORN_@}" "${!VLLM_@}" "${!CLOUDRU_@}"; do
        [[ $port = *_PORT && ${!port:-} =~ ^(tcp|udp|sctp):// ]] || continue
        prefix=${port%_PORT}
        for name in $(compgen -v "${prefix}_"); do
            [[ $name =~ ^${prefix}_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_[0-9]+_.+)?)$ ]] && unset "$name"
        done
    done
}
drop_service_links

# The settings and their defaults; docs/settings.md explains them. uvicorn reads UVICORN_* from the environment.
: "${UVICORN_HOST:=0.0.0.0}"
: "${UVICORN_PORT:=8081}"
: "${UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN:=15}"
: "${UVICORN_SERVER_HEADER:=false}"
: "${VLLM_ENABLED:=auto}"
: "${VLLM_COMMAND:=}"
: "${VLLM_VENV:=/opt/vllm}"
: "${VLLM_MODEL:=}"
: "${VLLM_SERVER_HOST:=127.0.0.1}"
: "${VLLM_SERVER_PORT:=8080}"
: "${VLLM_GPU_MEMORY_UTILIZATION:=0.5}"
: "${VLLM_MAX_MODEL_LEN:=16384}"
: "${VLLM_EXTRA_ARGS:=}"
: "${VLLM_STOP_TIMEOUT:=10}"
: "${VLLM_HANG_TIMEOUT:=180}"
: "${MODELS_DIR:=}"
# A relative path, such as .cache/vllm, is relative to this folder, also in PATH.
[[ $VLLM_VENV = /* ]] || VLLM_VENV=$PWD/$VLLM_VENV
export UVICORN_HOST UVICORN_PORT UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN UVICORN_SERVER_HEADER

# The HTTP protocol with limits, and a loop that listens on IPv4 and IPv6. The service has no WebSockets.
export UVICORN_HTTP=ocr_service.runtime.connections:Connection UVICORN_WS=none
export UVICORN_LOOP=ocr_service.runtime.event_loop:EventLoop

# Disable the telemetry of vLLM and of the Hugging Face client.
export DO_NOT_TRACK=1 HF_HUB_DISABLE_TELEMETRY=1

# The default of PaddleX, for the models that it has downloaded.
export PADDLE_PDX_CACHE_HOME="${PADDLE_PDX_CACHE_HOME:-${HOME:-/tmp}/.paddlex}"

# log LEVEL MESSAGE: a line in the format of ocr_service/telemetry/logs.py.
log() {
    local LC_ALL=C now time message
    now=$EPOCHREALTIME message=${2//[[:cntrl:]]/ }
    TZ=UTC0 printf -v time '%(%Y-%m-%dT%H:%M:%S)T.%.3sZ' "${now%.*}" "${now#*.}"
    if [ "${OCR_LOG_FORMAT:-}" = text ]; then
        printf '%s %s start.sh %s\n' "$time" "$1" "$message"
    else
        message=${message//\\/\\\\}
        printf '{"time": "%s", "level": "%s", "logger": "start.sh", "message": "%s"}\n' "$time" "$1" "${message//\"/\\\"}"
    fi >&2
}

fail() {
    log ERROR "$1"
    exit 1
}

main() {
    [[ $VLLM_ENABLED =~ ^(auto|true|false)$ ]] || fail "VLLM_ENABLED must be auto, true or false"
    [[ $VLLM_STOP_TIMEOUT =~ ^[0-9]{1,5}(\.[0-9]+)?$ ]] || fail "VLLM_STOP_TIMEOUT must be a number of seconds"
    [[ $VLLM_HANG_TIMEOUT =~ ^[0-9]{1,5}(\.[0-9]+)?$ ]] || fail "VLLM_HANG_TIMEOUT must be a number of seconds"
    [[ $UVICORN_PORT =~ ^[0-9]{1,5}$ && $((10#$UVICORN_PORT)) -le 65535 ]] || fail "UVICORN_PORT must be a number up to 65535"
    link_models
    local vllm=() reason
    reason=$(reason_against_vllm)
    if [ -n "$reason" ]; then
        log "$(absence_level)" "vLLM is not started: $reason"
        [ -n "${OCR_VLM_URL:-}" ] || export OCR_VLM_NOT_STARTED="$reason"
    else
        vllm=(-- "$BASH" "$PWD/start.sh" vllm)
        export OCR_VLM_URL="${OCR_VLM_URL:-$(vllm_address)}"
        # The supervisor keeps the PID of this script.
        if [ "$OCR_VLM_URL" = "$(vllm_address)" ] && [ "$VLLM_HANG_TIMEOUT" != 0 ]; then
            export OCR_VLM_SUPERVISOR=$$ OCR_VLM_RESTART_TIMEOUT="$VLLM_HANG_TIMEOUT"
        fi
    fi
    log INFO "Starting FastAPI handler on port $UVICORN_PORT..."
    # One worker: all requests share its engine and take turns in it.
    exec python3 -m ocr_service.container.supervisor "$VLLM_STOP_TIMEOUT" uvicorn server:app --workers 1 "${vllm[@]}"
}

# PaddleX also writes to the folder of its models, which may be read-only. So that folder is only linked.
link_models() {
    [ -n "$MODELS_DIR" ] || return 0
    local link=$PADDLE_PDX_CACHE_HOME/official_models
    [ -d "$MODELS_DIR" ] || fail "MODELS_DIR: there is no folder $MODELS_DIR"
    mkdir -p "$PADDLE_PDX_CACHE_HOME"
    ln -sfnT "$(realpath "$MODELS_DIR")" "$link" || fail "MODELS_DIR: cannot make $link a link to it"
}

reason_against_vllm() {
    if [ "$VLLM_ENABLED" = false ]; then
        echo "VLLM_ENABLED=false"
    elif [ "$VLLM_ENABLED" = auto ] && [ "${OCR_ENGINE:-auto}" = tesseract ]; then
        echo "OCR_ENGINE=tesseract does not use it"
    elif [ "$VLLM_ENABLED" = auto ] && [ -n "${OCR_VLM_URL:-}" ]; then
        echo "OCR_VLM_URL names an existing server"
    elif [ "$VLLM_ENABLED" = auto ] && [ "$MODE" != vllm-command ] && ! compgen -G "/dev/nvidia[0-9]*" >/dev/null; then
        echo "no GPU is visible"
    elif [ -z "$VLLM_COMMAND" ] && ! [ -x "$VLLM_VENV/bin/vllm" ]; then
        echo "it is not installed in $VLLM_VENV"
    fi
}

# A warning if vLLM was requested, or if PaddleOCR-VL was requested and has no other server.
absence_level() {
    if [ "$VLLM_ENABLED" = true ]; then
        echo WARNING
    elif [ "$VLLM_ENABLED" = auto ] && [ "${OCR_ENGINE:-auto}" = paddleocr-vl ] && [ -z "${OCR_VLM_URL:-}" ]; then
        echo WARNING
    else
        echo INFO
    fi
}

vllm_address() {
    local host=$VLLM_SERVER_HOST
    case $host in
    0.0.0.0) host=127.0.0.1 ;;
    ::) host="[::1]" ;;
    *:*) host="[$host]" ;;
    esac
    echo "http://$host:$VLLM_SERVER_PORT/v1"
}

# run COMMAND...: replace this script by vLLM, or print the command.
run() {
    [ "$MODE" = vllm ] && exec "$@"
    printf '%s\0' "$@"
}

print_vllm_command() {
    local reason
    reason=$(reason_against_vllm)
    [ -n "$reason" ] || exec_vllm
    [ -z "$reason" ] || { echo "$reason" && exit 3; }
}

exec_vllm() {
    # Otherwise vLLM looks for the external address of this machine.
    export VLLM_HOST_IP=127.0.0.1
    # The service drops a line break at its end too.
    [ -z "${OCR_VLM_API_KEY:-}" ] || { read -r VLLM_API_KEY <<<"$OCR_VLM_API_KEY" && export VLLM_API_KEY; }
    # vLLM must not get the secrets of the service, and it warns about unknown VLLM_* variables.
    export -n "${!OCR_@}" "${!CLOUDRU_@}" VLLM_ENABLED VLLM_COMMAND VLLM_VENV VLLM_MODEL VLLM_SERVER_HOST \
        VLLM_SERVER_PORT VLLM_GPU_MEMORY_UTILIZATION VLLM_MAX_MODEL_LEN VLLM_EXTRA_ARGS VLLM_STOP_TIMEOUT \
        VLLM_HANG_TIMEOUT
    # The tools that compile its kernels are installed there too.
    export PATH="$VLLM_VENV/bin:$PATH"
    if [ -n "$VLLM_COMMAND" ]; then
        log INFO "starting vLLM with VLLM_COMMAND"
        export VLLM_SERVER_HOST VLLM_SERVER_PORT
        run "$BASH" -c "$VLLM_COMMAND"
        return
    fi
    local version=${OCR_PIPELINE_VERSION:-v1.6} release=PaddleOCR-VL extra
    [ "$version" = v1 ] || release=PaddleOCR-VL-${version#v}
    eval "extra=($VLLM_EXTRA_ARGS)" || fail "VLLM_EXTRA_ARGS is not valid shell syntax"
    if paddlex_can_start; then
        exec_paddlex_genai_server "$release-0.9B" "${extra[@]}"
    else
        exec_vllm_serve "$release" "${extra[@]}"
    fi
}

# On a GPU, paddlex_genai_server exits if xformers or flash-attn is missing, so check that first.
paddlex_can_start() {
    [ -x "$VLLM_VENV/bin/paddlex_genai_server" ] && "$VLLM_VENV/bin/python" -c '
import sys
from paddlex.utils.deps import is_genai_engine_plugin_available
sys.exit(not is_genai_engine_plugin_available("vllm-server"))'
}

exec_paddlex_genai_server() {
    local model_name=$1 model_dir=()
    shift
    [ -z "$VLLM_MODEL" ] || model_dir=(--model_dir "$VLLM_MODEL")
    log INFO "starting vLLM with paddlex_genai_server"
    run "$VLLM_VENV/bin/paddlex_genai_server" --model_name "$model_name" "${model_dir[@]}" --backend vllm \
        --host "$VLLM_SERVER_HOST" --port "$VLLM_SERVER_PORT" --backend_config /dev/stdin <<<"$(paddlex_config "$@")"
}

# It reads the arguments of vLLM only from a file: `--name value` becomes `name: 'value'`, `--name` becomes `name: true`.
paddlex_config() {
    local name
    echo "gpu-memory-utilization: $VLLM_GPU_MEMORY_UTILIZATION"
    echo "max-model-len: $VLLM_MAX_MODEL_LEN"
    while [ $# -gt 0 ]; do
        name=${1#--}
        shift
        if [[ $name = *=* ]]; then
            echo "${name%%=*}: '${name#*=}'"
        elif [[ $# -gt 0 && $1 != --* ]]; then
            echo "$name: '$1'"
            shift
        else
            echo "$name: true"
        fi
    done
}

# The arguments are those of the vLLM recipe for this model. PaddleX requests the model by this name.
exec_vllm_serve() {
    local release=$1 weights=$PADDLE_PDX_CACHE_HOME/official_models/$1
    shift
    if [ -d "$weights" ]; then
        export HF_HUB_OFFLINE=1
    else
        weights=PaddlePaddle/$release
    fi
    log INFO "starting vLLM with vllm serve"
    run "$VLLM_VENV/bin/vllm" serve "${VLLM_MODEL:-$weights}" --served-model-name "$release-0.9B" \
        --host "$VLLM_SERVER_HOST" --port "$VLLM_SERVER_PORT" --trust-remote-code \
        --gpu-memory-utilization "$VLLM_GPU_MEMORY_UTILIZATION" --max-model-len "$VLLM_MAX_MODEL_LEN" \
        --max-num-batched-tokens 16384 --no-enable-prefix-caching --mm-processor-cache-gb 0 \
        --disable-uvicorn-access-log "$@"
}

MODE=${1-}
case $MODE in
vllm) link_models && exec_vllm ;;
vllm-command) print_vllm_command ;;
preflight) exec python3 -m ocr_service.preflight "${@:2}" ;;
*) main ;;
esac
