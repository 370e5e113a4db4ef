#!/usr/bin/env python3
"""Writes docs/peers.md: what other readers make of the files whose contents are known.

    compare.py [--passerelle BINARY]

The files are the golden cases of tests/fixtures (their expected.jsonl is the truth, read over by
people) and chats made here, whose truth is known because they are made from it. Nothing is
tuned: each reader is called as documented, with the zone Europe/Paris, and has five seconds of processor time a file, which is long.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import json
import os
import random
import shutil
import subprocess
import zoneinfo
from dataclasses import dataclass, field
from pathlib import Path

import environment

ROOT = environment.ROOT
FIXTURES = ROOT / "tests" / "fixtures" / "archives"
MADE = environment.WORK / "made"
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
TIMEOUT_S = 5
SEED = 20261124
MADE_RECORDS = 2000

NODE = """
import { parseString } from 'whatsapp-chat-parser';
import fs from 'fs';
const two = (n) => String(n).padStart(2, '0');
for (const path of process.argv.slice(2)) {
  const rows = [];
  for (const m of parseString(fs.readFileSync(path, 'utf8'), { parseAttachments: true })) {
    const d = m.date;
    const at = isNaN(d) ? null
      : `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`;
    rows.push({ at, sender: m.author, text: m.message, file: m.attachment?.fileName ?? null });
  }
  console.log(JSON.stringify(rows));
}
"""


@dataclass
class File:
    """A file, and what is in it: (wall-clock minute, sender, text or None, names of files)."""

    name: str
    path: Path
    truth: list[tuple[str, str | None, str | None, list[str]]]


@dataclass
class Sums:
    """What a reader got right over some files."""

    files: int = 0
    refused: list[str] = field(default_factory=list)
    wrong_count: list[str] = field(default_factory=list)
    records: int = 0
    found: int = 0
    right: dict[str, list[int]] = field(default_factory=lambda: collections.defaultdict(lambda: [0, 0]))


def golden(messenger: str) -> list[File]:
    files = []
    for case in sorted((FIXTURES / messenger / "valid").iterdir()):
        expected = case / "expected.jsonl"
        records = [json.loads(line) for line in expected.read_text(encoding="utf-8").splitlines()]
        messages = [record for record in records if "finding" not in record]
        # Readers take one text or one JSON file; cases of several, of zips and of pages are left out.
        end = ".txt" if messenger == "whatsapp" else ".json"
        inputs = [path for path in sorted(case.glob("input*/**/*")) + sorted(case.glob("input*")) if path.is_file()]
        entries = {message["place"]["entry"] for message in messages}
        inputs = [path for path in inputs if path.suffix == end and path.name in {Path(e).name for e in entries}]
        if len(inputs) != 1 or len(entries) != 1 or len({message["chat"] for message in messages}) != 1:
            continue
        zone_file = case / "timezone.txt"
        zone = zoneinfo.ZoneInfo(zone_file.read_text().strip()) if zone_file.exists() else PARIS
        files.append(File(case.name, inputs[0], [known(message, zone) for message in messages]))
    return files


def known(message: dict, zone: zoneinfo.ZoneInfo) -> tuple[str, str | None, str | None, list[str]]:
    sent_at, body = message["sent_at"], message["body"]
    local = sent_at.get("local")
    if local is None:
        local = dt.datetime.fromtimestamp(sent_at["at"] / 1000, zone).isoformat()
    kind = body["kind"]
    sender = (message.get("sender") or {}).get("name")
    names = [file["entry"] for file in body.get("attachments", []) if file.get("entry")]
    return local[:16], sender, body["plain"] if kind == "text" else None, names


WORDS = (
    "bonjour merci réunion demain préfecture note équipe être oui non là-bas façon budget relire salle "
    "lundi peut-être cœur 👩\u200d👩\u200d👧 ça ½ e\u0301té"
).split()
PEOPLE = ["Anna Roux", "Zoé 🌸", "Équipe : accueil", "Karim Benali", "+33 6 39 98 14 72"]


def make(name: str, header: str, *, framed: bool, attached: str, omitted: str) -> File:
    """A chat of invented people with what breaks readers: names with a colon, several lines, lines
    that look like headers, files with accents in their names, lines of the app."""
    dice = random.Random(f"{SEED} {name}")
    at = dt.datetime(2024, 1, 5, 8, 1)
    newline = "\r\n" if framed else "\n"
    records, truth = [], []

    def add(sender: str | None, raw: str, text: str | None, files: list[str]) -> None:
        fields = {
            "d": at.day, "m": at.month, "y": at.year, "yy": at.year % 100, "H": at.hour, "M": at.minute,
            "h": at.hour % 12 or 12, "half": "AM" if at.hour < 12 else "PM",
        }
        head = header.format(**fields)
        records.append(head + (f"{sender}: " if sender else "") + raw + newline)
        truth.append((at.strftime("%Y-%m-%dT%H:%M"), sender, text, files))

    add(None if not framed else "Équipe", ("\u200e" if framed else "") + "Les messages et les appels sont chiffrés de bout en bout.", None, [])
    if framed:
        truth[0] = (truth[0][0], None, None, [])
    for number in range(1, MADE_RECORDS):
        at += dt.timedelta(minutes=dice.randrange(1, 400))
        person = dice.choice(PEOPLE)
        words = " ".join(dice.choice(WORDS) for _ in range(dice.randrange(1, 12)))
        chance = dice.randrange(40)
        if chance == 0:
            file = f"Relevé n° {number}.pdf"
            add(person, attached.format(file), None, [file])
        elif chance <= 3:
            add(person, omitted, None, [])
        elif chance <= 6:
            text = f"{words}\n\n- {dice.choice(WORDS)}\nfin"
            add(person, text, text, [])
        elif chance == 7 and framed:
            # Pasted: only the framing by CR LF tells it from a message of its own.
            text = f"{words}\n{header.format(d=1, m=2, y=2020, yy=20, H=9, M=30, h=9, half='AM')}Paul: ancien"
            add(person, text, text, [])
        else:
            add(person, words, words, [])
    folder = MADE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = folder / ("_chat.txt" if framed else "Discussion WhatsApp avec Équipe.txt")
    path.write_text("".join(records), encoding="utf-8", newline="")
    for _, _, _, files in truth:
        for file in files:
            (folder / file).write_bytes(b"%PDF-1.4\n")
    return File(name, path, truth)


def made() -> list[File]:
    android = {"framed": False, "attached": "\u200e{} (fichier joint)", "omitted": "<Médias omis>"}
    iphone = {"framed": True, "attached": "\u200e<pièce jointe : {}>", "omitted": "\u200eimage absente"}
    return [
        make("made-french-android", "{d:02}/{m:02}/{y} {H:02}:{M:02} - ", **android),
        make("made-french-iphone", "[{d:02}/{m:02}/{y} {H:02}:{M:02}:07] ", **iphone),
        make("made-us-region-android", "{m}/{d}/{yy:02}, {h}:{M:02}\u202f{half} - ", **android),
        make("made-swiss-android", "{d:02}.{m:02}.{yy:02} à {H:02}:{M:02} - ", **android),
    ]


def output(command: list[str]) -> list[str]:
    """The lines a reader printed; what it printed before it failed."""
    variables = os.environ | {"TZ": "Europe/Paris", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command, cwd=environment.WORK / "node", env=variables, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout.decode().split("\n")[:-1]


def of_adapter(command: list[str], files: list[File]) -> list[list[dict] | None]:
    """What an adapter makes of each file."""
    lines = output([*command, *(str(file.path) for file in files)])
    found = [json.loads(line) for line in lines if line.startswith(("[", "null"))]
    return found + [None] * (len(files) - len(found))


def passerelle(binary: Path, files: list[File]) -> list[list[dict] | None]:
    found: list[list[dict] | None] = []
    for file in files:
        bare = file.path.parent.name == file.name and file.path.is_relative_to(FIXTURES)
        printed = output([str(binary), "archive", "messages", str(file.path if bare else file.path.parent)])
        rows = [known(json.loads(line), PARIS) for line in printed]
        found.append([
            {"at": at, "sender": sender, "text": text, "file": (names or [None])[0]}
            for at, sender, text, names in rows
        ])  # fmt: skip
    return found


def judge(sums: Sums, file: File, found: list[dict] | None) -> None:
    sums.files += 1
    sums.records += len(file.truth)
    if not found:
        sums.refused.append(file.name)
        found = []
    elif len(found) != len(file.truth):
        sums.wrong_count.append(file.name)
    sums.found += len(found)

    def compare(what: str, true: list, seen: list) -> None:
        right = collections.Counter(true) & collections.Counter(seen)
        sums.right[what][0] += sum(right.values())
        sums.right[what][1] += len(true)

    compare("times", [at for at, *_ in file.truth], [row.get("at") for row in found])
    spoken = [(at, sender) for at, sender, _, _ in file.truth if sender]
    compare("senders", spoken, [(row.get("at"), row.get("sender")) for row in found])
    texts = [(at, text) for at, _, text, _ in file.truth if text is not None]
    # The line end that closes the file is forgiven.
    seen = [(row.get("at"), (row.get("text") or "").removesuffix("\n")) for row in found]
    compare("texts", [(at, text.removesuffix("\n")) for at, text in texts], seen)
    names = [(at, name) for at, _, _, files in file.truth for name in files]
    compare("files", names, [(row.get("at"), row.get("file")) for row in found if row.get("file")])


# What a reader has no notion of, or the adapter does not ask it for.
LACKS = {
    "whatstk": {"files"},
    "chat-miner": {"files"},
    "whatsapp-chat-exporter": {"senders", "files"},
    "json.load of Python": {"texts", "files"},
}


def row(reader: str, version: str | None, sums: Sums) -> str:
    def share(what: str) -> str:
        right, of = sums.right.get(what, (0, 0))
        if of == 0 or what in LACKS.get(reader, set()):
            return "–"
        return "all" if right == of else f"{100 * right / of:.1f} %"

    count = sums.files - len(sums.refused) - len(sums.wrong_count)
    cells = [
        f"{reader} {version}" if version else reader, f"{len(sums.refused)}", f"{count} of {sums.files}", f"{sums.found} of {sums.records}",
        share("times"), share("senders"), share("texts"), share("files"),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


HEAD = """| reader | files refused | files with the right count | records | times | senders | texts | files |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def main() -> None:
    parser = argparse.ArgumentParser(description="compares readers on files whose contents are known")
    parser.add_argument("--passerelle", type=lambda path: Path(path).resolve(), default=ROOT / "target" / "debug" / "passerelle")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "peers.md")
    arguments = parser.parse_args()
    node = environment.node(["whatsapp-chat-parser"])
    python = environment.python(["whatstk", "chat-miner", "wakit", "whatsapp-chat-exporter", "ijson"])
    (node / "compare.mjs").write_text(NODE)
    adapters = Path(__file__).with_name("adapters.py")

    def of_python(reader: str):
        return lambda files: of_adapter([str(python), str(adapters), reader, str(TIMEOUT_S)], files)

    whatsapp = {
        "passerelle": lambda files: passerelle(arguments.passerelle, files),
        "whatsapp-chat-parser": lambda files: of_adapter(["node", "compare.mjs"], files),
        "whatstk": of_python("whatstk"),
        "chat-miner": of_python("chat_miner"),
        "wakit": of_python("wakit"),
        "whatsapp-chat-exporter": of_python("whatsapp_chat_exporter"),
    }
    telegram = {
        "passerelle": whatsapp["passerelle"],
        "chat-miner": whatsapp["chat-miner"],
        "ijson": of_python("ijson"),
        "json.load of Python": of_python("json_load"),
    }
    lines = [PREFACE.format(**environment.PYPI, parser=environment.NPM["whatsapp-chat-parser"]).rstrip()]
    for title, files, readers in [
        ("WhatsApp: golden cases", golden("whatsapp"), whatsapp),
        (f"WhatsApp: chats of {MADE_RECORDS} records made for this", made(), whatsapp),
        ("Telegram JSON: golden cases", golden("telegram"), telegram),
    ]:
        lines += ["", f"## {title}", "", HEAD]
        details = []
        for reader, read in readers.items():
            sums = Sums()
            for file, found in zip(files, read(files), strict=True):
                judge(sums, file, found)
            version = environment.PYPI.get(reader) or environment.NPM.get(reader)
            lines.append(row(reader, version, sums))
            print(lines[-1], flush=True)
            if reader != "passerelle":
                said = []
                if sums.refused:
                    said.append("refused or found nothing in " + ", ".join(sums.refused))
                if sums.wrong_count:
                    said.append("wrong count in " + ", ".join(sums.wrong_count))
                details.append(f"- **{reader}**: {'; '.join(said) or 'every count is right'}.")
        lines += ["", *details]
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


