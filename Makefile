# `make run` and `make test` set up a new machine; `make help` lists all targets.

PORT ?= 8081
HOST ?= ::
MINUTES ?= 10
LAYOUT_ENGINE ?= paddle
PYTHON = .venv/bin/python
# One process for each folder of jobs, so another port has another folder.
JOBS_DIR = "$${OCR_JOBS_DIR-$${OCR_OUTPUT_DIR:-$(CURDIR)/.cache/run/$(PORT)}}"
SERVE = PATH="$(CURDIR)/.venv/bin:$$PATH" UVICORN_HOST=$(HOST) UVICORN_PORT=$(PORT) \
	OCR_LOG_FORMAT=$${OCR_LOG_FORMAT:-text} OCR_JOBS_DIR=$(JOBS_DIR) exec ./start.sh

.PHONY: help run run-gpu test test-jobs test-ray test-real-vllm test-clients check-docx lint lint-image check image-check bare-check corpus bench-tesseract bench-accuracy bench-decoding bench-health bench-pdf bench-storage bench-cache bench-jobs bench-bulk bench-long-job bench-vl bench-vlms bench-vl-health load attack soak fuzz fuzz-schema docs docs-tables screenshots lock clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: ## set up, then serve on PORT (8081)
	@scripts/setup.sh run
	@$(SERVE)

run-gpu: ## set up PaddleOCR-VL and vLLM too, then serve; LAYOUT_ENGINE=onnxruntime replaces Paddle
	@LAYOUT_ENGINE=$(LAYOUT_ENGINE) scripts/setup.sh run-gpu
	@OCR_ENGINE=paddleocr-vl OCR_LAYOUT_ENGINE=$(LAYOUT_ENGINE) VLLM_VENV=$(CURDIR)/.cache/vllm $(SERVE)

# Hundreds of processes import the same modules: they are compiled once, even if the environment says otherwise.
test: export PYTHONDONTWRITEBYTECODE =
test: ## set up, then run the tests; ARGS="-k name" goes to pytest
	@scripts/setup.sh test
	@$(PYTHON) -m pytest --numprocesses auto --no-loadscope-reorder $(ARGS)

test-clients: ## install the clients of Java, Go, PHP, Node.js and .NET (root), generate two more, and run all
	@scripts/setup.sh test
	@scripts/clients.sh

# Of Debian, and larger than all other packages of the tests.
check-docx: ## install LibreOffice (300 MB, root), open Word documents with it, and compare the text
	@scripts/setup.sh docx
	@$(PYTHON) -m pytest tests/exports/test_docx_in_libreoffice.py $(ARGS)

# 900 MB, and not for each change.
test-ray: ## ocr-bulk on a Ray cluster of three nodes, of which one is killed (900 MB)
	@scripts/setup.sh ray
	@.cache/ray/bin/python -m tests.bulk.ray_cluster

# 7.6 GB and some minutes, so neither `make test` nor CI has it.
test-jobs: ## end a process at each boundary of a job, with both databases, and print a table (12 minutes)
	@scripts/setup.sh test
	@$(PYTHON) -m tests.jobs.matrix

test-real-vllm: export REAL_VLLM_VENV ?= $(CURDIR)/.cache/real-vllm
test-real-vllm: ## run the tests of PaddleOCR-VL with the real vLLM, on a CPU with a tiny random model (7.6 GB)
	@scripts/setup.sh test
	@scripts/setup.sh real-vllm
	@$(PYTHON) -m pytest --timeout 1800 tests/paddleocr_vl tests/real_vllm $(ARGS)

lint: lint-image ## all linters, the formatter check and the type check
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	@scripts/progress.sh mypy $(PYTHON) -m mypy
	$(PYTHON) -m scripts.prose

lint-image: ## lint the scripts and the Dockerfile
	@scripts/setup.sh test
	.venv/bin/shellcheck $$(git ls-files '*.sh') .ci/run
	.venv/bin/hadolint Dockerfile

check: lint test ## lint and test

