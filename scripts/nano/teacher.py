"""The meaning of texts to a larger model: all-MiniLM-L6-v2's embeddings of every text that training meets, in 64 dimensions.

So small a model meets few words often enough to learn their meaning. At the end of each text it is therefore asked for the embedding that
this encoder of 22 million weights (Apache-2.0) gives it.
"""

import argparse
from pathlib import Path

import numpy as np

from texts import all_texts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--broad", type=Path, required=True)
    parser.add_argument("--encoder", required=True, help="the folder of all-MiniLM-L6-v2")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    from sentence_transformers import SentenceTransformer

    _, words = all_texts(arguments.data, arguments.broad, arguments.seed)
    encoder = SentenceTransformer(arguments.encoder)
    encoder.max_seq_length = 128
    meanings = encoder.encode(words, batch_size=256)
    # The directions in which they differ most.
    centred = meanings - meanings.mean(0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    small = centred @ axes[:, ::-1][:, :64]
    np.save(arguments.out, (small / np.linalg.norm(small, axis=1, keepdims=True)).astype(np.float16))


if __name__ == "__main__":
    main()
