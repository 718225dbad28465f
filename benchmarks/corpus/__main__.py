"""Build the evaluation set in .cache/corpus: `make corpus`."""

from collections import Counter

from benchmarks import say
from benchmarks.corpus import FOLDER
from benchmarks.corpus.plan import every_page
from benchmarks.corpus.truth import Entry, write_index


def main() -> None:
    """Write the files and the index, and print how many pages of each kind there are."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    entries: list[Entry] = []
    for entry, data in every_page():
        (FOLDER / entry.file).write_bytes(data)
        entries.append(entry)
        if len(entries) % 20 == 0:
            say(f"pages: {len(entries)}")
    write_index(FOLDER, entries)
    halves = Counter((entry.kind, entry.half) for entry in entries)
    print("| kind | for tuning | for judging |\n|---|---|---|")
    for kind in dict.fromkeys(entry.kind for entry in entries):
        print(f"| {kind} | {halves[kind, 'tuning']} | {halves[kind, 'judging']} |")
    print(f"\n{len(entries)} pages in {FOLDER}")


if __name__ == "__main__":
    main()
