"""The bad inputs of the tests, all of them; none may be answered with 500."""

from collections import Counter
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post
from tests.http.bad_inputs import bad_requests


def attack(address: Address, stop: Event) -> Outcomes:
    """Send each input once."""
    return Counter(post(address, path, body, media_type) for path, body, media_type in bad_requests())
