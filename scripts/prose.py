"""Measure the prose of the project against that of nine well-known code bases of its field.

usage: python -m scripts.prose

It reads docstrings and comments of Python files, comments of scripts and manifests, and the English Markdown
outside of code. Each row is a part of the project. A figure outside the range of the field is marked, and
makes the exit status 1.
"""

import ast
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Name of a part: the files of the repository that belong to it.
PARTS = {
    "code": r"(server|ocr_engine|s3_storage)\.py|ocr_service/.*\.py|scripts/.*\.py",
    "tests": r"(tests|benchmarks)/.*\.py",
    "scripts": r".*\.sh|\.ci/run|Dockerfile|Makefile|deploy/.*\.ya?ml",
    "documents": r"[A-Z]+\.md|docs/[^/]*\.md|deploy/(monitoring/)?README\.md",
}

# Name of a figure: the words that it counts, and the range of the field per 1000 words.
FIGURES = {
    "what/who": (r"\b(what|who|whoever)\b", 0.0, 0.7),
    "where": (r"\bwhere\b", 0.0, 1.0),
    "if/when": (r"\b(if|when)\b", 6.3, 19.6),
    "genitive": (r"\b\w+'s\b", 0.0, 4.4),
}
MOST_OPENINGS = 0.1  # percent of the sentences
_OPENING = re.compile(r"\s*(What|Who|Whoever|Whatever|Those|Where)\b(?!.*\?$)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\n|: (?=[a-z])")
_CODE = re.compile(r"```.*?```|`[^`\n]*`|<!--.*?-->|\]\([^)]*\)", re.DOTALL)


def python_prose(path: Path) -> Iterator[str]:
    """Yield the docstrings, and the comments of successive lines as one text."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    with path.open("rb") as file:
        comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    yield from _joined((comment.start[0], comment.string.lstrip("#!")) for comment in comments)


def script_prose(path: Path) -> Iterator[str]:
    """Yield the comments, those of successive lines as one text."""
    lines = enumerate(path.read_text().splitlines())
    yield from _joined((n, line.strip().lstrip("#!")) for n, line in lines if line.lstrip().startswith("#"))


def markdown_prose(path: Path) -> Iterator[str]:
    """Yield the text outside of code and of addresses."""
    yield _CODE.sub(" ", path.read_text())


def _joined(comments: Iterator[tuple[int, str]]) -> Iterator[str]:
    text, last = "", -1
    for line, comment in comments:
        if line != last + 1:
            yield text
            text = ""
        text, last = f"{text} {comment}", line
    yield text


def prose_of(path: Path) -> Iterator[str]:
    """Yield the prose of a file by its kind."""
    kinds = {".py": python_prose, ".md": markdown_prose}
    return kinds.get(path.suffix, script_prose)(path)


def measure(texts: list[str]) -> dict[str, float]:
    """Return the figures: per 1000 words, and the openings in percent of the sentences."""
    words = sum(len(re.findall(r"[A-Za-z']+", text)) for text in texts) or 1
    sentences = [s for text in texts for s in _SENTENCE_END.split(text.replace("\n", " ")) if s.strip()]
    openings = sum(_OPENING.match(sentence) is not None for sentence in sentences)
    counts = {
        name: 1000 * sum(len(re.findall(pattern, text, re.IGNORECASE)) for text in texts) / words
        for name, (pattern, _, _) in FIGURES.items()
    }
    return {**counts, "openings": 100 * openings / max(1, len(sentences))}


def in_range(name: str, value: float) -> bool:
    """Whether a figure, as it is printed, lies in the range of the field."""
    _, least, most = FIGURES.get(name, ("", 0.0, MOST_OPENINGS))
    return least <= round(value, 1) <= most


def main() -> int:
    """Print a row for each part; return the exit status."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    good = True
    for part, pattern in PARTS.items():
        paths = [ROOT / name for name in files.stdout.splitlines() if re.fullmatch(pattern, name)]
        figures = measure([text for path in paths if path.exists() for text in prose_of(path)])
        good = good and all(in_range(name, value) for name, value in figures.items())
        marked = (f"{n} {v:.1f}{'' if in_range(n, v) else ' (!)'}" for n, v in figures.items())
        print(f"{part:10}", *(f"{each:16}" for each in marked))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
