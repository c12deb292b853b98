#!/usr/bin/env python3
"""Writes the package for Debian and Ubuntu: deb.py TREE VERSION ROOT DIST.

packaging/debian has the files that only this package has. dpkg-deb makes the package, of a folder.
"""

import gzip
import os
import shutil
import subprocess
import sys
import textwrap
import time

from common import NAME, epoch, fail, files, is_elf, needed, oldest_glibc, read, run, unresolved, versions, write

tree, version, root, dist = sys.argv[1:]
REVISION = 1
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
architecture = ARCHITECTURES[os.uname().machine]
maintainer = os.environ.get("MAGISTRATE_MAINTAINER", "The magistrate developers <magistrate@example.org>")
own = os.path.join(root, "packaging/debian")
stage = os.path.join(os.path.dirname(tree.rstrip("/")), "deb")
full = f"{version}-{REVISION}"


def place(path, content, mode=0o644):
    write(os.path.join(stage, path), content, mode)


def packed(content):
    return gzip.compress(content if isinstance(content, bytes) else content.encode(), 9, mtime=0)


def depends():
    """Returns the packages of the libraries that the tree needs, and the oldest versions that have their symbols."""
    lacking = unresolved(tree)
    if lacking:
        fail("; ".join(lacking))
    found = {"libc6 (>= " + ".".join(map(str, oldest_glibc(tree))) + ")"}
    here = {os.path.basename(name) for name in files(os.path.join(tree, "lib"))}
    for name in files(tree):
        path = os.path.join(tree, name)
        if not is_elf(path):
            continue
        for library in set(needed(path)) - here:
            if library == "libgcc_s.so.1":
                found.add("libgcc-s1 (>= 4.2)")
            if library == "libstdc++.so.6":
                # A release of GCC adds a version: 5 ended with 3.4.21, 12 with 3.4.30.
                newest = versions(path).get("GLIBCXX", (3, 4, 21))
                found.add(f"libstdc++6 (>= {max(5, newest[-1] - 18)})")
    return ", ".join(sorted(found))


shutil.rmtree(stage, ignore_errors=True)
for name in files(tree):
    content = read(os.path.join(tree, name))
    if name.startswith("share/man/"):
        place(f"usr/{name}.gz", packed(content))
    elif name.startswith("share/zsh/site-functions/"):
        place(f"usr/share/zsh/vendor-completions/{os.path.basename(name)}", content)
    elif name == f"share/doc/{NAME}/licenses.txt":
        place(f"usr/{name}.gz", packed(content))
    elif name != f"share/doc/{NAME}/LICENSE":
        place(f"usr/{name}", content, 0o755 if name.startswith("bin/") else 0o644)
documents = f"usr/share/doc/{NAME}"
date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(epoch()))
place(f"{documents}/changelog.Debian.gz", packed(
    f"{NAME} ({full}) unstable; urgency=medium\n\n  * Version {version}: see changelog.gz.\n\n -- {maintainer}  {date}\n"
))
place(f"{documents}/changelog.gz", packed(read(os.path.join(root, "CHANGELOG.md"))))
place(f"{documents}/copyright", read(os.path.join(own, "copyright")))
place(f"usr/share/lintian/overrides/{NAME}", read(os.path.join(own, "lintian-overrides")))
unit = read(os.path.join(root, "integrations/systemd/magistrate.service")).decode()
place("usr/lib/systemd/system/magistrate.service", unit.replace("/usr/local/bin/", "/usr/bin/"))
for script in ("postinst", "prerm", "postrm"):
    place(f"DEBIAN/{script}", read(os.path.join(own, script)), 0o755)

summary = "classify text against a written policy, on your own machine"
long = """\
 magistrate reads a policy in plain words and a text, and gives a verdict with a probability. The models
 are those of gpt-oss-safeguard, in files of the form GGUF, run by llama.cpp. No text leaves the machine.
 .
 A small model is built in, for trying things out. The server of this package is not started by itself:
 systemctl enable --now magistrate starts it for this machine alone."""
size = sum(os.path.getsize(os.path.join(stage, name)) for name in files(stage) if not name.startswith("DEBIAN/"))
fields = {
    "Package": NAME,
    "Version": full,
    "Architecture": architecture,
    "Maintainer": maintainer,
    "Installed-Size": str(-(-size // 1024)),
    "Depends": depends(),
}
if any("ggml-vulkan" in name for name in files(tree)):
    fields["Suggests"] = "libvulkan1, mesa-vulkan-drivers"
fields |= {"Section": "text", "Priority": "optional", "Description": summary}
text = "".join(f"{name}: {value}\n" for name, value in fields.items())
paragraphs = [textwrap.fill(" ".join(one.split()), 78, initial_indent=" ", subsequent_indent=" ")
              for one in long.split("\n .\n")]
place("DEBIAN/control", text + "\n .\n".join(paragraphs) + "\n")
sums = [name for name in files(stage) if not name.startswith("DEBIAN/")]
place("DEBIAN/md5sums", "".join(run("md5sum", name, cwd=stage) for name in sums))
for place_, folders, _ in os.walk(stage):
    os.chmod(place_, 0o755)

name = f"{NAME}_{full}_{architecture}.deb"
os.makedirs(dist, exist_ok=True)
# More than one thread would divide the data by the number of cores here.
environment = os.environ | {"DPKG_DEB_THREADS_MAX": "1"}
subprocess.run(
    ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", stage, os.path.join(dist, name)],
    check=True, stdout=sys.stderr, env=environment,
)
shutil.rmtree(stage)
print(name)
