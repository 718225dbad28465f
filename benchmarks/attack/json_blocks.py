"""JSON bodies of pages with as many small blocks as the service accepts."""

import json
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post, repeat

CALLERS = 6
_PAGES, _BLOCKS = 6, 9_999


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the bodies."""
    block = {"block_label": "t", "block_content": "", "block_bbox": [1, 2, 3, 4]}
    page = {"prunedResult": {"model_settings": {}, "parsing_res_list": [block] * _BLOCKS}}
    body = json.dumps({"pages": [page] * _PAGES}).encode()
    return repeat(lambda: post(address, "/restructure-pages", body, "application/json"), CALLERS, stop)
