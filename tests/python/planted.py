#!/usr/bin/env python3
"""The program with planted faults: a text with one of the words below ends it, after the texts before it are sent.

PLANTED_PROGRAM is the program itself. PLANTED_LOAD plants a fault before the model is loaded. PLANTED_MODEL is the model of
the programs that start in a folder whose path ends with PLANTED_PLACE.
"""

import os
import signal
import subprocess
import sys
import time


def killed(with_signal):
    os.kill(os.getpid(), with_signal)
    time.sleep(60)


def left(code):
    sys.stdout.flush()
    os._exit(code)


FAULTS = {
    "CRASH": lambda: killed(signal.SIGABRT),
    "MEMORY": lambda: killed(signal.SIGKILL),
    "LEAVE": lambda: left(0),
    "FAIL": lambda: print("error: the engine failed", file=sys.stderr) or left(2),
    "HANG": lambda: time.sleep(3600),
    "BABBLE": lambda: print("llama_decode: failed", flush=True) or time.sleep(3600),
}


def main():
    program, arguments = os.environ["PLANTED_PROGRAM"], sys.argv[1:]
    place = os.environ.get("PLANTED_PLACE")
    if "worker" in arguments and place and os.getcwd().endswith(place):
        arguments.append("--model=" + os.environ["PLANTED_MODEL"])
    if "worker" not in arguments or "--terms" in arguments:
        os.execv(program, [program, *arguments])
    if "PLANTED_LOAD" in os.environ:
        FAULTS[os.environ["PLANTED_LOAD"]]()
    child = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE)
    for line in sys.stdin.buffer:
        for word, fault in FAULTS.items():
            if word.encode() in line:
                child.kill()
                child.wait()
                fault()
        child.stdin.write(line)
        child.stdin.flush()
    child.stdin.close()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
