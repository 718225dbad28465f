"""Landlock: the process can read libraries and fonts, and no other file."""

import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_OF_A_FOLDER = 1
# Rights of landlock.h, those of its first version: execute, write, read a file, read a folder, remove, make.
_ALL_RIGHTS = (1 << 13) - 1
_READ = 1 << 0 | 1 << 2 | 1 << 3

_ROOT = Path(__file__).parents[3]
_READABLE = (
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/urandom",
    sys.prefix,
    sys.base_prefix,
)


def restrict(more: Sequence[Path]) -> None:
    """Restrict this process for good; nothing happens if the kernel has no Landlock.

    more: folders that it may read, too.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    handled = struct.pack("Q", _ALL_RIGHTS)
    rules = libc.syscall(_CREATE_RULESET, handled, len(handled), 0)
    if rules < 0:
        return
    for path in (path for path in (*map(Path, _READABLE), _ROOT, *more) if path.exists()):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        # A file has no rights of a folder.
        rights = _READ if path.is_dir() else 1 << 2
        libc.syscall(_ADD_RULE, rules, _RULE_OF_A_FOLDER, struct.pack("=Qi", rights, place), 0)
        os.close(place)
    libc.syscall(_RESTRICT_SELF, rules, 0)
    os.close(rules)
