#!/usr/bin/env python3
"""Checks the contents of built packages: check.py VERSION DIST. Prints a line for each package. Exit 2: a fault.

Checked are names, modes, licenses, the bill of materials, versions, digests, the libraries and symbols that are needed, and
that no file names a folder of the machine that built it. The program of the archive is run.
"""

import base64
import csv
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from common import NAME, files, is_elf, oldest_glibc, run, run_paths, sha256, unresolved

version, dist = sys.argv[1:]
MOST_OF_A_WHEEL = 100_000_000
# Folders of crates and of builds. A file of a package that names one tells about the machine that built it.
FOLDERS = re.compile(rb"/(?:registry/src/index\.crates|target/package/|target/release/)")
TERMS = ("LICENSE", "THIRD-PARTY-NOTICES.md", "licenses.txt")
faults = []


def want(condition, message):
    if not condition:
        faults.append(message)


def one(pattern):
    """Returns the name of the only package of a form, or nothing."""
    found = [name for name in os.listdir(dist) if re.fullmatch(pattern, name)]
    want(len(found) < 2, f"several packages of one form: {found}")
    return found[0] if found else None


def check_bill(text, where):
    """Checks a bill of materials."""
    bill = json.loads(text)
    want(bill["bomFormat"] == "CycloneDX", f"{where}: not of CycloneDX")
    want(bill["metadata"]["component"]["version"] == version, f"{where}: another version")
    references = {part["bom-ref"] for part in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    want({"llama.cpp", "magistrate-nano"} <= references, f"{where}: no llama.cpp or no model")
    want(len(references) > 100, f"{where}: {len(references)} components")
    for use in bill["dependencies"]:
        want({use["ref"], *use["dependsOn"]} <= references, f"{where}: {use['ref']} depends on an unknown part")
    for part in bill["components"]:
        want(part.get("licenses"), f"{where}: {part['name']} has no license")


def check_tree(tree, where):
    """Checks the files of a prefix."""
    names = files(tree)
    library = f"lib/{NAME}"
    for name in (f"bin/{NAME}", f"{library}/libllama.so.0", f"{library}/libggml.so.0", f"{library}/libggml-base.so.0"):
        want(name in names, f"{where}: {name} is missing")
    backends = [name for name in names if name.startswith(f"{library}/backends/libggml-cpu")]
    want(len(backends) > 1, f"{where}: {len(backends)} backends of CPUs")
    for name in names:
        path = os.path.join(tree, name)
        with open(path, "rb") as file:
            found = FOLDERS.search(file.read())
        want(not found, f"{where}: {name} names {found and found[0]!r}")
        if is_elf(path):
            for folder in ":".join(run_paths(path)).split(":"):
                want(not folder or folder.startswith("$ORIGIN"), f"{where}: {name} looks for libraries in {folder}")
    for lacking in unresolved(tree):
        want(False, f"{where}: {lacking}")


def check_run(tree, where):
    """Runs the program of a prefix, and compares its version."""
    program = os.path.join(tree, "bin", NAME)
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": "/usr/bin:/bin", "HOME": home, "MAGISTRATE_CACHE": os.path.join(home, "cache")}
        shown = run(program, "--version", env=environment).split()
        want(version in shown, f"{where}: the program is version {shown}")
        done = subprocess.run([program, "doctor"], env=environment, text=True, capture_output=True)
        want(done.returncode == 0, f"{where}: doctor exits with {done.returncode}:\n{done.stdout}{done.stderr}")


def check_sums():
    with open(os.path.join(dist, "SHA256SUMS"), encoding="utf-8") as file:
        sums = dict(reversed(line.rstrip("\n").split("  ", 1)) for line in file)
    there = set(os.listdir(dist)) - {"SHA256SUMS"}
    want(set(sums) == there, f"SHA256SUMS names {sorted(set(sums) ^ there)} too many or too few")
    for name in set(sums) & there:
        with open(os.path.join(dist, name), "rb") as file:
            want(sha256(file.read()) == sums[name], f"{name}: another digest than in SHA256SUMS")


def check_archive(name, work):
    folder = name.removesuffix(".tar.gz")
    with tarfile.open(os.path.join(dist, name)) as archive:
        members = archive.getmembers()
        archive.extractall(work)
    names = [member.name for member in members]
    want(len(set(names)) == len(names), f"{name}: a name occurs twice")
    for member in members:
        want(member.name.split("/")[0] == folder, f"{name}: {member.name} is outside {folder}")
        want((member.uid, member.gid, member.uname, member.gname) == (0, 0, "", ""), f"{name}: {member.name} has an owner")
        is_program = member.isdir() or member.name.endswith(f"/bin/{NAME}")
        want(member.mode == (0o755 if is_program else 0o644), f"{name}: {member.name} has mode {member.mode:o}")
    want(len({member.mtime for member in members}) == 1, f"{name}: files have different times")
    tree = os.path.join(work, folder)
    check_tree(tree, name)
    documents = os.path.join(tree, "share/doc", NAME)
    for term in TERMS:
        want(os.path.getsize(os.path.join(documents, term)) > 1000, f"{name}: {term} is short")
    with open(os.path.join(documents, f"{NAME}.cdx.json"), encoding="utf-8") as file:
        check_bill(file.read(), name)
    for page in (f"share/man/man1/{NAME}.1", f"share/man/man1/{NAME}-check.1", f"share/zsh/site-functions/_{NAME}",
                 f"share/bash-completion/completions/{NAME}", f"share/fish/vendor_completions.d/{NAME}.fish"):
        want(os.path.exists(os.path.join(tree, page)), f"{name}: {page} is missing")
    check_run(tree, name)


def check_wheel(name, work):
    path = os.path.join(dist, name)
    want(os.path.getsize(path) < MOST_OF_A_WHEEL, f"{name}: {os.path.getsize(path)} bytes")
    info, data = f"{NAME}-{version}.dist-info", f"{NAME}-{version}.data"
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        record = {row[0]: row[1:] for row in csv.reader(io.StringIO(wheel.read(f"{info}/RECORD").decode()))}
        want(set(record) == set(names) and len(set(names)) == len(names), f"{name}: RECORD does not fit")
        for member in names:
            content = wheel.read(member)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            if member != f"{info}/RECORD":
                want(record[member] == [f"sha256={digest}", str(len(content))], f"{name}: {member} does not fit RECORD")
            want(not member.startswith(f"{NAME}/") or "__pycache__" not in member, f"{name}: {member}")
        metadata = wheel.read(f"{info}/METADATA").decode()
        want(f"\nVersion: {version}\n" in metadata, f"{name}: another version in METADATA")
        for term in TERMS:
            want(f"{info}/licenses/{term}" in names, f"{name}: {term} is missing")
            want(f"\nLicense-File: {term}\n" in metadata, f"{name}: METADATA lacks {term}")
        check_bill(wheel.read(f"{info}/sboms/{NAME}.cdx.json"), name)
        mode = wheel.getinfo(f"{data}/scripts/{NAME}").external_attr >> 16
        want(mode & 0o777 == 0o755, f"{name}: the program has mode {mode:o}")
        wheel.extractall(work)
    tree = os.path.join(work, "prefix")
    shutil.move(os.path.join(work, data, "data"), tree)
    shutil.move(os.path.join(work, data, "scripts"), os.path.join(tree, "bin"))
    check_tree(tree, name)
    tagged = re.search(r"manylinux_(\d+)_(\d+)_", name)
    glibc = oldest_glibc(tree)
    want(glibc <= (int(tagged[1]), int(tagged[2])), f"{name}: it needs glibc {glibc}")


def check_deb(name, work):
    path = os.path.join(dist, name)
    if not shutil.which("dpkg-deb"):
        return "not read: dpkg-deb is missing"
    fields = dict(line.split(": ", 1) for line in run("dpkg-deb", "--field", path).splitlines() if re.match(r"\w", line))
    want(fields["Version"].rsplit("-", 1)[0] == version, f"{name}: version {fields['Version']}")
    want("libc6 (>=" in fields["Depends"], f"{name}: depends on {fields['Depends']}")
    for line in run("dpkg-deb", "--contents", path).splitlines():
        mode, owner, _, _, _, member = line.split(maxsplit=5)
        want(owner == "root/root", f"{name}: {member} belongs to {owner}")
        is_program = mode.startswith("d") or member.endswith(f"/bin/{NAME}")
        want(mode[1:] == ("rwxr-xr-x" if is_program else "rw-r--r--"), f"{name}: {member} has mode {mode}")
    run("dpkg-deb", "--extract", path, work)
    for member in (f"usr/share/doc/{NAME}/copyright", f"usr/share/doc/{NAME}/changelog.gz",
                   f"usr/share/man/man1/{NAME}.1.gz", "usr/lib/systemd/system/magistrate.service"):
        want(os.path.exists(os.path.join(work, member)), f"{name}: {member} is missing")
    check_tree(os.path.join(work, "usr"), name)
    return None


def check_image(name, work):
    with tarfile.open(os.path.join(dist, name)) as archive:
        archive.extractall(work)

    def blob(digest):
        with open(os.path.join(work, "blobs/sha256", digest.removeprefix("sha256:")), "rb") as file:
            content = file.read()
        want(f"sha256:{sha256(content)}" == digest, f"{name}: a blob has another digest")
        return content

    def parsed(path):
        with open(os.path.join(work, path), encoding="utf-8") as file:
            return json.load(file)

    manifest = json.loads(blob(parsed("index.json")["manifests"][0]["digest"]))
    config = json.loads(blob(manifest["config"]["digest"]))
    want(parsed("manifest.json")[0]["RepoTags"] == [f"{NAME}:{version}"], f"{name}: another name or version")
    settings = config["config"]
    want(settings["User"].split(":")[0] not in ("", "0", "root"), f"{name}: runs as root")
    want(settings["Healthcheck"]["Test"][0] == "CMD", f"{name}: no check of its health")
    want("--insecure" not in settings["Cmd"], f"{name}: serves without a key")
    system = os.path.join(work, "system")
    for layer, digest in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        packed = blob(layer["digest"])
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            tar.extractall(system)
        want(f"sha256:{sha256(gzip.decompress(packed))}" == digest, f"{name}: a layer has another digest")
    for member in (f"usr/bin/{NAME}", "etc/passwd", f"usr/share/doc/{NAME}/LICENSE"):
        want(os.path.exists(os.path.join(system, member)), f"{name}: {member} is missing")
    check_tree(os.path.join(system, "usr"), name)


checks = {
    rf"{NAME}-.*\.tar\.gz": check_archive,
    rf"{NAME}-.*\.whl": check_wheel,
    rf"{NAME}_.*\.deb": check_deb,
    rf"{NAME}-.*-image-.*\.tar": check_image,
}
if not os.path.exists(os.path.join(dist, "SHA256SUMS")):
    print(f"skipped: there are no packages in {dist}: scripts/package builds them")
    sys.exit(0)
check_sums()
for pattern, check in checks.items():
    package = one(pattern)
    if not package:
        continue
    before = len(faults)
    with tempfile.TemporaryDirectory() as folder:
        note = check(package, folder)
    size = os.path.getsize(os.path.join(dist, package)) / 1e6
    print(f"{package}: {size:.1f} MB, {note or ('fine' if len(faults) == before else 'faulty')}")
for fault in faults:
    print(f"error: {fault}", file=sys.stderr)
sys.exit(2 if faults else 0)
