"""The evaluation set: pages with their truth, the same for the same seed. `make corpus` builds it."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".cache/corpus"
SEED = 16
LANGUAGES = ("en", "ru")
