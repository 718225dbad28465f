"""Hooks that teach schemathesis about documents, URLs of documents, and streams."""

import atexit
import json
import os
from base64 import b64encode
from collections import Counter
from itertools import cycle
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import Phase, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from ocr_service.api.answers.stream_events import StreamEvent
from tests.fuzz.corpus import corpus

SCAN_URL = os.environ["SCAN_URL"]

# Without the search for requests that are accepted: random requests take the place of its attempts.
settings.register_profile("without search", phases=(Phase.explicit, Phase.generate, Phase.shrink))
settings.load_profile("without search")

_WHOLE = [file for files in corpus().values() for file in files]
_CUT_OFF = [file[: len(file) // 2] for file in _WHOLE[::4]]
_NDJSON = "application/x-ndjson"

schemathesis.openapi.format("binary", st.sampled_from([*_WHOLE, *_CUT_OFF, b"", b"text"]))
# The service in the test can fetch from no other URL.
schemathesis.openapi.format("uri", st.sampled_from([SCAN_URL] * 5 + ["http://10.0.0.1/", "s3://bucket/key"]))
# Most values are URLs of the scan: a base64 document often does not match a random fileType.
_ENCODED = [b64encode(file).decode() for file in [*_WHOLE, b"", b"text"]]
_ADDRESSES = [SCAN_URL] * 5 * len(_ENCODED) + ["http://10.0.0.1/", "?"]
schemathesis.openapi.format("base64-or-uri", st.sampled_from(_ADDRESSES + _ENCODED))

schemathesis.openapi.format("json-text", st.sampled_from(['{"visualize": false}', '{"topP": 1}', "[]"]))

_accepted = cycle((_NDJSON, "*/*", "text/markdown", "*/*", "text/plain", "application/json"))
_answers: Counter[str] = Counter()


@atexit.register
def _write_tally() -> None:
    Path(os.environ["TALLY"]).write_text(json.dumps(_answers))


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Skip forms with a fault that the encoding loses.

    A form encodes an empty list as no field. The service ignores empty fields, as browsers send every field.
    """
    fields = (
        case.body.values() if isinstance(case.body, dict) and case.media_type != "application/json" else ()
    )
    return not any(value in ("", [], {}) for value in fields)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Set the Accept header to each media type in turn; the generator itself accepts anything."""
    case.headers = {**(case.headers or {}), "Accept": next(_accepted)}


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count the responses, so that the test can check the coverage."""
    media_type = response.headers.get("content-type", ["none"])[0].partition(";")[0]
    _answers[f"{case.method} {case.operation.path} {response.status_code} {media_type}"] += 1


@schemathesis.deserializer(_NDJSON)
def last_event(context: Any, response: Any) -> Any:
    """Validate every line, and return the last one for the schema, which describes a single event."""
    lines = response.content.splitlines()
    for line in lines:
        TypeAdapter(StreamEvent).validate_json(line)
    return json.loads(lines[-1])
