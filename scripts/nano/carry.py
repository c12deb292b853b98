"""Takes a checkpoint's weights apart into files of at most 15 MiB, in F16, and puts them together again.

For machines from which only small files come back. F16 rounds less than Q8_0 and MXFP4 do.

    carry.py apart final.pickle FOLDER         writes FOLDER/weights-0, FOLDER/weights-1, ...
    carry.py together FOLDER final.pickle
"""

from pathlib import Path
import pickle
import sys

import jax
import numpy as np

MOST = 15 * 2**20


def apart(checkpoint, folder):
    with open(checkpoint, "rb") as file:
        number, params, *_ = pickle.load(file)
    kept = pickle.dumps((number, jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), params)))
    folder.mkdir(parents=True, exist_ok=True)
    for place, start in enumerate(range(0, len(kept), MOST)):
        (folder / f"weights-{place}").write_bytes(kept[start : start + MOST])


def together(folder, checkpoint):
    parts = sorted(folder.glob("weights-*"), key=lambda path: int(path.name.split("-")[1]))
    number, params = pickle.loads(b"".join(part.read_bytes() for part in parts))
    checkpoint.write_bytes(pickle.dumps((number, jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), params))))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("apart", "together"):
        sys.exit(__doc__)
    {"apart": apart, "together": together}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
