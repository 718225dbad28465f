"""The documentation builds as a site, its links are valid, and it loads no external resource."""

import subprocess
from pathlib import Path

from tests.docs.pages import ENGLISH, RUSSIAN
from tests.running import ROOT


def test_site_is_built(tmp_path: Path) -> None:
    done = subprocess.run(
        ["scripts/docs.sh", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for page in [*ENGLISH[1:], *RUSSIAN]:
        assert (tmp_path / page.name).with_suffix(".html").stat().st_size > 10_000
    assert (tmp_path / "index.html").exists()
