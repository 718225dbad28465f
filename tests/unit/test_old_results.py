"""Old results are deleted from the output folder, and nothing else."""

import os
import time
from pathlib import Path

from ocr_service.storage.old_results import delete_older

OLD, NEW = time.time() - 1000, time.time()


def write(path: Path, changed: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a")
    for each in (path, path.parent):
        os.utime(each, (changed, changed))


def test_results_are_deleted_by_age(tmp_path: Path) -> None:
    write(tmp_path / "2026/01/02/old/result.json", OLD)
    write(tmp_path / "2026/01/02/old/imgs/a.jpg", OLD)
    os.utime(tmp_path / "2026/01/02/old", (OLD, OLD))
    write(tmp_path / "2026/01/03/new/result.json", NEW)
    write(tmp_path / "2026/01/03/mixed/result.json", OLD)
    write(tmp_path / "2026/01/03/mixed/imgs/a.jpg", NEW)
    for other in ("cache/ab/abc", "spool/waiting-1/0", "jobs/1/page", "2026/notes.txt", "my/01/02/a/b"):
        write(tmp_path / other, OLD)
    assert delete_older(tmp_path, NEW - 500) == 1
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        "2026/01/03/new/result.json",
        "2026/01/03/mixed/result.json",
        "2026/01/03/mixed/imgs/a.jpg",
        "cache/ab/abc",
        "spool/waiting-1/0",
        "jobs/1/page",
        "2026/notes.txt",
        "my/01/02/a/b",
    }
    assert not (tmp_path / "2026/01/02").exists()
