#!/usr/bin/env python3
"""Writes the wheel: wheel.py TREE VERSION MACHINE ROOT DIST.

maturin is not used to build it. It calls cargo by itself with flags of its own, so that the program is compiled a second
time, and it moves libraries into a folder of another name. The wheel holds the tree of all packages instead, byte for byte.
pyproject.toml describes the project for both.
"""

import base64
import hashlib
import os
import sys
import time
import tomllib
import zipfile

from common import NAME, epoch, fail, files, oldest_glibc, read, unresolved

tree, version, machine, root, dist = sys.argv[1:]
project_path = os.path.join(root, "pyproject.toml")
project = tomllib.loads(read(project_path).decode())["project"] if os.path.exists(project_path) else {}
if project.get("name", NAME) != NAME or project.get("version", version) != version:
    fail(f"pyproject.toml names {project['name']} {project.get('version')}, and Cargo.toml {NAME} {version}")
lacking = unresolved(tree)
if lacking:
    fail("; ".join(lacking))

glibc = ".".join(map(str, oldest_glibc(tree)))
tag = f"py3-none-manylinux_{glibc.replace('.', '_')}_{machine}"
info = f"{NAME}-{version}.dist-info"
data = f"{NAME}-{version}.data"
members = {}


def add(name, content, mode=0o644):
    members[name] = (content if isinstance(content, bytes) else content.encode(), mode)


def metadata():
    """Returns the file METADATA, from pyproject.toml and the README."""
    lines = ["Metadata-Version: 2.4", f"Name: {NAME}", f"Version: {version}"]
    description = project.get("description") or "Classifies text against a written policy, on your own machine"
    lines.append(f"Summary: {description}")
    if project.get("keywords"):
        lines.append(f"Keywords: {','.join(project['keywords'])}")
    lines += [f"Classifier: {one}" for one in project.get("classifiers", [])]
    lines += ["License-Expression: Apache-2.0"]
    lines += [f"License-File: {name}" for name in ("LICENSE", "THIRD-PARTY-NOTICES.md", "licenses.txt")]
    lines += [f"Project-URL: {name}, {url}" for name, url in project.get("urls", {}).items()]
    lines.append(f"Requires-Python: {project.get('requires-python', '>=3.9')}")
    lines += [f"Requires-Dist: {one}" for one in project.get("dependencies", [])]
    for extra, needs in project.get("optional-dependencies", {}).items():
        lines.append(f"Provides-Extra: {extra}")
        for need in needs:
            name, _, marker = need.partition(";")
            joined = f"({marker.strip()}) and " if marker else ""
            lines.append(f"Requires-Dist: {name.strip()} ; {joined}extra == '{extra}'")
    lines.append("Description-Content-Type: text/markdown")
    return "\n".join(lines) + "\n\n" + read(os.path.join(root, "README.md")).decode()


package = os.path.join(root, "python", NAME)
if os.path.isdir(package):
    for name in files(package):
        if "__pycache__" not in name:
            add(f"{NAME}/{name}", read(os.path.join(package, name)))
else:
    print("magistrate: the wheel has no Python module: there is no folder python/magistrate", file=sys.stderr)
for name in files(tree):
    content = read(os.path.join(tree, name))
    if name == f"bin/{NAME}":
        add(f"{data}/scripts/{NAME}", content, 0o755)
    elif name.startswith(("lib/", "share/man/", "share/bash-completion/", "share/zsh/", "share/fish/")):
        add(f"{data}/data/{name}", content, 0o755 if name.startswith("lib/") else 0o644)
documents = os.path.join(tree, "share/doc", NAME)
for name in ("LICENSE", "THIRD-PARTY-NOTICES.md", "licenses.txt"):
    add(f"{info}/licenses/{name}", read(os.path.join(documents, name)))
add(f"{info}/sboms/{NAME}.cdx.json", read(os.path.join(documents, f"{NAME}.cdx.json")))
add(f"{info}/METADATA", metadata())
add(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: {NAME}-package ({version})\nRoot-Is-Purelib: false\nTag: {tag}\n")


def digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


record = [f"{name},sha256={digest(content)},{len(content)}" for name, (content, _) in sorted(members.items())]
add(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")

# Installers read the folder dist-info last.
order = sorted(members, key=lambda name: (name.startswith(info), name == f"{info}/RECORD", name))
filename = f"{NAME}-{version}-{tag}.whl"
os.makedirs(dist, exist_ok=True)
with zipfile.ZipFile(os.path.join(dist, filename), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
    for name in order:
        content, mode = members[name]
        entry = zipfile.ZipInfo(name, time.gmtime(epoch())[:6])
        entry.external_attr = (0o100000 | mode) << 16
        entry.create_system = 3
        entry.compress_type = zipfile.ZIP_DEFLATED
        wheel.writestr(entry, content, compresslevel=9)
print(filename)