PREFACE = """# What other readers make of the same files

Made by `make peers` (`sandbox/peers/compare.py`), which installs the readers below and runs each of
them as its documentation says, with the zone Europe/Paris and five seconds of processor time a file (the
largest has 2,000 records). Versions:
whatsapp-chat-parser {parser} (npm); whatstk {whatstk}, chat-miner {chat-miner}, wakit {wakit},
whatsapp-chat-exporter {whatsapp-chat-exporter} (`--exported`) and ijson {ijson} (PyPI). chatpack (a crate)
and chatcarve are not here: the one is a library without a program, the other is no longer to be
had. For Olvid's export no other reader was found.

The truth of a golden case is its `expected.jsonl`; that passerelle agrees with it is what the
tests check and says nothing new here. The made chats come from a list of records, so their truth
owes nothing to any reader.

- **records**: found, of those in the files; lines of the app count, and a reader that leaves them
  out on purpose (whatstk, chat-miner and wakit do) is behind by them.
- **times**: records whose wall-clock minute was found.
- **senders**, **texts**: found, exactly, at that minute; a text that was trimmed or whose
  characters were replaced by look-alikes is not; the line end that closes the file is forgiven.
  Only what people typed is compared.
- **files**: names of attached files found at that minute. A dash: the reader has no notion of it.

ijson and `json.load` are parsers of JSON and know nothing of Telegram: their rows show what the bytes
alone give, with the obvious keys taken for what they seem to be.
"""

if __name__ == "__main__":
    main()
