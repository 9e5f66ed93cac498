"""Starts a program so that it cannot outlive the process that asked for it.

Runs as a script of its own between fork and exec, so it may import nothing of ours.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tethered(argv: Sequence[str]) -> list[str]:
    """`argv` wrapped so that the kernel kills it when the calling *thread* is gone.

    Linux only; elsewhere the program runs untethered. Start it from a thread that lives
    as long as the process: Linux counts the death of the thread, not of the process.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def _main() -> None:
    parent, *argv = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(1)  # the parent died before the tether was tied
    os.execvp(argv[0], argv)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    _main()
