"""What waits on the disk: whole or not there, taken by one process, and found again after any death."""

import multiprocessing
import os
import time
from collections.abc import Callable
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
    return Spool(tmp_path / "spool", MIB)


def entries(tmp_path: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in (tmp_path / "spool").glob("*-*"))


def taken_from(spool: Spool) -> Path:
    taken = spool.take()
    assert taken is not None
    return taken


def make_old(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_what_was_added_comes_out_as_it_was(spool: Spool) -> None:
    spool.add(bundle())
    assert spool.depth == Depth(1, 10)
    taken = taken_from(spool)
    assert spool.read(taken) == bundle()
    spool.remove(taken)
    assert spool.depth == Depth(0, 0)
    assert spool.take() is None


def test_the_longest_waiting_comes_first_and_what_is_given_back_last(spool: Spool) -> None:
    for name in ("first", "second", "third"):
        spool.add(bundle(name))
    refused = taken_from(spool)
    assert spool.read(refused).folder == "ocr/first/"
    spool.release(refused)
    order = [spool.read(taken_from(spool)).folder for _ in range(3)]
    assert order == ["ocr/second/", "ocr/third/", "ocr/first/"]


def test_another_process_sees_it_after_a_restart(spool: Spool, tmp_path: Path) -> None:
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


def test_processes_that_share_it_never_take_the_same(spool: Spool, tmp_path: Path) -> None:
    for number in range(200):
        spool.add(bundle(str(number)))
    with multiprocessing.get_context("spawn").Pool(4) as processes:
        taken = processes.map(take_all, [tmp_path / "spool"] * 4, chunksize=1)
    assert sorted(name for names in taken for name in names) == sorted(f"ocr/{n}/" for n in range(200))


def test_what_was_torn_while_it_was_written_is_never_taken_and_is_removed_in_time(
    spool: Spool, tmp_path: Path
) -> None:
    spool.add(bundle())
    [waiting] = (tmp_path / "spool").glob("waiting-*")
    torn = waiting.rename(waiting.with_name(waiting.name.replace("waiting", "writing")))
    (torn / "manifest.json").unlink()
    assert spool.take() is None
    spool.recover()
    assert entries(tmp_path) == ["writing"], "somebody may be writing it"
    make_old(torn, 3600)
    spool.recover()
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    "tear",
    [
        lambda entry: (entry / "0").write_bytes(b"x" * 9),
        lambda entry: (entry / "0").write_bytes(b"y" * 10),
        lambda entry: (entry / "1").unlink(),
        lambda entry: (entry / "manifest.json").write_text("{"),
        lambda entry: (entry / "manifest.json").unlink(),
    ],
    ids=["shorter", "other bytes", "a file lost", "half a manifest", "no manifest"],
)
def test_what_the_disk_has_not_kept_is_recognised(spool: Spool, tear: Callable[[Path], object]) -> None:
    spool.add(bundle())
    taken = taken_from(spool)
    tear(taken)
    with pytest.raises(DamagedEntry):
        spool.read(taken)


def test_what_a_dead_process_had_taken_waits_again_after_the_lease(spool: Spool) -> None:
    spool.add(bundle())
    taken = taken_from(spool)
    make_old(taken, spool.lease - 5)
    spool.recover()
    assert spool.take() is None
    make_old(taken, spool.lease + 5)
    spool.renew(taken)
    spool.recover()
    assert spool.take() is None
    make_old(taken, spool.lease + 5)
    spool.recover()
    assert spool.read(taken_from(spool)) == bundle()


def test_what_waited_for_long_is_not_taken_for_abandoned(spool: Spool, tmp_path: Path) -> None:
    spool.add(bundle())
    [waiting] = (tmp_path / "spool").glob("waiting-*")
    make_old(waiting, 3600)
    taken_from(spool)
    spool.recover()
    assert entries(tmp_path) == ["taken"]


def test_what_died_while_it_was_removed_is_not_uploaded_again(spool: Spool, tmp_path: Path) -> None:
    spool.add(bundle())
    taken = taken_from(spool)
    taken.rename(taken.with_name(taken.name.replace("taken", "done")))
    assert spool.take() is None
    spool.recover()
    assert entries(tmp_path) == []
    assert spool.depth == Depth(0, 0)


def test_limit_is_never_passed(spool: Spool, tmp_path: Path) -> None:
    spool.add(bundle(size=MIB - 20))
    spool.add(bundle(size=20))
    with pytest.raises(StorageRefusal, match="The spool is full: its limit is 1 MiB"):
        spool.add(bundle(size=1))
    assert spool.depth == Depth(2, MIB)
    assert entries(tmp_path) == ["waiting", "waiting"], "what was refused leaves nothing behind"
    spool.remove(taken_from(spool))
    spool.add(bundle(size=1))


def test_what_is_not_ours_is_left_alone(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "spool" / "waiting-for-godot").mkdir(parents=True)
    (tmp_path / "spool" / "notes.txt").touch()
    spool.recover()
    assert spool.take() is None
    assert spool.depth == Depth(0, 0)


def test_disk_that_fails_is_told_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageRefusal, match=r"^The spool volume is not a folder\.$"):
        Spool(tmp_path / "file", MIB).add(bundle())
