"""Prepares a child process and then becomes the database program.

`process.py` runs it as a script, by path and isolated from the environment; it imports nothing of
the project. This work must happen between fork and exec, where a process with threads must not run
Python.

Usage: launch.py PARENT_PID DEATH_SIGNAL UID GID BYPASS PROGRAM [ARGUMENT ...]
UID and GID are -1 to keep the user. BYPASS is 1 to keep the right to enter directories of other
users.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522

FIXED_ARGUMENTS = 6


def main() -> None:
    parent, death_signal, uid, gid, bypass = map(int, sys.argv[1:FIXED_ARGUMENTS])
    program = sys.argv[FIXED_ARGUMENTS:]
    restore_signals()
    os.umask(0o077)
    if uid >= 0:
        become(uid, gid, bypass=bool(bypass))
    # Last, because changing the user clears it.
    die_with(parent, death_signal)
    os.execv(program[0], program)


def restore_signals() -> None:
    """Undoes changes of signals by Python, or by a shell that runs this in the background."""
    for changed in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(changed, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def become(uid: int, gid: int, *, bypass: bool) -> None:
    """Drops root permanently; with `bypass`, keeps only the right to enter others' directories."""
    if bypass:
        # Keeps capabilities when the user changes, and makes access() take them into account:
        # PostgreSQL uses it to check that it may run its own programs.
        prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if bypass:
        keep_capability(CAP_DAC_OVERRIDE)


def keep_capability(number: int) -> None:
    """Makes one capability survive the coming exec, and no other."""
    bit = 1 << number
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, for capabilities 0 to 31 and then 32 to 63.
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    check(libc().capset(header, sets))
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)


def die_with(parent: int, death_signal: int) -> None:
    """Makes the kernel send `death_signal` to this process when its parent ends."""
    if sys.platform != "linux":
        return
    prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("the parent ended before this process was ready")


def prctl(*arguments: int) -> None:
    check(libc().prctl(*[ctypes.c_ulong(argument) for argument in arguments]))


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
