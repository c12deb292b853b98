#!/usr/bin/env python3
"""Writes the bill of materials (CycloneDX) and the license texts of the crates into a tree.

contents.py METADATA LOCK TREE: METADATA is the output of `cargo metadata`, LOCK is Cargo.lock.
"""

import datetime
import json
import os
import re
import sys
import tomllib
import uuid

from common import NAME, epoch, files, is_elf, read, sha256, write

FORMAT = "1.5"
# Files of a crate that hold its terms.
TERMS = re.compile(r"(?i)^(licen[cs]e|copying|notice|unlicense|copyright)([-._].*)?$")
GPL_EXCEPTION = "GPL-3.0-or-later WITH GCC-exception-3.1"


def linked(metadata):
    """Returns the packages that the program is linked with, by id, and the ids of the root's dependencies of each."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    graph, waiting = {}, [metadata["resolve"]["root"]]
    while waiting:
        place = waiting.pop()
        if place in graph:
            continue
        uses = [dep["pkg"] for dep in nodes[place]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        graph[place] = sorted(uses)
        waiting += uses
    packages = {package["id"]: package for package in metadata["packages"]}
    return {place: packages[place] for place in graph}, graph


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def terms(text):
    """Returns a license in the form of CycloneDX. Old crates write OR as a slash."""
    return [{"expression": re.sub(r"\s*/\s*", " OR ", text)}]


def component(package, checksums):
    found = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
        "scope": "required",
    }
    if package["license"]:
        found["licenses"] = terms(package["license"])
    if package["description"]:
        found["description"] = " ".join(package["description"].split())
    if (package["name"], package["version"]) in checksums:
        content = checksums[package["name"], package["version"]]
        found["hashes"] = [{"alg": "SHA-256", "content": content}]
    if package["repository"]:
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def llama_version(folder):
    """Returns the version in llama.cpp's cmake file."""
    text = read(os.path.join(folder, "CMakeLists.txt")).decode()
    return ".".join(re.search(rf"set\(LLAMA_VERSION_{part} +(\d+)\)", text)[1] for part in ("MAJOR", "MINOR", "PATCH"))


