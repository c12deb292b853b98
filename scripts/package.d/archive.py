#!/usr/bin/env python3
"""Writes the archive: archive.py TREE VERSION TARGET DIST."""

import os
import sys

from common import NAME, Tar, packed, sha256, write

tree, version, target, dist = sys.argv[1:]
folder = f"{NAME}-{version}-{target}"
tar = Tar()
tar.folder(folder)
tar.tree(tree, folder + "/")
data = packed(tar.close())
name = f"{folder}.tar.gz"
write(os.path.join(dist, name), data)
write(os.path.join(dist, f"{name}.sha256"), f"{sha256(data)}  {name}\n")
print(name)
