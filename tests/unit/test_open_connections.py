"""The slowest client is disconnected when a bound is exceeded."""

import resource
import subprocess
import sys

from ocr_service.runtime.open_connections import OpenConnections


class Peer:
    """A connection. unread: bytes of its answer."""

    def __init__(self, unread: int = 0) -> None:
        self.unread = unread
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_longest_wait_for_a_client_ends_first() -> None:
    connections = OpenConnections(3, 1000)
    idle, working, sending = Peer(), Peer(), Peer()
    for peer in (working, idle, sending):
        connections.add(peer)
    connections.work(working)
    connections.wait(sending)
    connections.add(Peer())
    assert [peer.aborted for peer in (idle, working, sending)] == [True, False, False]
    connections.add(Peer())
    assert (sending.aborted, working.aborted) == (True, False)
    assert connections.count == 3


def test_new_connection_is_refused_if_all_others_work() -> None:
    connections = OpenConnections(1, 1000)
    working, new = Peer(), Peer()
    connections.add(working)
    connections.work(working)
    connections.add(new)
    assert new.aborted and not working.aborted


def test_slowest_reader_is_disconnected() -> None:
    clock = Clock()
    connections = OpenConnections(9, 1000, clock)
    stalled, reading, new = Peer(400), Peer(500), Peer(900)
    for peer in (reading, stalled):
        connections.add(peer)
        connections.stall(peer)
    clock.now += 10
    reading.unread = 200
    assert connections.unread == 600
    connections.add(new)
    connections.stall(new)
    # Without the stalled reader there is still too much, and the new one has had no time yet.
    assert (stalled.aborted, reading.aborted, new.aborted) == (True, False, True)
    assert connections.unread == 200
    connections.read(reading)
    assert connections.unread == 0


def test_closed_connection_counts_no_more() -> None:
    connections = OpenConnections(9, 1000)
    peer = Peer(10)
    connections.add(peer)
    connections.stall(peer)
    connections.remove(peer)
    assert (connections.count, connections.unread) == (0, 0)


def limits_after_start(soft: int, hard: int) -> list[int]:
    """Return the limit of open files that a new process sets, and the connections that it allows."""
    program = (
        "import resource; from ocr_service.runtime.open_files import *; raise_open_files();"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], connections_within_open_files(4096))"
    )
    limits = (soft, hard)
    ended = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
    )
    return [int(word) for word in ended.stdout.split()]


def test_limit_of_open_files_is_raised_and_bounds_the_connections() -> None:
    assert limits_after_start(1024, 10_000) == [10_000, 4096]
    assert limits_after_start(1024, 1024) == [1024, 768]
    assert limits_after_start(100, 100) == [100, 50]
