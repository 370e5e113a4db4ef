#!/usr/bin/env python3
"""A real Synapse for the tests and the demo, on loopback, from PyPI.

It makes the virtual environment, writes one server's configuration, and starts and stops
that server. It knows nothing of passerelle: a registration file is handed to it like to any
homeserver. Only the standard library is used, so it runs before anything is installed.

    homeserver.py venv                          make .work/venv (nothing to do: 0.1 s)
    homeserver.py start --dir DIR [options]     start in the background, wait until it answers
    homeserver.py stop --dir DIR
    homeserver.py user --dir DIR NAME           an ordinary account: {"user_id", "access_token"}
    homeserver.py status --dir DIR
    homeserver.py prepare --dir DIR [options]   write the configuration only
    homeserver.py arrivals --dir DIR            when messages came in: {"room id": [milliseconds]}
    homeserver.py run --dir DIR                 run it until standard input closes (the tests)
    homeserver.py template                      make the empty database that new servers copy
    homeserver.py postgres start|stop           the PostgreSQL for servers made with --postgres

DIR keeps everything of one server: its database, media, keys, log, and homeserver.json, which
says where it listens. Started again on the same DIR, after a stop or a SIGKILL, it is the same
server on the same port with the same options, unless other options are given.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import random
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from postgres import TEMPLATE as POSTGRES_TEMPLATE
from postgres import Cluster, Unavailable

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("PASSERELLE_WORK", ROOT / ".work")).resolve()
VENV = WORK / "venv"
VENV_PYTHON = VENV / "bin" / "python"
TEMPLATE = WORK / "homeserver-template"

# txredisapi 1.6 breaks every start of this Synapse, even without workers.
REQUIREMENTS = [
    "matrix-synapse==1.163.2",
    "synapse-room-access-rules==1.0.0",
    "txredisapi<1.6",
]
# Wheels only; Synapse's own extra would build psycopg2 from source.
POSTGRES_REQUIREMENT = "psycopg2-binary==2.9.13"
# Set to `postgres`, it makes every server that is prepared one with --postgres.
DATABASE_VARIABLE = "PASSERELLE_TEST_DATABASE"
PYTHONS = [(3, 11), (3, 12), (3, 13), (3, 10)]

SERVER_NAME = "tchap.test"
START_SECONDS = 90
STOP_SECONDS = 15


class Failure(Exception):
    """Something the person at the keyboard can act on; its text says what."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# The virtual environment


def make_venv() -> None:
    stamp = VENV / "passerelle.stamp"
    wanted = "\n".join(REQUIREMENTS) + "\n"
    if _is_current(stamp, wanted):
        return
    WORK.mkdir(parents=True, exist_ok=True)
    with _lock(WORK / "venv.lock"):
        if _is_current(stamp, wanted):
            return
        started = time.monotonic()
        python = _find_python()
        say(f"homeserver: making {VENV} with {python} (about a minute, 190 MB)")
        shutil.rmtree(VENV, ignore_errors=True)
        install = _create_venv(python)
        say(f"homeserver: installing {', '.join(REQUIREMENTS)}")
        _run_visibly([*install, "install", "--progress-bar", "off", *REQUIREMENTS])
        check = [str(VENV_PYTHON), "-c", "import synapse.app.homeserver, room_access_rules"]
        if subprocess.run(check, check=False).returncode != 0:
            raise Failure("Synapse was installed but cannot be imported; see the lines above")
        stamp.write_text(wanted)
        say(f"homeserver: environment ready after {time.monotonic() - started:.0f} s")


def make_postgres_venv() -> None:
    """The driver comes beside the rest, so that nobody's environment is made anew for it."""
    make_venv()
    stamp = VENV / "passerelle-postgres.stamp"
    wanted = POSTGRES_REQUIREMENT + "\n"
    if _is_current(stamp, wanted):
        return
    with _lock(WORK / "venv.lock"):
        if _is_current(stamp, wanted):
            return
        say(f"homeserver: installing {POSTGRES_REQUIREMENT}")
        inside = [str(VENV_PYTHON), "-m", "pip"]
        outside = [_find_python(), "-m", "pip", "--python", str(VENV_PYTHON)]
        pip = inside if _quietly([*inside, "--version"]) else outside
        wheels = ["install", "--only-binary", ":all:", "--progress-bar", "off"]
        _run_visibly([*pip, "--disable-pip-version-check", *wheels, POSTGRES_REQUIREMENT])
        stamp.write_text(wanted)


