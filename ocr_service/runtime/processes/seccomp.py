"""A filter of system calls: no network, no other programs or processes, and no file is opened for writing.

The calls that are not named stay allowed, so that no library fails on a call that it needs in rare cases.
"""

import ctypes
import errno
import os
import platform
import struct

# Numbers of prctl.h, seccomp.h and audit.h.
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Instructions of classic BPF: load a word of the call; jump if equal, at least, or a bit is set; return.
_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Places in the description of the call.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
# Calls of another calling convention of x86_64.
_X32 = 0x40000000

_CLONE_THREAD = 0x10000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# Number of each call on x86_64 and on aarch64.
_FORBIDDEN = {
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept4": (288, 242),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kill": (62, 129),
    "tkill": (200, 130),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "truncate": (76, 45),
    "unlinkat": (263, 35),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdirat": (258, 34),
    "mknodat": (259, 33),
    "linkat": (265, 37),
    "symlinkat": (266, 36),
    "fchmodat": (268, 53),
    "fchownat": (260, 54),
}
# fork, vfork, and older forms of the calls above: rename, mkdir, rmdir, creat, link, unlink, symlink, chmod,
# chown, lchown and mknod.
_FORBIDDEN_ON_X86 = (57, 58, 82, 83, 84, 85, 86, 87, 88, 90, 92, 94, 133)
# glibc uses the older call if there is no such call; that one has its flags where the filter sees them.
_MISSING = {"clone3": (435, 435), "openat2": (437, 437)}
# Allowed for threads only, and for reading only.
_CLONE = (56, 220)
_OPENAT = (257, 56)
_OPEN_ON_X86 = 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict() -> None:
    """Install the filter for good; nothing happens on a machine of another kind, or without such filters."""
    machine = platform.machine()
    if machine in _ARCHITECTURES:
        code = b"".join(_program(machine))
        program = _Program(len(code) // 8, code)
        ctypes.CDLL(None).prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0)


def _program(machine: str) -> list[bytes]:
    is_x86 = machine == "x86_64"
    column = 0 if is_x86 else 1
    denied, missing = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS
    numbers = [call[column] for call in _FORBIDDEN.values()]
    code = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, _ARCHITECTURES[machine], over_if_true=1),
        _instruction(_RETURN, denied),
        _instruction(_LOAD, _NUMBER),
    ]
    if is_x86:
        numbers += _FORBIDDEN_ON_X86
        code += [_instruction(_AT_LEAST, _X32, over_if_false=1), _instruction(_RETURN, denied)]
    for number in numbers:
        code += _answer(number, denied)
    for call in _MISSING.values():
        code += _answer(call[column], missing)
    code += _unless_flags(_CLONE[column], 0, _CLONE_THREAD)
    code += _if_flags(_OPENAT[column], 2, _WRITING)
    if is_x86:
        code += _if_flags(_OPEN_ON_X86, 1, _WRITING)
    return [*code, _instruction(_RETURN, _ALLOW)]


def _answer(number: int, action: int) -> list[bytes]:
    return [_instruction(_EQUAL, number, over_if_false=1), _instruction(_RETURN, action)]


def _if_flags(number: int, argument: int, flags: int) -> list[bytes]:
    """Deny the call if one of the flags is set."""
    return [
        _instruction(_EQUAL, number, over_if_false=4),
        _instruction(_LOAD, _ARGUMENTS + 8 * argument),
        _instruction(_BITS, flags, over_if_false=1),
        _instruction(_RETURN, _ERROR | errno.EPERM),
        _instruction(_RETURN, _ALLOW),
    ]


def _unless_flags(number: int, argument: int, flags: int) -> list[bytes]:
    """Deny the call if none of the flags is set."""
    return [
        _instruction(_EQUAL, number, over_if_false=4),
        _instruction(_LOAD, _ARGUMENTS + 8 * argument),
        _instruction(_BITS, flags, over_if_true=1),
        _instruction(_RETURN, _ERROR | errno.EPERM),
        _instruction(_RETURN, _ALLOW),
    ]


def _instruction(code: int, value: int, over_if_true: int = 0, over_if_false: int = 0) -> bytes:
    """Return an instruction. The last two: how many instructions a jump goes over."""
    return struct.pack("HBBI", code, over_if_true, over_if_false, value)