def bill(metadata, lock, tree):
    packages, graph = linked(metadata)
    checksums = {(one["name"], one["version"]): one["checksum"] for one in lock["package"] if "checksum" in one}
    root = packages[metadata["resolve"]["root"]]
    names = {place: reference(package) for place, package in packages.items()}
    components = [component(packages[place], checksums) for place in packages if packages[place] is not root]
    depends = {names[place]: [names[use] for use in uses] for place, uses in graph.items()}

    sys_crate = next(package for package in packages.values() if package["name"] == "llama-cpp-sys-2")
    llama = llama_version(os.path.join(os.path.dirname(sys_crate["manifest_path"]), "llama.cpp"))
    depends[reference(sys_crate)].append("llama.cpp")
    depends["llama.cpp"] = []
    libraries = [name for name in files(os.path.join(tree, "lib")) if is_elf(os.path.join(tree, "lib", name))]
    components.append({
        "type": "library",
        "bom-ref": "llama.cpp",
        "name": "llama.cpp",
        "version": llama,
        "description": f"The sources in the crate llama-cpp-sys-2 {sys_crate['version']}, with ggml",
        "licenses": terms("MIT"),
        "purl": f"pkg:github/ggml-org/llama.cpp@{llama}",
        "components": [
            {
                "type": "file",
                "name": f"lib/{name}",
                "hashes": [{"alg": "SHA-256", "content": sha256(read(os.path.join(tree, "lib", name)))}],
            }
            for name in libraries if "gomp" not in name
        ],
    })
    compiler = os.environ.get("COMPILER_VERSION", "unknown")
    runtime = {"libgomp": ("GCC's OpenMP library", "libgomp.so.1"), "libstdc++": ("GCC's C++ library, linked in", None)}
    for name, (description, file) in runtime.items():
        found = {"type": "library", "bom-ref": name, "name": name, "version": compiler, "description": description,
                 "licenses": terms(GPL_EXCEPTION)}
        paths = [os.path.join(tree, "lib", one) for one in libraries if os.path.basename(one) == file]
        if file and not paths:
            continue
        found["hashes"] = [{"alg": "SHA-256", "content": sha256(read(path))} for path in paths]
        components.append(found)
        depends["llama.cpp"].append(name)
        depends[name] = []
    nano = read(os.path.join(os.path.dirname(root["manifest_path"]), "models", "magistrate-nano.gguf"))
    components.append({
        "type": "machine-learning-model",
        "bom-ref": "magistrate-nano",
        "name": "magistrate-nano",
        "version": root["version"],
        "description": "The built-in model",
        "licenses": terms("Apache-2.0"),
        "hashes": [{"alg": "SHA-256", "content": sha256(nano)}],
    })
    depends[reference(root)] += ["magistrate-nano"]
    depends["magistrate-nano"] = []
    components.sort(key=lambda one: one["bom-ref"])
    found = {
        "bomFormat": "CycloneDX",
        "specVersion": FORMAT,
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(epoch(), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {"components": [{"type": "application", "name": "scripts/package"}]},
            "component": {
                "type": "application",
                "bom-ref": reference(root),
                "name": NAME,
                "version": root["version"],
                "purl": reference(root),
                "licenses": terms(root["license"]),
            },
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": sorted(set(uses))} for ref, uses in sorted(depends.items())],
    }
    text = json.dumps(found, indent=1, ensure_ascii=False)
    return {"bomFormat": "CycloneDX", "specVersion": FORMAT,
            "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}", **found}


def texts(folder, name):
    """Returns the license texts of a crate: those in its folder, and that of the llama.cpp in it."""
    places = [folder, os.path.join(folder, "LICENSES"), os.path.join(folder, "llama.cpp")]
    found = []
    for place in filter(os.path.isdir, places):
        for file in sorted(os.listdir(place)):
            path = os.path.join(place, file)
            if os.path.isfile(path) and (TERMS.match(file) or place.endswith("LICENSES")):
                owner = "llama.cpp and ggml" if place.endswith("llama.cpp") else name
                found.append((owner, read(path).decode("utf-8", "replace").strip()))
    return found


def licenses(metadata):
    """Returns the license texts of all crates. Crates with equal texts share one."""
    packages, _ = linked(metadata)
    owners, silent = {}, []
    for package in sorted(packages.values(), key=reference):
        if package["id"] == metadata["resolve"]["root"]:
            continue
        name = f"{package['name']} {package['version']}"
        found = texts(os.path.dirname(package["manifest_path"]), name)
        for owner, text in found:
            owners.setdefault(re.sub(r"\s+", " ", text), (text, []))[1].append(owner)
        if not found:
            silent.append(f"{name}: {package['license']}, {package['repository']}")
    line = "-" * 80
    parts = ["The license texts of the works that magistrate is linked with. THIRD-PARTY-NOTICES.md explains them.\n"]
    for text, names in sorted(owners.values(), key=lambda one: (one[1], one[0])):
        parts.append(f"{line}\n{', '.join(dict.fromkeys(names))}\n{line}\n{text}\n")
    if silent:
        parts.append(f"{line}\nCrates without a text in their packages\n{line}\n" + "\n".join(silent) + "\n")
    return "\n".join(parts)


metadata_path, lock_path, tree_path = sys.argv[1:]
cargo = json.loads(read(metadata_path))
documents = os.path.join(tree_path, "share/doc/magistrate")
write(os.path.join(documents, "licenses.txt"), licenses(cargo))
materials = bill(cargo, tomllib.loads(read(lock_path).decode()), tree_path)
write(os.path.join(documents, "magistrate.cdx.json"), json.dumps(materials, indent=1, ensure_ascii=False) + "\n")
