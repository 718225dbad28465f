# The image of the OCR service. Its two targets differ only in their environments:
#   gpu (the default)  PaddleOCR-VL on vLLM
#   cpu                Tesseract, for any machine
# Platform: linux/amd64. The CUDA libraries are in the PyPI packages; the NVIDIA runtime provides the driver.
# deploy/README.md explains how to build and run it.

# A slim Debian with Python 3.11 or newer as `python3`, and its venv module.
ARG BASE_IMAGE=python:3.11-slim-bookworm
# true: the image contains the models, and a pod starts without network access. false: the models are downloaded to
# the volume /models when they are needed for the first time.
ARG BAKE_MODELS=true


# The common part of both targets. tesserocr brings Tesseract; Debian brings the language data, and fonts for PDFs that
# do not contain theirs.
FROM ${BASE_IMAGE} AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends tesseract-ocr-rus tesseract-ocr-eng tesseract-ocr-osd \
        fonts-liberation fonts-dejavu-core fonts-crosextra-carlito \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 ocr \
    && useradd --uid 10001 --gid ocr --home-dir /tmp --no-create-home --shell /usr/sbin/nologin ocr \
    && install -d /app \
    && install -d -o ocr -g root -m 775 /app/output /models \
    && ln -s /app/ocr-bulk /usr/local/bin/ocr-bulk
# OpenShift runs an image with any user id, in group 0, so this group can write to the two folders.
# The root file system may be read-only, so all files except results and models are written to /tmp.
ENV PATH=/opt/service/bin:$PATH \
    HOME=/tmp \
    USER=ocr \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OCR_OUTPUT_DIR=/app/output
WORKDIR /app
EXPOSE 8080 8081
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python3", "-m", "ocr_service.container.healthcheck"]
ENTRYPOINT ["/app/start.sh"]
LABEL org.opencontainers.image.title="paddleocr-vl-service" \
      org.opencontainers.image.description="Document OCR over HTTP: PaddleOCR-VL on vLLM, or Tesseract"


# The code. It is compiled here because the file system is read-only later. File modes do not depend on the checkout.
FROM ${BASE_IMAGE} AS code
COPY start.sh ocr-bulk *.py /app/
COPY ocr_service /app/ocr_service
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app \
    && chmod -R u=rwX,go=rX /app \
    && chmod 755 /app/start.sh /app/ocr-bulk


# uv installs the packages of each environment. It is not part of the image.
FROM base AS uv
COPY requirements/uv.txt /build/
RUN python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /build/uv.txt
ENV PATH=/opt/uv/bin:$PATH \
    UV_NO_CACHE=1 \
    UV_SYSTEM_CERTS=1 \
    UV_COMPILE_BYTECODE=1


# The environment of the service without PaddleOCR. requirements/ray.txt adds Ray, for deploy/ray.
FROM uv AS service
ARG REQUIREMENTS=requirements.txt
COPY ${REQUIREMENTS} /build/requirements.txt
RUN uv venv --python python3 /opt/service \
    && uv pip sync --python /opt/service --require-hashes /build/requirements.txt


FROM base AS cpu
COPY --from=service /opt/service /opt/service
ENV OCR_ENGINE=tesseract
COPY --from=code /app /app
USER 10001:10001
ARG VERSION=1.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


# The environment of the service with PaddleOCR and a package that runs its layout model. paddlepaddle-gpu is on the
# index of Paddle alone, so its version is pinned and its hash is not. Its dependencies are pinned with the others, and
# `uv pip check` fails if one is missing.
FROM service AS service-gpu
ARG LAYOUT_ENGINE=paddle
ARG PADDLE_VERSION=3.3.1
ARG PADDLE_INDEX=https://www.paddlepaddle.org.cn/packages/stable/cu126/
# 0: a shorter build and a slower start.
ARG COMPILE_BYTECODE=1
COPY requirements/paddleocr.txt /build/
RUN export UV_COMPILE_BYTECODE="$COMPILE_BYTECODE" \
    && uv pip sync --python /opt/service --require-hashes /build/paddleocr.txt \
    && case "$LAYOUT_ENGINE" in \
        paddle) uv pip install --python /opt/service --no-deps --default-index "$PADDLE_INDEX" \
            "paddlepaddle-gpu==$PADDLE_VERSION" ;; \
        onnxruntime) ;; \
        *) echo "LAYOUT_ENGINE must be paddle or onnxruntime" >&2; exit 1 ;; \
    esac \
    && uv pip check --python /opt/service


# The environment of vLLM. It and PaddleOCR require different versions of the same packages.
FROM uv AS vllm
COPY requirements/vllm.txt /build/
RUN uv venv --python python3 /opt/vllm \
    && uv pip sync --python /opt/vllm --require-hashes /build/vllm.txt \
    && uv pip check --python /opt/vllm


# The system packages of the gpu target. OpenCV loads OpenGL and GLib. vLLM compiles kernels at run time: Triton needs a
# C compiler and the headers of Python, which a python image already has, and the inductor of torch needs a C++ compiler.
FROM base AS base-gpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-bin g++ \
    && if [ ! -e "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]; then \
        apt-get install -y --no-install-recommends python3-dev; \
    fi \
    && rm -rf /var/lib/apt/lists/*


FROM base-gpu AS paddleocr
COPY --from=service-gpu /opt/service /opt/service
COPY scripts/download_models.py /build/

FROM paddleocr AS models-true
ARG LAYOUT_ENGINE=paddle
ARG PIPELINE_VERSION=v1.6
RUN python3 /build/download_models.py "$PIPELINE_VERSION" "$LAYOUT_ENGINE" /models \
    && chmod -R g=u /models

FROM base AS models-false

# hadolint ignore=DL3006
FROM models-${BAKE_MODELS} AS models


FROM base-gpu AS gpu
COPY --from=vllm /opt/vllm /opt/vllm
COPY --from=models --chown=10001:0 /models /models
COPY --from=service-gpu /opt/service /opt/service
ARG LAYOUT_ENGINE=paddle
ARG PIPELINE_VERSION=v1.6
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    MODELS_DIR=/models \
    HF_HOME=/models/huggingface \
    HF_MODULES_CACHE=/tmp/huggingface/modules \
    PADDLE_PDX_CACHE_HOME=/tmp/paddlex \
    PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK=True \
    OCR_LAYOUT_ENGINE=${LAYOUT_ENGINE} \
    OCR_PIPELINE_VERSION=${PIPELINE_VERSION}
COPY --from=code /app /app
USER 10001:10001
ARG VERSION=1.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