def _is_current(stamp: Path, wanted: str) -> bool:
    return VENV_PYTHON.exists() and stamp.is_file() and stamp.read_text() == wanted


def _find_python() -> str:
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    for major, minor in PYTHONS:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return found
    have = ".".join(map(str, sys.version_info[:2]))
    raise Failure(
        f"Synapse needs Python 3.10 to 3.13, this is {have} and no other was found\n"
        "hint: install python3.11 or python3.12 and run this again"
    )


def _create_venv(python: str) -> list[str]:
    """Makes VENV by the first way that works and returns the pip that fills it."""
    inside = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check"]
    if _quietly([python, "-m", "venv", str(VENV)]):
        return inside
    # Debian and Ubuntu keep ensurepip in a package of its own.
    say("homeserver: `python -m venv` failed (python3-venv missing?), trying other ways")
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"homeserver: apt-get install python{version}-venv")
        _quietly(["apt-get", "update"])
        _quietly(["apt-get", "install", "-y", f"python{version}-venv"])
        shutil.rmtree(VENV, ignore_errors=True)
        if _quietly([python, "-m", "venv", str(VENV)]):
            return inside
    shutil.rmtree(VENV, ignore_errors=True)
    if _quietly([python, "-m", "virtualenv", "-p", python, str(VENV)]):
        return inside
    shutil.rmtree(VENV, ignore_errors=True)
    outside = [python, "-m", "pip", "--disable-pip-version-check", "--python", str(VENV_PYTHON)]
    if _quietly([python, "-m", "venv", "--without-pip", str(VENV)]) and _quietly(
        [*outside, "--version"]
    ):
        return outside
    shutil.rmtree(VENV, ignore_errors=True)
    raise Failure(
        "no way to make a Python virtual environment was found\n"
        f"hint: apt-get install python{version}-venv   (as root, on Debian or Ubuntu)"
    )


def _quietly(command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True
        )
    except OSError:
        return False
    return done.returncode == 0


def _run_visibly(command: list[str]) -> None:
    """Shows one line for each package, so that a slow network is seen to move."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        tail: list[str] = []
        count = 0
        for line in process.stdout or []:
            tail = [*tail[-30:], line.rstrip()]
            if line.startswith("Collecting"):
                count += 1
                say(f"homeserver:   {count:3d} {line.strip()}")
            elif line.startswith("Installing collected"):
                say("homeserver:   unpacking")
    if process.returncode != 0:
        raise Failure("pip failed:\n" + "\n".join(tail))


@contextlib.contextmanager
def _lock(path: Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# One server's directory


class Server:
    """The files of one server. `homeserver.json` is what others may read."""

    def __init__(self, directory: str) -> None:
        self.dir = Path(directory).resolve()
        self.facts_path = self.dir / "homeserver.json"
        self.config_path = self.dir / "homeserver.yaml"
        self.log_path = self.dir / "homeserver.log"
        self.users_path = self.dir / "users.json"

    def facts(self) -> dict:
        try:
            return json.loads(self.facts_path.read_text())
        except FileNotFoundError:
            raise Failure(f"no homeserver was ever started in {self.dir}") from None

    def write_facts(self, facts: dict) -> None:
        _write_private(self.facts_path, json.dumps(facts, indent=2) + "\n")

    def is_running(self, facts: dict) -> bool:
        """True when the noted process lives and is the one of this directory."""
        pid = facts.get("pid")
        if not pid:
            return False
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return str(self.config_path).encode() in command.split(b"\0")

    def log_tail(self) -> str:
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-30:])
        except OSError:
            return "(no log)"


def _write_private(path: Path, text: str) -> None:
    scratch = path.with_suffix(path.suffix + ".new")
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    os.replace(scratch, path)


def prepare(server: Server, given: dict, with_template: bool = True) -> dict:
    """Writes (again) the configuration. Options not given stay as they were."""
    server.dir.mkdir(parents=True, exist_ok=True)
    facts = server.facts() if server.facts_path.exists() else {}
    options = {**facts.get("options", {}), **given}
    port = options.get("port") or facts.get("port") or _free_port()
    facts = {
        "base_url": f"http://127.0.0.1:{port}",
        "server_name": options.get("server_name") or SERVER_NAME,
        "port": port,
        "pid": facts.get("pid"),
        "shared_secret": facts.get("shared_secret") or secrets.token_hex(24),
        "python": str(VENV_PYTHON),
        "config": str(server.config_path),
        "log": str(server.log_path),
        "options": options,
    }
    key = server.dir / "signing.key"
    if not key.exists():
        seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        _write_private(key, f"ed25519 a_{secrets.token_hex(2)} {seed}\n")
    with_template = with_template and facts["server_name"] == SERVER_NAME
    database = server.dir / "homeserver.db"
    if options.get("postgres"):
        facts["database"] = _postgres_database(server, with_template)
    elif with_template and not database.exists():
        make_template()
        for part in TEMPLATE.glob("homeserver.db*"):
            shutil.copyfile(part, server.dir / part.name)
    _write_private(server.dir / "log.yaml", json.dumps(_log_config(options), indent=2))
    _write_private(server.config_path, json.dumps(_synapse_config(server, facts), indent=2))
    server.write_facts(facts)
    return facts


def _postgres_database(server: Server, with_template: bool) -> str:
    """A database of this directory's own, made when there is none yet."""
    name = "hs_" + hashlib.sha256(str(server.dir).encode()).hexdigest()[:16]
    make_postgres_venv()
    cluster = Cluster(WORK)
    cluster.start()
    if not cluster.has(name):
        if with_template:
            make_postgres_template()
        cluster.create(name, POSTGRES_TEMPLATE if with_template else "template0")
    return name


