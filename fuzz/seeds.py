#!/usr/bin/env python3
"""The first inputs of the fuzzers, made from the fixtures: fuzz/corpus/TARGET/.

    fuzz/seeds.py

Each file of a fixture that a target reads becomes one input, named by its digest, so that a
second run adds nothing. Whole fixtures, zipped, are the inputs of the container's target.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
FIXTURES = FUZZ.parent / "tests" / "fixtures" / "archives"
# Larger inputs slow a fuzzer down and teach it nothing.
LARGEST_BYTES = 64 << 10


def target_of(messenger: str, name: str) -> str | None:
    """The target that reads a file of this name."""
    if messenger == "whatsapp" and name.endswith(".txt"):
        return "whatsapp"
    if messenger == "telegram" and name.endswith(".json"):
        return "telegram_json"
    if messenger == "telegram" and name.endswith(".html"):
        return "telegram_html"
    if messenger == "olvid" and name.endswith(".json"):
        return "olvid"
    return None


def keep(target: str, content: bytes) -> int:
    """Writes one input; 1 if it is one."""
    if len(content) > LARGEST_BYTES:
        return 0
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(content).hexdigest()[:32]).write_bytes(content)
    return 1


def files_of(source: Path) -> list[tuple[str, bytes]]:
    """Name and content of every file in a fixture's input, whatever it is wrapped in."""
    if source.suffix == ".zip":
        try:
            with zipfile.ZipFile(source) as archive:
                return [(name, archive.read(name)) for name in archive.namelist()]
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
            # Cut or encrypted: an input of the container's target only.
            return []
    if source.is_file():
        return [(source.name, source.read_bytes())]
    paths = sorted(path for path in source.rglob("*") if path.is_file())
    return [(str(path.relative_to(source)), path.read_bytes()) for path in paths]


def zipped(files: list[tuple[str, bytes]], method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files:
            # A fixed time, so that a second run makes the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, method)
    return out.getvalue()


def main() -> None:
    counts: dict[str, int] = {}

    def add(target: str, content: bytes) -> None:
        counts[target] = counts.get(target, 0) + keep(target, content)

    for case in sorted(FIXTURES.glob("*/*/*")):
        messenger = case.parent.parent.name
        for source in sorted(case.glob("input*")):
            zips = [source] if source.suffix == ".zip" else sorted(source.glob("*.zip"))
            for packed in zips:
                add("container", packed.read_bytes())
                for name, content in files_of(packed):
                    if target := target_of(messenger, name):
                        add(target, content)
            files = [pair for pair in files_of(source) if not pair[0].endswith(".zip")]
            for name, content in files:
                if target := target_of(messenger, name):
                    add(target, content)
            if files:
                for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    add("container", zipped(files, method))
    for target, count in sorted(counts.items()):
        print(f"{target}: {count} inputs from fixtures")


if __name__ == "__main__":
    main()
