#!/usr/bin/env python3
"""Makes the demonstration's export: conversation.txt and media/ become the zip beside them.

The form is the one that WhatsApp for Android gives in French: headers without seconds in the
phone's own time, LF, system lines without a sender, a mark before the names of files. The zip
is the same to the last byte each time: nothing is compressed, and all times in it are fixed.

    make_sample.py            write the zip
    make_sample.py --check    only say whether the zip is what the sources give (exit 1 if not)
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
STEM = "Discussion WhatsApp avec Cabinet – Coordination"
ZIP = HERE / f"{STEM}.zip"
# Android writes the instant of the export on every entry.
EXPORTED = (2025, 11, 8, 10, 30, 0)

LRM = "\u200e"
SENDERS = {
    "th": "Thomas Lebrun",
    "he": "Hélène Sarrazin",
    "ka": "Karim Benali",
    "op": "Ophélie Pons",
    "jd": "Jean-Damien Roux",
    "nv": "Nadia Vasseur",
    "cm": "Claire Martin",
    # Someone who is not among the phone's contacts shows by the name she gave herself.
    "cn": "~\u202fClaire Martin",
    # A number of the range kept for fiction, wrapped and spaced as the app does.
    "nu": "\u202a+33\u00a06\u00a039\u00a098\u00a014\u00a072\u202c",
}


def last_sunday(year: int, month: int) -> datetime:
    day = datetime(year, month, 31, 1, tzinfo=timezone.utc)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def offset_of_paris(instant: datetime) -> timedelta:
    """Two hours from the last Sunday of March to that of October, at 1 h UTC; else one."""
    summer = last_sunday(instant.year, 3) <= instant < last_sunday(instant.year, 10)
    return timedelta(hours=2 if summer else 1)


def set_clock(text: str) -> datetime:
    given = datetime.strptime(text.rstrip("Z"), "%d/%m/%Y %H:%M").replace(tzinfo=timezone.utc)
    if text.endswith("Z"):
        return given
    return given - offset_of_paris(given - timedelta(hours=1))


def records() -> list[tuple[datetime, str | None, list[str]]]:
    """(instant, sender or None, lines) in the order of the conversation."""
    found: list[tuple[datetime, str | None, list[str]]] = []
    clock = None
    source = (HERE / "conversation.txt").read_text(encoding="utf-8")
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        if line.startswith("@ "):
            before, clock = clock, set_clock(line[2:])
            assert before is None or before <= clock, f"line {number}: the clock goes back"
        elif line.startswith("    |"):
            found[-1][2].append(line[5:].removeprefix(" "))
        else:
            match = re.fullmatch(r"\+(\d+) (\S+)(?: (.*))?", line)
            assert match and clock, f"line {number}: not understood"
            clock += timedelta(minutes=int(match[1]))
            who = None if match[2] == "*" else SENDERS[match[2]]
            found.append((clock, who, [with_names(match[3] or "")]))
    return found


def with_names(text: str) -> str:
    """System lines name people as headers do; invisible marks are written out in the source."""
    for who, name in SENDERS.items():
        text = text.replace("{" + who + "}", name)
    return text.replace("\\u200e", LRM)


def export() -> tuple[bytes, str]:
    """The zip's bytes and one line about what is in it."""
    media = {path.name: path.read_bytes() for path in sorted((HERE / "media").iterdir())}
    used: list[str] = []
    text = ""
    said = notices = 0
    for instant, sender, lines in records():
        file = re.fullmatch(r"\[(.+)\]", lines[0])
        if file:
            assert file[1] in media, f"media/{file[1]} is missing"
            used.append(file[1])
            lines = [f"{LRM}{file[1]} (fichier joint)", *lines[1:]]
        local = instant + offset_of_paris(instant)
        name = "" if sender is None else f"{sender}: "
        text += f"{local:%d/%m/%Y %H:%M} - {name}" + "\n".join(lines) + "\n"
        said, notices = (said, notices + 1) if sender is None else (said + 1, notices)
    assert sorted(used) == sorted(media), "each file of media/ is sent once"
    assert said >= 300 and len(used) >= 12
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for entry, content in [(f"{STEM}.txt", text.encode()), *((n, media[n]) for n in used)]:
            archive.writestr(zipfile.ZipInfo(entry, EXPORTED), content)
    about = f"{said} messages, {notices} system lines, {len(used)} files, {out.tell()} bytes"
    return out.getvalue(), about


def main() -> int:
    content, about = export()
    if "--check" in sys.argv[1:]:
        if not ZIP.exists() or ZIP.read_bytes() != content:
            print("sample: the zip is not what its sources give\nhint: make sample", file=sys.stderr)
            return 1
        print(f"sample: {about}")
        return 0
    ZIP.write_bytes(content)
    print(f"sample: wrote {ZIP.name}: {about}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
