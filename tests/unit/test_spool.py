"""The spool: entries are complete, taken by one process, and recovered after a crash."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ocr_service.core.errors import StorageRefusal
from ocr_service.storage.bundles import Bundle, FileToStore
from ocr_service.storage.spool import DamagedEntry, Depth, Spool

MIB = 2**20


def bundle(name: str = "a", size: int = 10) -> Bundle:
    files = (
        FileToStore("result.json", b"x" * size, "application/json"),
        FileToStore("source/Договор/../№ 17.pdf", b"", "application/pdf"),
    )
    return Bundle(f"ocr/{name}/", files, {"engine": "tesseract"})


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool whose lease is far longer than a test, even if the machine stops it for a while."""
    return Spool(tmp_path / "spool", MIB, lease=1000)


def entries(tmp_path: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in (tmp_path / "spool").glob("*-*"))


def taken_from(spool: Spool) -> Path:
    taken = spool.take()
    assert taken is not None
    return taken


def make_old(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_entry_round_trip(spool: Spool) -> None:
    spool.add(bundle())
    assert spool.depth == Depth(1, 10)
    taken = taken_from(spool)
    assert spool.read(taken) == bundle()
    spool.remove(taken)
    assert spool.depth == Depth(0, 0)
    assert spool.take() is None


def test_oldest_entry_comes_first_and_released_entry_last(spool: Spool) -> None:
    for name in ("first", "second", "third"):
        spool.add(bundle(name))
    refused = taken_from(spool)
    assert spool.read(refused).folder == "ocr/first/"
    spool.release(refused)
    order = [spool.read(taken_from(spool)).folder for _ in range(3)]
    assert order == ["ocr/second/", "ocr/third/", "ocr/first/"]


def test_entry_is_found_after_a_restart(spool: Spool, tmp_path: Path) -> None:
    spool.add(bundle())
    again = Spool(tmp_path / "spool", MIB)
    again.recover()
    assert again.depth == Depth(1, 10)
    assert again.read(taken_from(again)) == bundle()


def take_all(folder: Path) -> list[str]:
    spool = Spool(folder, MIB)
    names = []
    while taken := spool.take():
        names.append(spool.read(taken).folder)
        spool.remove(taken)
    return names


def test_concurrent_processes_never_take_the_same_entry(spool: Spool, tmp_path: Path) -> None:
    for number in range(200):
        spool.add(bundle(str(number)))
    with multiprocessing.get_context("spawn").Pool(4) as processes:
        taken = processes.map(take_all, [tmp_path / "spool"] * 4, chunksize=1)
    assert sorted(name for names in taken for name in names) == sorted(f"ocr/{n}/" for n in range(200))


def test_entry_that_changes_its_state_is_counted_once(spool: Spool, tmp_path: Path) -> None:
    spool.add(bundle())
    other, ended = Spool(tmp_path / "spool", MIB), threading.Event()

    def take_and_release() -> None:
        while not ended.is_set():
            other.release(taken_from(other))

    with ThreadPoolExecutor() as pool:
        busy = pool.submit(take_and_release)
        counted = set()
        for _ in range(500):
            spool.recover()
            counted.add(spool.depth)
        ended.set()
    busy.result()
    assert counted == {Depth(1, 10)}


def test_partial_entry_is_never_taken_and_later_removed(spool: Spool, tmp_path: Path) -> None:
    spool.add(bundle())
    [waiting] = (tmp_path / "spool").glob("waiting-*")
    partial = waiting.rename(waiting.with_name(waiting.name.replace("waiting", "writing")))
    (partial / "manifest.json").unlink()
    assert spool.take() is None
    spool.recover()
    assert entries(tmp_path) == ["writing"], "another process may still write the entry"
    make_old(partial, 3600)
    spool.recover()
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "0").write_bytes(b"x" * 9),
        lambda entry: (entry / "0").write_bytes(b"y" * 10),
        lambda entry: (entry / "1").unlink(),
        lambda entry: (entry / "manifest.json").write_text("{"),
        lambda entry: (entry / "manifest.json").unlink(),
    ],
    ids=["shorter", "other bytes", "missing file", "truncated manifest", "no manifest"],
)
def test_damaged_entry_is_detected(spool: Spool, damage: Callable[[Path], object]) -> None:
    spool.add(bundle())
    taken = taken_from(spool)
    damage(taken)
    with pytest.raises(DamagedEntry):
        spool.read(taken)


def test_entry_of_a_dead_process_is_recovered_after_the_lease(spool: Spool) -> None:
    spool.add(bundle())
    taken = taken_from(spool)
    make_old(taken, spool.lease / 2)
    spool.recover()
    assert spool.take() is None
    make_old(taken, spool.lease + 5)
    spool.renew(taken)
    spool.recover()
    assert spool.take() is None
    make_old(taken, spool.lease + 5)
    spool.recover()
    assert spool.read(taken_from(spool)) == bundle()


def test_lease_of_an_old_entry_starts_when_it_is_taken(spool: Spool, tmp_path: Path) -> None:
    spool.add(bundle())
    [waiting] = (tmp_path / "spool").glob("waiting-*")
    make_old(waiting, 3600)
    taken_from(spool)
    spool.recover()
    assert entries(tmp_path) == ["taken"]


def test_entry_with_an_interrupted_removal_is_not_uploaded_again(spool: Spool, tmp_path: Path) -> None:
    spool.add(bundle())
    taken = taken_from(spool)
    taken.rename(taken.with_name(taken.name.replace("taken", "done")))
    assert spool.take() is None
    spool.recover()
    assert entries(tmp_path) == []
    assert spool.depth == Depth(0, 0)


def test_size_limit_is_never_exceeded(spool: Spool, tmp_path: Path) -> None:
    spool.add(bundle(size=MIB - 20))
    spool.add(bundle(size=20))
    with pytest.raises(StorageRefusal, match="The spool is full: its limit is 1 MiB"):
        spool.add(bundle(size=1))
    assert spool.depth == Depth(2, MIB)
    assert entries(tmp_path) == ["waiting", "waiting"], "a refused entry must leave no files"
    spool.remove(taken_from(spool))
    spool.add(bundle(size=1))


def test_foreign_files_are_ignored(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "spool" / "waiting-for-godot").mkdir(parents=True)
    (tmp_path / "spool" / "notes.txt").touch()
    spool.recover()
    assert spool.take() is None
    assert spool.depth == Depth(0, 0)


def test_disk_failure_is_reported_without_the_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageRefusal, match=r"^The spool volume is not a folder\.$"):
        Spool(tmp_path / "file", MIB).add(bundle())


def test_half_written_entry_of_a_killed_process_does_not_count(tmp_path: Path, spool: Spool) -> None:
    half = tmp_path / "spool" / f"writing-{time.time_ns():020d}-0123456789ab-{MIB}"
    half.mkdir(parents=True)
    (half / "0").write_bytes(b"half")
    with pytest.raises(StorageRefusal):
        spool.add(bundle())
    make_old(half, spool.lease + 1)
    spool.add(bundle())
    assert spool.depth == Depth(1, 10)
