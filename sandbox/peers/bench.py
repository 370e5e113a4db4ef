#!/usr/bin/env python3
"""How fast the readers are, and how much memory they take, beside their peers and a floor.

    bench.py [--rounds N] [--big-mb N]

Everything runs in the same session, one after the other in turns, so that the machine's other
work meets all alike. Of each, the best of the rounds counts, in wall-clock time and in processor
time (all threads); of the two ratios the less favourable one is compared with the target. The
last lines are `bar NAME VALUE TARGET pass|fail`; the exit code is 1 if one fails. Inputs are made by
sandbox/stopwatch below target/bench and are removed afterwards.

What is compared:

whatsapp.vs_peer     whatsapp-chat-parser (npm) reading and parsing the file / our survey of it
whatsapp.vs_memchr   finding every line of the file with memchr, and looking at its first byte / our
                     survey, which reads the file twice: once to learn its date order, its people and
                     its framing from all of it, once to understand it
whatsapp.vs_read_until  the same with BufRead::read_until, which copies each line: told, not judged
olvid.vs_serde, telegram.vs_serde
                     serde_json's IgnoredAny over the same bytes through a buffered reader / our
                     survey. A survey parses every message into its types, converts it and counts,
                     in memory that does not grow with the file; so the floor is what the same
                     parser needs to go through the same stream and keep nothing.
*.vs_serde_slice     the same floor with the whole file in one slice of memory: told, not judged.
                     It needs as much memory as the file is long, which no reader here may take.
telegram.vs_ijson    ijson (PyPI, its C back end) handing out the messages / our survey
telegram_html.mb_s   megabytes of pages a second. There is no peer that reads them right; the target
                     is what a cabinet's largest export, some hundred megabytes, needs to be read
                     in well under a minute.
readers.memory_mb    the most that a process of the release build holds (VmHWM), inspecting and
                     printing the messages of each format, small and big
readers.memory_growth  for the format with the worst ratio, big / small
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import environment

ROOT = environment.ROOT
INPUTS = ROOT / "target" / "bench"
CARGO = os.environ.get("CARGO", "cargo")
STOPWATCH = ROOT / "sandbox" / "stopwatch"

PEER_NODE = """
import { parseString } from 'whatsapp-chat-parser';
import fs from 'fs';
const [start, cpu] = [process.hrtime.bigint(), process.cpuUsage()];
const text = fs.readFileSync(process.argv[2], 'utf8');
const messages = parseString(text, { parseAttachments: true });
const wall = Number(process.hrtime.bigint() - start) / 1e6;
const used = process.cpuUsage(cpu);
console.log(JSON.stringify({
  wall_ms: wall, cpu_ms: (used.user + used.system) / 1e3, count: messages.length }));