def _database_section(server: Server, facts: dict) -> dict:
    if facts["options"].get("postgres"):
        return Cluster(WORK).synapse_section(facts["database"])
    return {"name": "sqlite3", "args": {"database": str(server.dir / "homeserver.db")}}


def _synapse_config(server: Server, facts: dict) -> dict:
    """Synapse reads YAML, and JSON is YAML."""
    options = facts["options"]

    def derived(purpose: str) -> str:
        return hmac.new(facts["shared_secret"].encode(), purpose.encode(), "sha256").hexdigest()

    config = {
        "server_name": facts["server_name"],
        "public_baseurl": facts["base_url"] + "/",
        "listeners": [
            {
                "port": facts["port"],
                "type": "http",
                "bind_addresses": ["127.0.0.1"],
                "tls": False,
                "resources": [{"names": ["client", "media"], "compress": False}],
            }
        ],
        "database": _database_section(server, facts),
        "log_config": str(server.dir / "log.yaml"),
        "pid_file": str(server.dir / "synapse.pid"),
        "registration_shared_secret": facts["shared_secret"],
        "macaroon_secret_key": derived("macaroon"),
        "form_secret": derived("form"),
        "signing_key_path": str(server.dir / "signing.key"),
        "media_store_path": str(server.dir / "media"),
        "report_stats": False,
        "trusted_key_servers": [],
        "federation_domain_whitelist": [],
        "bcrypt_rounds": 4,
        "enable_registration": False,
        "presence": {"enabled": False},
        # Tchap has forums, which its directory lists.
        "room_list_publication_rules": [{"action": "allow"}],
        # The version that Tchap's access rules module can create.
        "default_room_version": "11",
        "modules": _access_rules(options),
        # Without these an application service gets no to-device messages and no key counts.
        "experimental_features": {
            "msc2409_to_device_messages_enabled": True,
            "msc3202_transaction_extensions": True,
        },
    }
    if options.get("registration"):
        config["app_service_config_files"] = options["registration"]
    if options.get("retention"):
        # Purges are left out: what is out of date must be hidden by the policy alone.
        config["retention"] = {
            "enabled": True,
            "default_policy": {"min_lifetime": "1d", "max_lifetime": f"{options['retention']}d"},
            "allowed_lifetime_min": "1d",
            "purge_jobs": [{"interval": "365d"}],
        }
    if options.get("silent_devices"):
        # As a homeserver that tells an application service nothing about devices.
        del config["experimental_features"]
    if options.get("force_encryption"):
        config["encryption_enabled_by_default_for_room_type"] = "invite"
    if options.get("max_upload"):
        config["max_upload_size"] = options["max_upload"]
    if options.get("no_rate_limits"):
        free = {"per_second": 10000, "burst_count": 10000}
        config |= {"rc_message": free, "rc_registration": free, "rc_invites": {"per_room": free}}
        config |= {"rc_joins": {"local": free, "remote": free}, "rc_joins_per_room": free}
        config |= {"rc_login": {"address": free, "account": free, "failed_attempts": free}}
        config |= {"rc_media_create": free, "rc_room_creation": free}
    config |= options.get("set", {})
    return config


