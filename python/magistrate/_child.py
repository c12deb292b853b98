"""Runs a program until it ends, or until stdin is closed or has a byte.

The package starts this file as a script. Stdin is a pipe from the interpreter, which closes it in each kind of death.
So no program outlives its interpreter, on any system.
"""

import os
import signal
import subprocess
import sys
import threading

PATIENCE = 40
"""Seconds in which a program ends after a signal. A server needs 30 for its last requests."""


def stop_with_stdin(process: "subprocess.Popen[bytes]") -> None:
    """Waits for the end of stdin, and stops the program in order."""
    os.read(0, 1)
    if os.name == "posix":
        process.send_signal(signal.SIGINT)
    else:
        process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def main() -> int:
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    threading.Thread(target=stop_with_stdin, args=(process,), daemon=True).start()
    code = process.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    # No thread is waited for: one of them reads stdin.
    os._exit(main())
