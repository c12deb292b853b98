"""Functions that the programs of scripts/package share. Python's standard library is enough."""

import gzip
import hashlib
import io
import os
import re
import stat
import subprocess
import sys
import tarfile

NAME = "magistrate"

# The newest symbols of GCC's C++ library that systems with a glibc have, from the policies of manylinux.
CXX = [((3, 4, 22), (2, 24)), ((3, 4, 24), (2, 28)), ((3, 4, 28), (2, 31)), ((3, 4, 29), (2, 34)), ((3, 4, 30), (2, 36))]

# Libraries that every Linux with a glibc has. The C++ library is needed where the compiler had no libstdc++.a.
SYSTEM = {
    "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6",
    "libpthread.so.0", "librt.so.1", "libstdc++.so.6",
}

# Libraries that come with the driver of a GPU. Without them, the backend that needs them is not loaded.
DRIVERS = {
    "ggml-vulkan": {"libvulkan.so.1"},
    "ggml-cuda": {"libcuda.so.1", "libcudart.so.13", "libcublas.so.13", "libcudart.so.12", "libcublas.so.12"},
    "ggml-hip": {"libamdhip64.so.6", "libhipblas.so.2", "librocblas.so.4"},
}


def epoch():
    """Returns the time that all files get: that of the commit."""
    return int(os.environ["SOURCE_DATE_EPOCH"])


def fail(message):
    """Ends the program with an error."""
    sys.exit(f"error: {message}")


def run(*command, **options):
    """Returns the output of a command."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data, mode=0o644):
    """Writes a file, and the folders above it."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    os.chmod(path, mode)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def files(folder):
    """Returns the paths of all files in a folder, relative to it and sorted."""
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        found += [os.path.relpath(os.path.join(place, name), folder) for name in names]
    return sorted(found)


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def needed(path):
    """Returns the names of the libraries that an ELF file needs."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-dW", path))


def run_paths(path):
    """Returns the folders in which an ELF file looks for libraries."""
    return re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", run("readelf", "-dW", path))


def versions(path):
    """Returns the newest symbol version of each system library that an ELF file needs, as tuples."""
    newest = {}
    for library, version in re.findall(r"Name: (GLIBC|GLIBCXX)_([\d.]+)", run("readelf", "-VW", path)):
        version = tuple(map(int, version.split(".")))
        newest[library] = max(newest.get(library, (0,)), version)
    return newest


def oldest_glibc(tree):
    """Returns the oldest glibc that has all symbols that a tree needs, as a tuple."""
    oldest = (2, 17)
    for name in files(tree):
        path = os.path.join(tree, name)
        if not is_elf(path):
            continue
        found = versions(path)
        oldest = max(oldest, found.get("GLIBC", oldest))
        if "GLIBCXX" in found:
            fitting = [glibc for cxx, glibc in CXX if cxx >= found["GLIBCXX"]]
            oldest = max(oldest, fitting[0] if fitting else (2, 38))
    return oldest


def beside(path, library):
    """Returns the place of a library in the folders in which an ELF file looks, or nothing."""
    for folder in ":".join(run_paths(path)).split(":"):
        place = os.path.normpath(os.path.join(folder.replace("$ORIGIN", os.path.dirname(path)), library))
        if folder and os.path.exists(place):
            return place
    return None


def loaded(tree):
    """Returns the names of the libraries of a tree that are loaded when the program starts."""
    names, waiting = set(), [os.path.join(tree, "bin", NAME)]
    while waiting:
        path = waiting.pop()
        for library in needed(path):
            place = beside(path, library)
            if place and library not in names:
                names.add(library)
                waiting.append(place)
    return names


def unresolved(tree):
    """Returns the files of a tree that need a library which the loader does not find.

    It finds those of every system, and those in a file's own folders. A backend can also use those of the program.
    """
    started = loaded(tree)
    lacking = []
    for name in files(tree):
        path = os.path.join(tree, name)
        if not is_elf(path):
            continue
        drivers = next((names for part, names in DRIVERS.items() if part in name), set())
        for library in needed(path):
            is_started = "/backends/" in name and library in started
            if library not in SYSTEM | drivers and not is_started and not beside(path, library):
                lacking.append(f"{name} needs {library}")
    return lacking


class Tar:
    """A tar archive whose bytes depend on its contents alone."""

    def __init__(self):
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w", format=tarfile.GNU_FORMAT)

    def _entry(self, name, mode, owner):
        entry = tarfile.TarInfo(name)
        entry.mode, entry.mtime = mode, epoch()
        entry.uid = entry.gid = owner
        return entry

    def folder(self, name, mode=0o755, owner=0):
        entry = self._entry(name, mode, owner)
        entry.type = tarfile.DIRTYPE
        self.tar.addfile(entry)

    def file(self, name, data, mode=0o644, owner=0):
        entry = self._entry(name, mode, owner)
        entry.size = len(data)
        self.tar.addfile(entry, io.BytesIO(data))

    def link(self, name, target):
        entry = self._entry(name, 0o777, 0)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self.tar.addfile(entry)

    def tree(self, tree, prefix):
        """Adds all files of a folder and the folders above them, under a prefix."""
        known = set()
        for name in files(tree):
            path = os.path.join(tree, name)
            parts = name.split("/")
            for depth in range(1, len(parts)):
                folder = "/".join(parts[:depth])
                if folder not in known:
                    known.add(folder)
                    self.folder(prefix + folder)
            executable = os.stat(path).st_mode & stat.S_IXUSR
            self.file(prefix + name, read(path), 0o755 if executable else 0o644)

    def close(self):
        self.tar.close()
        return self.bytes.getvalue()


def packed(data):
    """Returns data in gzip's form, without a name and a time."""
    return gzip.compress(data, compresslevel=9, mtime=0)