def _access_rules(options: dict) -> list[dict]:
    """Tchap's module, in the flavour that was asked for."""
    flavour = options.get("access_rules", "v1")
    externals = {"domains_forbidden_when_restricted": ["ext.test"]}
    if flavour == "none":
        return []
    if flavour == "v1":
        config = {"id_server": "ids.test", **externals}
        return [{"module": "room_access_rules.RoomAccessRules", "config": config}]
    config = {**externals, "bypass_for_users": options.get("bypass") or []}
    return [{"module": "newer_access_rules.NewerAccessRules", "config": config}]


def _log_config(options: dict) -> dict:
    level = options.get("log_level") or "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
        "root": {"level": level, "handlers": ["stderr"]},
    }


def _free_port() -> int:
    """A port below the range that outgoing connections take theirs from."""
    for _ in range(200):
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failure("no free port between 20000 and 32000 on 127.0.0.1")


# Running


def launch(server: Server, facts: dict, own_session: bool) -> subprocess.Popen:
    process = _spawn(server, facts, own_session)
    _wait_until_it_answers(server, facts, process)
    return process


def _spawn(server: Server, facts: dict, own_session: bool) -> subprocess.Popen:
    if not VENV_PYTHON.exists():
        raise Failure(f"{VENV} is missing\nhint: python3 sandbox/homeserver/homeserver.py venv")
    with open(server.log_path, "ab") as log:
        process = subprocess.Popen(
            [facts["python"], "-m", "synapse.app.homeserver", "-c", facts["config"]],
            cwd=server.dir,
            # Where our own modules lie.
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=own_session,
        )
    facts["pid"] = process.pid
    server.write_facts(facts)
    return process


