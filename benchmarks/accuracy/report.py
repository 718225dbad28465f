"""The results as Markdown tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchmarks.accuracy.scores import Scores
from benchmarks.corpus.plan import SCANNED_MANUAL
from benchmarks.corpus.truth import Entry

# A difference of character errors that counts.
_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Results:
    """All results of a run.

    scores: by contender and by the name of the page. seconds: CPU seconds a page, by contender and kind.
    ours: the name of this service in the mode that is its default; others: names of the other programs.
    """

    entries: Sequence[Entry]
    scores: Mapping[str, Mapping[str, Scores]]
    seconds: Mapping[str, Mapping[str, float]]
    ours: str
    others: Sequence[str]

    @property
    def kinds(self) -> list[str]:
        """The kinds, in the order of the set."""
        return list(dict.fromkeys(entry.kind for entry in self.entries))

    def of(self, contender: str, kind: str) -> list[Scores]:
        """Return the scores of a kind."""
        return [self.scores[contender][entry.name] for entry in self.entries if entry.kind == kind]


def print_report(results: Results) -> None:
    """Print all tables, and the pages on which another program is better."""
    names = list(results.scores)
    _print_by_kind(
        "character errors", names, results, lambda n, k: mean(s.errors for s in results.of(n, k)), 3
    )
    _print_details(results)
    _print_by_kind("CPU seconds a page", names, results, lambda n, k: results.seconds[n][k], 2)
    _print_wrong_script(results)
    _print_layer_errors(results)
    if results.others:
        _print_worse(results)


def _print_by_kind(
    title: str, names: Sequence[str], results: Results, value: Callable[[str, str], float], digits: int
) -> None:
    print(f"\n| {title} | pages | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}")
    for kind in results.kinds:
        figures = (f"{value(name, kind):.{digits}f}" for name in names)
        print(f"| {kind} | {len(results.of(names[0], kind))} | {' | '.join(figures)} |")
    means = (f"{mean(value(name, kind) for kind in results.kinds):.{digits}f}" for name in names)
    print(f"| mean of the kinds | {len(results.entries)} | {' | '.join(means)} |")


def _print_details(results: Results) -> None:
    """Print the scores of this service, each beside that of the best other program."""
    head = (
        "words found",
        "best other",
        "words in order",
        "best other",
        "rows kept",
        "best other",
        "cells",
        "headings",
    )
    print(f"\n| {results.ours} | {' | '.join(head)} |\n|---|{'---|' * len(head)}")
    for kind in results.kinds:
        figures: list[float | None] = []
        for field in ("words", "order", "rows"):
            figures.append(_mean(results.of(results.ours, kind), field))
            best = [_mean(results.of(other, kind), field) for other in results.others]
            figures.append(max((value for value in best if value is not None), default=None))
        figures += [_mean(results.of(results.ours, kind), field) for field in ("cells", "headings")]
        print(f"| {kind} | {' | '.join('' if value is None else f'{value:.3f}' for value in figures)} |")
    invented = sum(scores.invented_table for scores in results.scores[results.ours].values())
    print(f"\nPages without rows on which {results.ours} has a table: {invented}")


def _mean(scores: Sequence[Scores], field: str) -> float | None:
    values = [value for each in scores if (value := getattr(each, field)) is not None]
    return mean(values) if values else None


def _print_wrong_script(results: Results) -> None:
    pages = {entry.name for entry in results.entries if entry.kind == SCANNED_MANUAL}
    print("\n| scanned pages of manuals | words | with letters of the wrong script |\n|---|---|---|")
    for name, scores in results.scores.items():
        chosen = [scores[page] for page in pages]
        count, wrong = sum(s.word_count for s in chosen), sum(s.wrong_script for s in chosen)
        print(f"| {name} | {count} | {wrong} ({100 * wrong / max(1, count):.2f} %) |")


def _print_layer_errors(results: Results) -> None:
    """Print how often the text layer was worse than the reading of the drawn page."""
    for name in results.scores:
        if not name.endswith("`auto`"):
            continue
        drawn = results.scores[name.replace("auto", "never")]
        pages = [entry for entry in results.entries if entry.file.endswith(".pdf")]
        worse = [e for e in pages if results.scores[name][e.name].errors > drawn[e.name].errors + _TOLERANCE]
        print(f"\n{name} was worse than `never` on {len(worse)} of {len(pages)} pages of PDFs")
        for entry in worse:
            print(f"  {entry.file} {entry.kind}, {entry.language}")


def _print_worse(results: Results) -> None:
    print(f"\nPages on which another program has fewer errors by more than {_TOLERANCE}:\n")
    for entry in results.entries:
        own = results.scores[results.ours][entry.name].errors
        best = min(results.others, key=lambda other: results.scores[other][entry.name].errors)
        least = results.scores[best][entry.name].errors
        if own > least + _TOLERANCE:
            print(f"- {entry.file}, {entry.kind}, {entry.language}: {own:.3f}; {best}: {least:.3f}")
