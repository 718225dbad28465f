#!/bin/bash
# Build the documentation as a site. A broken link, a missing anchor or anything from a CDN is an error.
# Usage: scripts/docs.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."

site=$(realpath -m "$1")
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT

cp --parents LICENSE ./*.md docs/*.md docs/ru/*.md docs/images/*.png deploy/README*.md deploy/monitoring/README*.md clients/python/README.md "$pages"
NO_MKDOCS_2_WARNING=1 DOCS_PAGES=$pages .venv/bin/python -m mkdocs build --strict --site-dir "$site"

# Links may lead to other sites. Scripts, styles, fonts and images may not.
external='<(script|link|img|iframe)[^>]*(src|href)="?(https?:)?//|url\("?(https?:)?//|@import'
if grep -rEno --include='*.html' --include='*.css' "$external" "$site"; then
    echo "docs: the site loads external files" >&2
    exit 1
fi