def _wait_until_it_answers(server: Server, facts: dict, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure(
                f"Synapse stopped at once (exit {process.returncode}); "
                f"the end of {server.log_path}:\n{server.log_tail()}"
            )
        if _is_healthy(facts["base_url"]):
            return
        time.sleep(0.05)
    process.kill()
    raise Failure(
        f"Synapse did not answer within {START_SECONDS} s; "
        f"the end of {server.log_path}:\n{server.log_tail()}"
    )


def _is_healthy(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(base_url + "/health", timeout=2) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def start(server: Server, given: dict) -> dict:
    make_venv()
    if server.facts_path.exists():
        facts = server.facts()
        if server.is_running(facts):
            if any(facts["options"].get(key) != value for key, value in given.items()):
                say("homeserver: already running; other options take effect after a stop")
            return facts
    facts = prepare(server, given)
    launch(server, facts, own_session=True)
    return facts


def run(server: Server) -> None:
    """Runs the server until it ends or standard input closes, whichever comes first.

    The tests start it so: whatever way a test process dies, its end of the pipe closes.
    """
    facts = server.facts()
    process = _spawn(server, facts, own_session=False)

    def end_with_the_caller() -> None:
        # Raw, not buffered: a reader blocked in a buffer's lock would hold up the exit.
        while os.read(0, 4096):
            pass
        process.kill()

    threading.Thread(target=end_with_the_caller, daemon=True).start()
    try:
        _wait_until_it_answers(server, facts, process)
        # The caller may be gone by now; then the line cannot be written, and all ends.
        print(json.dumps(facts), flush=True)
        code = process.wait()
    finally:
        process.kill()
    say(f"homeserver: Synapse ended ({code})")


def stop(server: Server) -> None:
    facts = server.facts()
    if server.is_running(facts):
        pid = facts["pid"]
        for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + patience
            while server.is_running(facts) and time.monotonic() < deadline:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                time.sleep(0.05)
            if not server.is_running(facts):
                break
        else:
            raise Failure(f"process {pid} does not end")
    facts["pid"] = None
    server.write_facts(facts)


def make_template() -> None:
    """An empty database with its schema, copied into each new directory: 1 s instead of 3."""
    stamp = TEMPLATE / "stamp"
    wanted = REQUIREMENTS[0] + "\n"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    with _lock(WORK / "homeserver-template.lock"):
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        make_venv()
        say("homeserver: making the empty database that each test server starts from")
        shutil.rmtree(TEMPLATE, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=WORK, prefix="template-") as scratch:
            server = Server(scratch)
            eager = {"background_updates": {"sleep_enabled": False}}
            facts = prepare(server, {"set": eager}, with_template=False)
            process = launch(server, facts, own_session=False)
            try:
                _wait_for_background_updates(server.dir / "homeserver.db")
            finally:
                process.terminate()
                process.wait(STOP_SECONDS)
            TEMPLATE.mkdir(parents=True)
            for part in server.dir.glob("homeserver.db*"):
                shutil.copyfile(part, TEMPLATE / part.name)
        stamp.write_text(wanted)


def make_postgres_template() -> None:
    """The same in PostgreSQL: a database that new ones are copies of."""
    cluster = Cluster(WORK)
    with _lock(WORK / "homeserver-postgres-template.lock"):
        if cluster.has(POSTGRES_TEMPLATE):
            return
        say("homeserver: making the PostgreSQL database that each test server starts from")
        with tempfile.TemporaryDirectory(dir=WORK, prefix="template-") as scratch:
            server = Server(scratch)
            eager = {"background_updates": {"sleep_enabled": False}}
            facts = prepare(server, {"set": eager, "postgres": True}, with_template=False)
            process = launch(server, facts, own_session=False)
            try:
                count = "SELECT count(*) FROM background_updates"
                _wait_until_none_left(lambda: int(cluster.query(facts["database"], count)))
            finally:
                process.terminate()
                process.wait(STOP_SECONDS)
            rename = f'ALTER DATABASE "{facts["database"]}" RENAME TO "{POSTGRES_TEMPLATE}"'
            cluster.query("postgres", rename)


def _wait_for_background_updates(database: Path) -> None:
    """A fresh schema is completed in the background; let no test run beside that."""

    def left() -> int:
        with contextlib.closing(sqlite3.connect(database, timeout=5)) as connection:
            return connection.execute("SELECT count(*) FROM background_updates").fetchone()[0]

    _wait_until_none_left(left)


def _wait_until_none_left(left: Callable[[], int]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if left() == 0:
            return
        time.sleep(0.2)


# Accounts


def make_user(server: Server, name: str, admin: bool, display_name: str | None) -> dict:
    """Registers an ordinary account, or gives again the token of one made before."""
    facts = server.facts()
    with _lock(server.dir / "users.lock"):
        known = json.loads(server.users_path.read_text()) if server.users_path.exists() else {}
        if name in known:
            return known[name]
        base = facts["base_url"]
        nonce = _call("GET", f"{base}/_synapse/admin/v1/register")["nonce"]
        password = secrets.token_urlsafe(18)
        role = "admin" if admin else "notadmin"
        mac = hmac.new(
            facts["shared_secret"].encode(),
            "\0".join([nonce, name, password, role]).encode(),
            hashlib.sha1,
        ).hexdigest()
        made = _call(
            "POST",
            f"{base}/_synapse/admin/v1/register",
            {
                "nonce": nonce,
                "username": name,
                "displayname": display_name or name,
                "password": password,
                "admin": admin,
                "mac": mac,
            },
        )
        account = {
            "user_id": made["user_id"],
            "access_token": made["access_token"],
            "password": password,
        }
        _write_private(server.users_path, json.dumps({**known, name: account}, indent=2) + "\n")
        return account


def arrivals(server: Server) -> dict:
    """When each message of each room came in, by the server's own clock, in its order."""
    database = server.dir / "homeserver.db"
    query = (
        "SELECT room_id, received_ts FROM events WHERE state_key IS NULL ORDER BY stream_ordering"
    )
    rooms: dict = {}
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        for room, received in connection.execute(query):
            rooms.setdefault(room, []).append(received)
    return rooms


def _call(method: str, url: str, body: dict | None = None) -> dict:
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failure(f"{method} {url}: {error.code} {error.read().decode(errors='replace')}") from None
    except (OSError, urllib.error.URLError) as error:
        raise Failure(f"{method} {url}: {error}\nhint: is the homeserver started?") from None


# The command line


def _options(arguments: argparse.Namespace) -> dict:
    given = {
        "port": arguments.port,
        "registration": [str(Path(p).resolve()) for p in arguments.registration] or None,
        "retention": arguments.retention,
        "force_encryption": arguments.force_encryption,
        "access_rules": arguments.access_rules,
        "bypass": arguments.bypass or None,
        "silent_devices": arguments.silent_devices,
        "max_upload": arguments.max_upload,
        "no_rate_limits": arguments.no_rate_limits,
        "server_name": arguments.server_name,
        "log_level": arguments.log_level,
        "postgres": arguments.postgres or os.environ.get(DATABASE_VARIABLE) == "postgres" or None,
        "set": {key: json.loads(value) for key, value in (s.split("=", 1) for s in arguments.set)}
        or None,
    }
    return {key: value for key, value in given.items() if value is not None}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="A real Synapse for the tests and the demo, on loopback.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("venv", help="make the virtual environment")
    commands.add_parser("template", help="make the database that new servers copy")
    for name, text in (("start", "start in the background"), ("prepare", "configure only")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--dir", required=True)
        command.add_argument("--port", type=int)
        command.add_argument("--registration", action="append", default=[], metavar="FILE")
        command.add_argument("--retention", type=int, metavar="DAYS")
        command.add_argument("--force-encryption", action=argparse.BooleanOptionalAction)
        command.add_argument(
            "--access-rules",
            choices=["v1", "v2", "none"],
            help="Tchap's module: as published, our stand-in for the newer one, or none",
        )
        command.add_argument(
            "--bypass", action="append", default=[], metavar="USER", help="v2 lets them pass"
        )
        command.add_argument("--silent-devices", action=argparse.BooleanOptionalAction)
        command.add_argument("--max-upload", metavar="SIZE", help="such as 50M")
        # No BooleanOptionalAction: that takes a name beginning with `--no-` for its own denial.
        command.add_argument("--no-rate-limits", action="store_const", const=True)
        command.add_argument("--server-name")
        command.add_argument("--log-level", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
        command.add_argument(
            "--postgres",
            action=argparse.BooleanOptionalAction,
            help=f"a database of PostgreSQL's instead of SQLite; {DATABASE_VARIABLE}=postgres too",
        )
        command.add_argument(
            "--set", action="append", default=[], metavar="KEY=JSON", help="any key of Synapse's"
        )
    for name, text in (
        ("stop", "stop it"),
        ("status", "is it there?"),
        ("run", "run it here"),
        ("arrivals", "when did messages come in?"),
    ):
        commands.add_parser(name, help=text).add_argument("--dir", required=True)
    command = commands.add_parser("postgres", help="the PostgreSQL of --postgres")
    command.add_argument("act", choices=["start", "stop"])
    command = commands.add_parser("user", help="make an ordinary account")
    command.add_argument("--dir", required=True)
    command.add_argument("name", metavar="NAME")
    command.add_argument("--admin", action="store_true")
    command.add_argument("--display-name")
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    try:
        if arguments.command == "venv":
            make_venv()
            return 0
        if arguments.command == "template":
            make_template()
            return 0
        if arguments.command == "postgres":
            if arguments.act == "stop":
                Cluster(WORK).stop()
            else:
                make_postgres_venv()
                Cluster(WORK).start()
                make_postgres_template()
            return 0
        server = Server(arguments.dir)
        if arguments.command in ("start", "prepare"):
            act = start if arguments.command == "start" else prepare
            print(json.dumps(act(server, _options(arguments))))
        elif arguments.command == "run":
            run(server)
        elif arguments.command == "stop":
            stop(server)
        elif arguments.command == "status":
            facts = server.facts()
            running = server.is_running(facts)
            print(json.dumps({**facts, "running": running}))
            return 0 if running else 1
        elif arguments.command == "arrivals":
            print(json.dumps(arrivals(server)))
        else:
            account = make_user(server, arguments.name, arguments.admin, arguments.display_name)
            print(json.dumps(account))
    except (Failure, Unavailable) as failure:
        say(f"homeserver: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
