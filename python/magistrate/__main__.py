"""Runs the program: `python -m magistrate check -p spam -f post.txt`."""

import os
import subprocess
import sys

from ._errors import ProgramNotFound
from ._program import find


def main() -> int:
    try:
        command = [find(), *sys.argv[1:]]
    except ProgramNotFound as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if os.name == "posix":
        os.execv(command[0], command)
    return subprocess.call(command)


if __name__ == "__main__":
    sys.exit(main())
