"""Forms of many escapes, in a field or in the name of a file, some of them just within the limits."""

from itertools import cycle
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post, repeat

CALLERS = 8
_PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n1\r\n--b--\r\n'
_FORMS = (
    ("application/x-www-form-urlencoded", b"a=" + b"%41" * 333_000),
    ("application/x-www-form-urlencoded", b"a=" + b"%41" * 21_000),
    ("multipart/form-data; boundary=b", _PART % (b"\\\\" * 23_000)),
    ("multipart/form-data; boundary=b", _PART % (b"\\\\" * 1_950)),
    ("multipart/form-data; boundary=b" + "; a=b" * 11_000, _PART % b"a"),
)


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the forms in turn."""
    forms = cycle(_FORMS)

    def send_one() -> str:
        media_type, body = next(forms)
        return post(address, "/ocr", body, media_type)

    return repeat(send_one, CALLERS, stop)
