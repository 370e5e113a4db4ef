#!/usr/bin/env python3
"""A stand-in for the Olvid bot daemon, on loopback, for the tests and the demonstration.

The real daemon ships only as a container image and needs Olvid's servers. This one speaks its
real wire: the services are the generated base classes of the official package `olvid-bot` from
PyPI, so that the official client can talk to it. It knows nothing of passerelle.

    stand_in.py venv                       make .work/olvid-venv (nothing to do: 0.1 s)
    stand_in.py run --dir DIR              run it until standard input closes, or SIGTERM
    stand_in.py descriptors                the package's messages and services, as JSON

DIR keeps the world: people, groups, messages, files, and olvid.json, which says where the daemon
and its control listen. Started again on the same DIR, after a stop or a SIGKILL, it is the same
world on the same ports. What people do is told through the control (see `control.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("PASSERELLE_WORK", ROOT / ".work")).resolve()
VENV = WORK / "olvid-venv"
VENV_PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ["olvid-bot==2.0.1.post1"]
TICK_SECONDS = 0.1


def make_venv() -> None:
    """Makes the environment, once; several tests may ask at the same time."""
    stamp, wanted = VENV / "passerelle.stamp", "\n".join(REQUIREMENTS) + "\n"
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / "olvid-venv.lock", "w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if VENV_PYTHON.exists() and stamp.is_file() and stamp.read_text() == wanted:
            return
        print(f"olvid: making {VENV} with {', '.join(REQUIREMENTS)}", file=sys.stderr)
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "-q"]
        subprocess.run([*pip, "install", *REQUIREMENTS], check=True)
        stamp.write_text(wanted)


def inside_venv(arguments: list[str]) -> None:
    """Goes on as the environment's own Python, where the official package is."""
    make_venv()
    os.execv(VENV_PYTHON, [str(VENV_PYTHON), __file__, *arguments])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def run(folder: Path) -> None:
    """Runs the daemon and its control until told to stop."""
    import grpc
    from control import serve
    from daemon import Desk, Faults
    from services import add_services
    from world import World

    folder.mkdir(parents=True, exist_ok=True)
    facts_path = folder / "olvid.json"
    if facts_path.exists():
        facts = json.loads(facts_path.read_text())
    else:
        facts = {"grpc": free_port(), "control": free_port(), "admin_key": secrets.token_hex(16)}
        facts_path.write_text(json.dumps(facts))
    world = World(folder, lambda: int(time.time() * 1000))
    desk = Desk(world, Faults(), facts["admin_key"])
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_services(desk, server)
    if server.add_insecure_port(f"127.0.0.1:{facts['grpc']}") == 0:
        raise SystemExit(f"olvid: port {facts['grpc']} is taken")
    await server.start()
    loop = asyncio.get_running_loop()
    serve(desk, facts["control"], loop)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # The test that started it closes standard input when it ends, however it ends.
    if not sys.stdin.isatty():
        loop.run_in_executor(None, lambda: (sys.stdin.read(), loop.call_soon_threadsafe(stop.set)))
    print(json.dumps(facts), flush=True)
    while not stop.is_set():
        if world.tick():
            world.keep()
        try:
            await asyncio.wait_for(stop.wait(), TICK_SECONDS)
        except TimeoutError:
            pass
    desk.drop_streams()
    await server.stop(grace=0.2)


def descriptors() -> dict:
    """Every message, enum and service of the package: what our own definitions are held against."""
    import importlib

    # The package removes the name from itself, so it is asked for by its whole name.
    package = Path(importlib.import_module("olvid.protobuf").__path__[0])

    messages, enums, services = {}, {}, {}

    def add_message(one) -> None:
        messages[one.full_name] = [
            {
                "name": field.name, "number": field.number, "type": field.type,
                "repeated": field.is_repeated, "optional": field.has_presence and field.message_type is None,
                "of": (field.message_type or field.enum_type).full_name if field.message_type or field.enum_type else "",
                "oneof": field.containing_oneof.name if field.containing_oneof else "",
            }
            for field in one.fields
        ]  # fmt: skip
        for nested in one.nested_types:
            add_message(nested)
        for enum in one.enum_types:
            enums[enum.full_name] = {value.name: value.number for value in enum.values}

    for path in sorted((package / "olvid" / "daemon").rglob("*_pb2.py")):
        module = ".".join(path.relative_to(package).with_suffix("").parts)
        file = importlib.import_module(f"olvid.protobuf.{module}").DESCRIPTOR
        for one in file.message_types_by_name.values():
            add_message(one)
        for enum in file.enum_types_by_name.values():
            enums[enum.full_name] = {value.name: value.number for value in enum.values}
        for service in file.services_by_name.values():
            services[service.full_name] = {
                method.name: {
                    "in": method.input_type.full_name, "out": method.output_type.full_name,
                    "client_streaming": method.client_streaming, "server_streaming": method.server_streaming,
                }
                for method in service.methods
            }  # fmt: skip
    return {"messages": messages, "enums": enums, "services": services}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("venv")
    commands.add_parser("descriptors")
    runner = commands.add_parser("run")
    runner.add_argument("--dir", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.command == "venv":
        make_venv()
        return
    if Path(sys.prefix).resolve() != VENV:
        inside_venv(sys.argv[1:])
    if arguments.command == "run":
        asyncio.run(run(arguments.dir.resolve()))
    else:
        json.dump(descriptors(), sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