"""

PEER_IJSON = """
import ijson, json, sys, time
with open(sys.argv[1], 'rb') as file:
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in ijson.items(file, 'messages.item'))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({'wall_ms': wall * 1e3, 'cpu_ms': cpu * 1e3, 'count': count}))
"""


@dataclass
class Best:
    """The best of the rounds."""

    wall_ms: float = float("inf")
    cpu_ms: float = float("inf")
    count: int = 0

    def take(self, figures: dict) -> None:
        self.wall_ms = min(self.wall_ms, figures["wall_ms"])
        self.cpu_ms = min(self.cpu_ms, figures["cpu_ms"])
        self.count = figures["count"]


def say(words: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {words}", file=sys.stderr, flush=True)


def built() -> tuple[Path, Path]:
    """The release build of the program, and the stopwatch."""
    say("building the release and the stopwatch")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    subprocess.run([CARGO, "build", "--release", "--locked", "--bin", "passerelle"], cwd=ROOT, check=True)
    # The versions that are measured are those of the program.
    shutil.copy(ROOT / "Cargo.lock", STOPWATCH / "Cargo.lock")
    command = [CARGO, "build", "--release", "--target-dir", target / "stopwatch"]
    subprocess.run(command, cwd=STOPWATCH, check=True)
    return target / "release" / "passerelle", target / "stopwatch" / "release" / "passerelle-stopwatch"


class Stopwatch:
    def __init__(self, binary: Path, peers: Path, ijson: Path) -> None:
        self.binary, self.node, self.python = binary, peers, ijson
        (peers / "bench.mjs").write_text(PEER_NODE)
        (peers / "bench_ijson.py").write_text(PEER_IJSON)

    def run(self, what: str, file: Path, size_mb: int = 0) -> dict:
        """One measurement in a process of its own."""
        if what == "peer-node":
            command = ["node", "--max-old-space-size=6000", "bench.mjs", str(file)]
        elif what == "peer-ijson":
            command = [str(self.python), "bench_ijson.py", str(file)]
        else:
            command = [str(self.binary), what, str(file), str(size_mb)]
        done = subprocess.run(command, cwd=self.node, check=True, stdout=subprocess.PIPE, text=True)
        found = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return json.loads(found[-1]) if found else {}

    def turns(self, rounds: int, contestants: dict[str, tuple[str, Path]]) -> dict[str, Best]:
        best = {name: Best() for name in contestants}
        for _ in range(rounds):
            for name, (what, file) in contestants.items():
                best[name].take(self.run(what, file))
        for name, figures in best.items():
            print(f"{name:24} {figures.wall_ms:10.1f} ms wall {figures.cpu_ms:10.1f} ms processor {figures.count:>9}")
        return best

    def make(self, name: str, size_mb: int) -> Path:
        path = INPUTS / name
        remove(path)
        self.run("make", path, size_mb)
        return path


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def memory_mb(command: list[str]) -> float:
    """The most memory that a process holds. VmHWM only ever grows, so the last look is the most."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        # Before it has become the program, it is still a copy of this one.
        if status.startswith("Name:\tpasserelle"):
            most = max(most, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
        time.sleep(0.005)
    if process.wait() != 0:
        sys.exit(f"{' '.join(command)} failed")
    return most / 1024


def ratio(floor: Best, ours: Best) -> float:
    """How many times ours fits into the other one: the less favourable of two clocks."""
    return min(floor.wall_ms / ours.wall_ms, floor.cpu_ms / ours.cpu_ms)


class Bars:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failed = False

    def at_least(self, name: str, value: float, target: float) -> None:
        self.add(name, value, target, value >= target)

    def at_most(self, name: str, value: float, target: float) -> None:
        self.add(name, value, target, value <= target)

    def add(self, name: str, value: float, target: float, good: bool) -> None:
        self.failed |= not good
        self.lines.append(f"bar {name} {value:.2f} {target:g} {'pass' if good else 'fail'}")

    def told(self, name: str, value: float) -> None:
        print(f"told {name} {value:.2f}")


def speed(watch: Stopwatch, rounds: int, bars: Bars) -> None:
    say("whatsapp: a chat of a million messages")
    chat = watch.make("whatsapp.txt", 92)
    best = watch.turns(
        rounds,
        {
            "whatsapp-chat-parser": ("peer-node", chat),
            "whatsapp survey": ("survey", chat),
            "whatsapp lines": ("lines", chat),
            "whatsapp lines, copied": ("lines-copied", chat),
            "whatsapp read": ("read", chat),
        },
    )
    ours = best["whatsapp survey"]
    bars.at_least("whatsapp.vs_peer", ratio(best["whatsapp-chat-parser"], ours), 8)
    bars.at_least("whatsapp.vs_memchr", ratio(best["whatsapp lines"], ours), 0.15)
    bars.told("whatsapp.vs_read_until", ratio(best["whatsapp lines, copied"], ours))
    remove(chat)

    say("olvid: 200 MB")
    folder = watch.make("olvid", 200)
    json_file = folder / "discussions_and_messages.json"
    best = watch.turns(
        rounds,
        {
            "olvid IgnoredAny reader": ("json-reader", json_file),
            "olvid survey": ("survey", folder),
            "olvid IgnoredAny slice": ("json-slice", json_file),
            "olvid read": ("read", folder),
        },
    )
    bars.at_least("olvid.vs_serde", ratio(best["olvid IgnoredAny reader"], best["olvid survey"]), 0.5)
    bars.told("olvid.vs_serde_slice", ratio(best["olvid IgnoredAny slice"], best["olvid survey"]))
    remove(folder)

    say("telegram: 1 GB")
    folder = watch.make("telegram", 1000)
    json_file = folder / "result.json"
    best = watch.turns(
        rounds,
        {
            "telegram IgnoredAny reader": ("json-reader", json_file),
            "telegram survey": ("survey", folder),
            "telegram IgnoredAny slice": ("json-slice", json_file),
            "ijson": ("peer-ijson", json_file),
        },
    )
    ours = best["telegram survey"]
    bars.at_least("telegram.vs_serde", ratio(best["telegram IgnoredAny reader"], ours), 0.5)
    bars.told("telegram.vs_serde_slice", ratio(best["telegram IgnoredAny slice"], ours))
    bars.at_least("telegram.vs_ijson", ratio(best["ijson"], ours), 2)
    remove(folder)

    say("telegram pages: 50 MB")
    folder = watch.make("html", 50)
    size_mb = sum(page.stat().st_size for page in folder.iterdir()) / 1e6
    best = watch.turns(rounds, {"telegram pages survey": ("survey", folder)})
    bars.at_least("telegram_html.mb_s", size_mb / (best["telegram pages survey"].cpu_ms / 1e3), 50)
    remove(folder)


def memory(watch: Stopwatch, program: Path, big_mb: int, bars: Bars) -> None:
    most, growth = 0.0, 0.0
    for name, chat in [("whatsapp.txt", None), ("telegram", None), ("olvid", "first")]:
        small: dict[str, float] = {}
        for size_mb in (100, big_mb):
            say(f"memory: {name}, {size_mb} MB")
            export = watch.make(name, size_mb)
            messages = [str(program), "archive", "messages", str(export)]
            if chat:
                chats = subprocess.run(
                    [program, "archive", "chats", export], check=True, stdout=subprocess.PIPE, text=True
                ).stdout
                messages += ["--chat", chats.split("\t", 1)[0]]
            for what, command in [
                ("inspect", [str(program), "archive", "inspect", str(export)]),
                ("messages", messages),
            ]:
                held = memory_mb(command)
                print(f"{name} {size_mb} MB {what}: {held:.1f} MB")
                most = max(most, held)
                if what in small:
                    growth = max(growth, held / small[what])
                small.setdefault(what, held)
            remove(export)
    bars.at_most("readers.memory_mb", most, 64)
    bars.at_most("readers.memory_growth", growth, 1.1)


def main() -> None:
    parser = argparse.ArgumentParser(description="measures the readers beside their peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--big-mb", type=int, default=2000, help="size of the big export (default 2000)")
    parser.add_argument("--only", choices=["speed", "memory"])
    arguments = parser.parse_args()
    INPUTS.mkdir(parents=True, exist_ok=True)
    needed = max(arguments.big_mb, 1000) * 1_100_000
    if shutil.disk_usage(INPUTS).free < needed:
        sys.exit(f"{INPUTS} needs {needed >> 20} MiB of free disk\nhint: give a smaller --big-mb")
    program, stopwatch = built()
    watch = Stopwatch(stopwatch, environment.node(["whatsapp-chat-parser"]), environment.python(["ijson"]))
    bars = Bars()
    try:
        if arguments.only != "memory":
            speed(watch, arguments.rounds, bars)
        if arguments.only != "speed":
            memory(watch, program, arguments.big_mb, bars)
    finally:
        shutil.rmtree(INPUTS, ignore_errors=True)
    print("\n".join(bars.lines))
    sys.exit(1 if bars.failed else 0)


if __name__ == "__main__":
    main()
