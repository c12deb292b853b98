#!/usr/bin/env python3
"""Writes the container image, without a daemon and without a base image: image.py TREE VERSION MACHINE DIST.

The file is an archive of two layouts at once, OCI's and that of `docker save`. `docker load`, `podman load` and skopeo
read it. Its first layer has the loader, glibc and a few settings, its second one the tree. The backends of GPUs are left
out: without a driver in the image they have no use.
"""

import datetime
import json
import os
import re
import shutil
import subprocess
import sys

from common import NAME, Tar, epoch, fail, files, is_elf, needed, packed, read, run, sha256, write

tree, version, machine, dist = sys.argv[1:]
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# The user of distroless images, too.
USER = 65532
PORT = 8787
GPU = re.compile(r"libggml-(vulkan|cuda|hip)")


def library(name):
    """Returns the path of a library of this system, as the loader's list has it."""
    for line in run("ldconfig", "-p").splitlines():
        found = re.match(rf"\s*{re.escape(name)} \(.*\) => (.*)", line)
        if found and ("x86-64" in line or "AArch64" in line):
            return found[1]
    return fail(f"{name} is not on this system")


def system_libraries():
    """Returns the libraries that the tree needs and does not hold, by name, with those that they need."""
    here = {os.path.basename(name) for name in files(os.path.join(tree, "lib"))}
    waiting = [os.path.join(tree, name) for name in files(tree) if not GPU.search(name)]
    found = {}
    while waiting:
        path = waiting.pop()
        for name in needed(path) if is_elf(path) else []:
            if name not in here and name not in found:
                found[name] = library(name)
                waiting.append(found[name])
    return found


def owners(paths):
    """Returns Debian's packages of some files: their names, and the entries for scanners."""
    if not shutil.which("dpkg-query"):
        return {}
    names = set()
    for path in paths:
        # The database may have the path without /usr, from before the two were merged.
        for one in (path, path.removeprefix("/usr")):
            try:
                names.add(run("dpkg-query", "-S", one, stderr=subprocess.DEVNULL).split(":")[0])
                break
            except subprocess.CalledProcessError:
                continue
    return {name: run("dpkg-query", "-s", name) for name in sorted(names)}


def base():
    """Returns the layer of the system: libraries, a user, and folders."""
    found = system_libraries()
    contents = {}
    loaders = [name for name in found if name.startswith("ld-linux")]
    for name, path in found.items():
        # A loader looks into the folders of its own system.
        folder = "lib" if name in loaders else os.path.dirname(path).removeprefix("/usr").strip("/")
        contents[f"usr/{folder}/{name}"] = (read(path), 0o755)
    contents["etc/passwd"] = (f"root:x:0:0:root:/:/nonexistent\n{NAME}:x:{USER}:{USER}::/home/{NAME}:/nonexistent\n", 0o644)
    contents["etc/group"] = (f"root:x:0:\n{NAME}:x:{USER}:\n", 0o644)
    contents["etc/nsswitch.conf"] = ("hosts: files dns\n", 0o644)
    if os.path.exists("/etc/os-release"):
        contents["etc/os-release"] = (read("/etc/os-release"), 0o644)
    for package, entry in owners(map(os.path.realpath, found.values())).items():
        contents[f"var/lib/dpkg/status.d/{package}"] = (entry, 0o644)
        terms = f"/usr/share/doc/{package}/copyright"
        if os.path.exists(terms):
            contents[f"usr/share/doc/{package}/copyright"] = (read(terms), 0o644)
    tar = Tar()
    folders = {"home", "tmp", "usr/lib64", "proc", "dev", "sys", "run"}
    for name in contents:
        parts = name.split("/")
        folders |= {"/".join(parts[:depth]) for depth in range(1, len(parts))}
    for folder in sorted(folders):
        tar.folder(folder, 0o1777 if folder == "tmp" else 0o755)
    # The program caches calibration and measurements of this machine here.
    for folder in (f"home/{NAME}", "cache", "models", "policies"):
        tar.folder(folder, 0o755, USER)
    for name, (content, mode) in sorted(contents.items()):
        tar.file(name, content if isinstance(content, bytes) else content.encode(), mode)
    tar.link("lib", "usr/lib")
    tar.link("lib64", "usr/lib64")
    for name in loaders:
        tar.link(f"usr/lib64/{name}", f"../lib/{name}")
    return tar.close()