bare-check: ## set up in bare roots of Debian 12 and 13 (root); ARGS="make test" runs this command instead
	@scripts/bare-check.sh $(ARGS)

image-check: ## build the cpu target of the image without Docker, run and check it (root)
	@scripts/setup.sh test
	@scripts/image/check.sh

bench-tesseract: ## pages per second over HTTP, compared with bare tesserocr and OCRmyPDF
	@scripts/setup.sh bench
	@$(PYTHON) -m benchmarks.bench_tesseract

corpus: ## build the evaluation set in .cache/corpus: 240 pages with their truth
	@scripts/setup.sh bench
	@$(PYTHON) -m benchmarks.corpus

bench-accuracy: corpus ## accuracy and CPU time on the set, beside tesseract and OCRmyPDF; ARGS="--other CHECKOUT"
	@$(PYTHON) -m benchmarks.bench_accuracy $(ARGS)

bench-decoding: ## time and CPU time of decoding a page; ARGS="--other FOLDER" compares with another checkout
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_decoding $(ARGS)

bench-health: ## time to first answer, /health under full load, refusal of a decompression bomb
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_health

bench-pdf: ## searchable PDFs beside OCRmyPDF: size, CPU time, and which parts of the document are kept
	@scripts/setup.sh bench
	@$(PYTHON) -m benchmarks.bench_searchable_pdf

bench-storage: ## time that storing in S3 on loopback adds to a request
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_storage

bench-cache: ## a repeated document: read again, from memory, from the store, as a 304
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_cache

bench-jobs: ## the cost of a job beside /ocr, submits and statuses a second, with both databases
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_jobs $(ARGS)

bench-bulk: ## ocr-bulk: documents that it skips, pages/s of 1 to 3 workers; ARGS="--objects 1000 --pages 20"
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_bulk $(ARGS)

bench-long-job: ## 300 pages as a job behind nginx with each engine, and requests of one page meanwhile
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_long_job $(ARGS)

bench-vl: ## pages per second of PaddleOCR-VL, compared with paddlex --serve and the VLM alone, on stand-ins
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_vl

bench-vlms: ## one service on three vLLM servers of different speed, one of them killed, on stand-ins
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_vlms $(ARGS)

bench-vl-health: ## /health during the start of PaddleOCR-VL and during the reading of many pages
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.bench_vl_health

load: ## answers to 200 clients in a minute, well-behaved and others, with each engine
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.load

attack: ## attack the service in each known way, and measure an honest caller; ARGS="--seconds 10 NAME"
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.attack $(ARGS)

soak: ## memory growth over 2000 pages with PaddleOCR-VL on stand-ins
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks.soak

fuzz: ## decode damaged files for MINUTES (10); ARGS="--seed 1 --format PDF"
	@scripts/setup.sh test
	@$(PYTHON) -m tests.fuzz --minutes $(MINUTES) $(ARGS)

fuzz-schema: ## random requests by the OpenAPI document: EXAMPLES (300) for each operation
	@scripts/setup.sh test
	@EXAMPLES=$${EXAMPLES:-300} $(PYTHON) -m pytest tests/http/test_schemathesis.py $(ARGS)

docs: ## build the documentation as a site in .cache/site, without anything from a CDN
	@scripts/setup.sh docs
	@scripts/docs.sh .cache/site

docs-tables: ## write the tables of settings into the documentation, from the code
	@scripts/setup.sh test
	@$(PYTHON) -m scripts.settings_tables

screenshots: ## take the pictures of the page for people again, for the documentation
	@scripts/setup.sh test
	@$(PYTHON) -m scripts.screenshots

lock: ## resolve pyproject.toml into uv.lock, and export requirements.txt; ARGS="--upgrade" for newer releases
	@scripts/lock.sh $(ARGS)

clean: ## remove the environments and caches; the jobs of `make run` stay, in .cache/run
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	[ ! -d .cache ] || find .cache -mindepth 1 -maxdepth 1 ! -name run -exec rm -rf {} +
