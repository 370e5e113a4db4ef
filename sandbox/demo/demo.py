#!/usr/bin/env python3
"""The main job from end to end, on a real homeserver: a WhatsApp export becomes a Tchap room.

    demo.py [--keep]

It starts Synapse on loopback, generates a configuration and a registration, starts the daemon,
plans and imports the bundled sample, and shows the room as an ordinary invited person reads it.
Everything lies in .work/demo. A second run finds the work done and changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("PASSERELLE_WORK", ROOT / ".work")).resolve() / "demo"
HOMESERVER = [sys.executable, str(ROOT / "sandbox/homeserver/homeserver.py")]
SAMPLE = ROOT / "sandbox/sample/Discussion WhatsApp avec Cabinet – Coordination.zip"
PARIS = ZoneInfo("Europe/Paris")
PEOPLE = {"admin": "camille.roy-exemple.gouv.fr", "member": "sacha.petit-exemple.gouv.fr"}
WITNESS = "temoin-passerelle"


def say(text: str = "") -> None:
    print(text, flush=True)


def step(text: str) -> None:
    say(f"\n== {text}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command: str | Path, shown: bool = True) -> str:
    """Runs a command, printing what a person would type, and returns what it says on stdout."""
    words = [str(word) for word in command]
    if shown:
        short = ["passerelle" if word == str(binary()) else word for word in words]
        short = [word.replace(str(ROOT) + "/", "") for word in short]
        say("$ " + " ".join(f"'{word}'" if " " in word else word for word in short))
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, cwd=WORK)
    if done.returncode:
        say(done.stdout)
        sys.exit(f"this step failed with exit code {done.returncode}; logs are in {WORK}")
    return done.stdout


def binary() -> Path:
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release/passerelle"


def homeserver(*arguments: str | Path) -> str:
    done = subprocess.run([*HOMESERVER, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("the homeserver could not be set up, see above")
    return done.stdout


class Person:
    """An ordinary account with its own access token."""

    def __init__(self, base_url: str, account: dict[str, str]) -> None:
        self.base_url, self.user_id, self.token = (
            base_url, account["user_id"], account["access_token"])

    def call(self, method: str, path: str, body: object = None) -> dict:
        request = urllib.request.Request(
            f"{self.base_url}/_matrix/client/v3/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def join(self, room: str) -> None:
        self.call("POST", f"join/{urllib.parse.quote(room)}", {})

    def timeline(self, room: str) -> list[dict]:
        events: list[dict] = []
        start = ""
        while True:
            path = f"rooms/{urllib.parse.quote(room)}/messages?dir=f&limit=200{start}"
            page = self.call("GET", path)
            events += page["chunk"]
            if "end" not in page:
                return events
            start = "&from=" + urllib.parse.quote(page["end"])

    def names(self, room: str) -> dict[str, str]:
        joined = self.call("GET", f"rooms/{urllib.parse.quote(room)}/joined_members")["joined"]
        return {user: who.get("display_name") or user for user, who in joined.items()}


def set_up() -> tuple[Path, dict]:
    """Configuration, registration, homeserver and accounts; all kept for the next run."""
    config = WORK / "passerelle.toml"
    registration = WORK / "registration.yaml"
    server = WORK / "homeserver"
    if not config.exists():
        port = free_port()
        run(binary(), "--config", config, "config", "init",
            "--homeserver-url", f"http://127.0.0.1:{port}", "--server-name", "tchap.test")
        text = config.read_text()
        for old in ("29318", "29319"):
            text = text.replace(old, str(free_port()))
        # The homeserver is ours alone, so nobody is disturbed by an import at full speed.
        text = text.replace("calls_per_second = 1.0", "calls_per_second = 0")
        text = text.replace('token_file = ""', 'token_file = "secrets/witness_token"')
        config.write_text(text)
        run(binary(), "--config", config, "registration", "generate", "--output", registration)
        homeserver("start", "--dir", server, "--port", port, "--registration", registration)
    else:
        homeserver("start", "--dir", server)
    known = json.loads((server / "homeserver.json").read_text())
    accounts = {role: json.loads(homeserver("user", "--dir", server, name))
                for role, name in PEOPLE.items()}
    witness = json.loads(homeserver("user", "--dir", server, WITNESS))
    secret = WORK / "secrets/witness_token"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(witness["access_token"])
    people = {role: Person(known["base_url"], account) for role, account in accounts.items()}
    return config, {"base_url": known["base_url"], **people}


def start_daemon(config: Path) -> subprocess.Popen:
    log = (WORK / "passerelle.log").open("a")
    daemon = subprocess.Popen([binary(), "--config", config, "run"], stdout=log, stderr=log)
    url = re.search(r'(?ms)^\[operator\].*?^listen = "([^"]+)"', config.read_text())[1]
    for _ in range(150):
        if daemon.poll() is not None:
            sys.exit(f"the daemon stopped; its log is {WORK / 'passerelle.log'}")
        try:
            with urllib.request.urlopen(f"http://{url}/health/ready", timeout=5):
                return daemon
        except OSError:
            time.sleep(0.1)
    sys.exit(f"the daemon is not ready; its log is {WORK / 'passerelle.log'}")


def decide(plan: Path) -> None:
    """What an administrator does in an editor: look at everybody, say who answers for it."""
    text = plan.read_text()
    text = text.replace('by = ""', 'by = "Camille Roy, cheffe de cabinet (démonstration)"', 1)
    exporter = re.search(r'id = "([^"]+)"\nexported_name = "Thomas Lebrun"', text)[1]
    text = text.replace('\nexporter = ""', f'\nexporter = "{exporter}"', 1)
    text = text.replace("reviewed = false", "reviewed = true")
    plan.write_text(text)
    say("edited plan.toml: approval.by, reading.exporter (Thomas Lebrun's telephone made the")
    say("export), and reviewed = true for each participant:")
    people = re.findall(r'exported_name = "(.*)"\nmessages = \d+\nname = "(.*)"', text)
    for exported, shown in people:
        say(f"  {exported:<22} will be shown as  {shown} [WhatsApp]")


def line_of(event: dict, names: dict[str, str]) -> str | None:
    content = event.get("content", {})
    if event.get("state_key") is not None or not content:
        return None
    when = datetime.fromtimestamp(event["origin_server_ts"] / 1000, PARIS)
    stamp = when.strftime("%d/%m/%Y %H:%M %Z")
    who = names.get(event["sender"], event["sender"])
    kind = content.get("msgtype", event["type"])
    body = " ⏎ ".join(str(content.get("body", "")).splitlines())
    if kind in ("m.image", "m.video", "m.audio", "m.file"):
        info = content.get("info", {})
        size = f"{info['w']}×{info['h']} " if "w" in info else ""
        body = f"[{kind[2:]} {info.get('mimetype')} {size}{info.get('size')} octets] {body}"
    return f"{stamp}  {who}: {body[:110]}"


def show_room(person: Person, room: str) -> None:
    names = person.names(room)
    events = person.timeline(room)
    lines = [(event, line) for event in events if (line := line_of(event, names))]
    say(f"{person.user_id} reads {len(lines)} messages, with an ordinary access token.")
    say("The beginning:")
    for _, line in lines[:8]:
        say("  " + line)
    say("The night the clocks went back (02:xx comes twice):")
    night = [line for _, line in lines if line.startswith("26/10/2025 02:")]
    for line in night[:3] + ["…"] + night[-3:]:
        say("  " + line)
    say("Files:")
    for event, line in lines:
        if event["content"].get("msgtype") in ("m.image", "m.video", "m.audio", "m.file"):
            say("  " + line)
    say("The end:")
    for _, line in lines[-4:]:
        say("  " + line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    arguments = parser.parse_args()

    step("building passerelle (release; the first time takes several minutes)")
    cargo = os.environ.get("CARGO", "cargo")
    if subprocess.run([cargo, "build", "--release", "--locked"], cwd=ROOT).returncode:
        sys.exit("the build failed, see above")
    WORK.mkdir(parents=True, exist_ok=True, mode=0o700)

    step("a homeserver with Tchap's access rules, a registration, and three ordinary accounts")
    config, world = set_up()
    say(f"Synapse answers at {world['base_url']}")
    daemon = start_daemon(config)
    try:
        passerelle = [binary(), "--config", config]
        run(*passerelle, "registration", "check", "--file", WORK / "registration.yaml")

        jobs = json.loads(run(*passerelle, "import", "status", "--json", shown=False))
        done = [job for job in jobs if job["state"] == "done"]
        if done:
            step("the sample was imported by an earlier run; nothing is changed")
            job = done[0]["id"]
        else:
            step("what the archive holds")
            archive = WORK / SAMPLE.name
            shutil.copy(SAMPLE, archive)
            say(run(*passerelle, "archive", "inspect", archive))
            step("a plan, which a person reads, edits and approves")
            plan = WORK / "plan.toml"
            plan.unlink(missing_ok=True)
            run(*passerelle, "import", "plan", archive, "--output", plan,
                "--room-name", "Cabinet – Coordination (historique WhatsApp)",
                "--admin", world["admin"].user_id, "--invite", world["member"].user_id)
            decide(plan)
            step("the import")
            job = run(*passerelle, "import", "start", plan, "--wait").strip()

        step("the report")
        say(run(*passerelle, "import", "report", job))
        view = json.loads(run(*passerelle, "import", "status", job, "--json", shown=False))

        step("the room, as an invited person sees it")
        world["member"].join(view["room_id"])
        show_room(world["member"], view["room_id"])
        say(f"\nThe report lies in {view['report']}")
        if arguments.keep:
            keep(config, world, view)
            return
    finally:
        if not arguments.keep or sys.exc_info()[0] is not None:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
            homeserver("stop", "--dir", WORK / "homeserver")
    say("Everything is stopped. `make demo KEEP=1` leaves it running.")


def keep(config: Path, world: dict, view: dict) -> None:
    say("\nEverything is still running:")
    say(f"  homeserver   {world['base_url']}")
    say(f"  room         {view['room_id']}")
    for role in PEOPLE:
        say(f"  {role:<12} {world[role].user_id}, access token {world[role].token}")
    say(f"  daemon       {binary()} --config {config} import status")
    say(f"  its log      {WORK / 'passerelle.log'}")
    say("Read the room with any Matrix client that takes an access token, or:")
    room = urllib.parse.quote(view["room_id"])
    say(f"  curl -H 'Authorization: Bearer {world['member'].token}' "
        f"'{world['base_url']}/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=5'")
    say("Stop it: pkill -f 'passerelle --config'; "
        f"python3 sandbox/homeserver/homeserver.py stop --dir {WORK / 'homeserver'}")


if __name__ == "__main__":
    main()