def product():
    """Returns the layer of the program."""
    kept = os.path.join(os.path.dirname(tree.rstrip("/")), "image")
    shutil.rmtree(kept, ignore_errors=True)
    for name in files(tree):
        if name.startswith(("bin/", "lib/", "share/doc/")) and not GPU.search(name):
            target = os.path.join(kept, "usr", name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(os.path.join(tree, name), target)
    tar = Tar()
    tar.tree(kept, "")
    shutil.rmtree(kept)
    return tar.close()


def blob(data):
    blobs[sha256(data)] = data
    return {"digest": f"sha256:{sha256(data)}", "size": len(data)}


blobs = {}
created = datetime.datetime.fromtimestamp(epoch(), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
layers, history, digests = [], [], []
for name, layer in (("the system's libraries", base()), ("magistrate", product())):
    digests.append(f"sha256:{sha256(layer)}")
    history.append({"created": created, "created_by": f"scripts/package: {name}"})
    layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **blob(packed(layer))})
config = {
    "created": created,
    "architecture": ARCHITECTURES[machine],
    "os": "linux",
    "config": {
        "User": f"{USER}:{USER}",
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "Env": ["PATH=/usr/bin", f"HOME=/home/{NAME}", "MAGISTRATE_CACHE=/cache", "LANG=C.UTF-8"],
        "Entrypoint": [f"/usr/bin/{NAME}"],
        # An open address is served only with a key, from MAGISTRATE_API_KEY.
        "Cmd": ["serve", "--listen", f"0.0.0.0:{PORT}"],
        "WorkingDir": f"/home/{NAME}",
        "Volumes": {"/cache": {}},
        "StopSignal": "SIGTERM",
        "Healthcheck": {
            "Test": ["CMD", f"/usr/bin/{NAME}", "serve", "--health", "--listen", f"127.0.0.1:{PORT}"],
            "Interval": 30_000_000_000,
            "Timeout": 5_000_000_000,
            "StartPeriod": 60_000_000_000,
            "Retries": 3,
        },
        "Labels": {
            "org.opencontainers.image.title": NAME,
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.description": "Classifies text against a written policy",
        },
    },
    "rootfs": {"type": "layers", "diff_ids": digests},
    "history": history,
}
configuration = blob(json.dumps(config, sort_keys=True).encode())
manifest = blob(json.dumps({
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **configuration},
    "layers": layers,
}, sort_keys=True).encode())
index = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        **manifest,
        "platform": {"architecture": ARCHITECTURES[machine], "os": "linux"},
        "annotations": {
            "org.opencontainers.image.ref.name": version,
            "io.containerd.image.name": f"docker.io/library/{NAME}:{version}",
        },
    }],
}


def path(digest):
    """Returns the place of a blob in the archive."""
    return "blobs/sha256/" + digest.removeprefix("sha256:")


loaded = [{
    "Config": path(configuration["digest"]),
    "RepoTags": [f"{NAME}:{version}"],
    "Layers": [path(layer["digest"]) for layer in layers],
}]
tar = Tar()
tar.folder("blobs")
tar.folder("blobs/sha256")
for digest, data in sorted(blobs.items()):
    tar.file(f"blobs/sha256/{digest}", data)
tar.file("index.json", json.dumps(index, sort_keys=True).encode())
tar.file("manifest.json", json.dumps(loaded, sort_keys=True).encode())
tar.file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
name = f"{NAME}-{version}-image-{machine}.tar"
write(os.path.join(dist, name), tar.close())
print(name)
