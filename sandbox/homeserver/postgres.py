"""A private PostgreSQL for test homeservers: one cluster, a template, a database a server.

Nobody else's cluster is touched. It listens on a unix socket only, keeps nothing through a
power cut (`fsync` is off), and lies below the temporary folder, because the postgres user must
be able to reach it. As root everything runs as that user; as anybody else, as oneself.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

TEMPLATE = "homeserver_template"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "120",
    "autovacuum_naptime": "10min",
}


class Unavailable(Exception):
    """Why there is no PostgreSQL; its text says what to do."""


class Cluster:
    """The cluster of one working folder."""

    def __init__(self, work: Path) -> None:
        name = hashlib.sha256(str(work).encode()).hexdigest()[:8]
        self.root = Path(tempfile.gettempdir()) / f"passerelle-postgres-{os.geteuid()}-{name}"
        self.data = self.root / "data"
        self.lock_path = work / "postgres.lock"

    def start(self) -> None:
        """Makes the cluster if there is none, and starts it if it does not run."""
        self.lock_path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self.lock_path):
            bin_folder = _programs()
            if not (self.data / "PG_VERSION").exists():
                shutil.rmtree(self.root, ignore_errors=True)
                self.root.mkdir(mode=0o700)
                if os.geteuid() == 0:
                    shutil.chown(self.root, "postgres")
                # Synapse refuses every collation but C.
                make = ["-D", str(self.data), "-U", "postgres", "-A", "trust"]
                _run([bin_folder / "initdb", *make, "-E", "UTF8", "--locale=C", "--no-sync"])
                with open(self.data / "postgresql.conf", "a", encoding="ascii") as conf:
                    conf.write(f"unix_socket_directories = '{self.root}'\n")
                    conf.writelines(f"{key} = '{value}'\n" for key, value in SETTINGS.items())
            running = [bin_folder / "pg_ctl", "-D", str(self.data), "status"]
            if _quiet(running) != 0:
                log = str(self.root / "postgres.log")
                _run([bin_folder / "pg_ctl", "-D", str(self.data), "-l", log, "-w", "start"])

    def stop(self) -> None:
        """Stops it and removes everything."""
        if self.data.exists():
            _quiet([_programs() / "pg_ctl", "-D", str(self.data), "-m", "immediate", "stop"])
        shutil.rmtree(self.root, ignore_errors=True)

    def has(self, database: str) -> bool:
        return self.query("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{database}'") == "1"

    def create(self, database: str, template: str = "template0") -> None:
        # Two copies of one template at once are refused.
        with _locked(self.lock_path):
            self.query("postgres", f'CREATE DATABASE "{database}" TEMPLATE "{template}"')

    def query(self, database: str, sql: str) -> str:
        psql = [_programs() / "psql", "-h", str(self.root), "-U", "postgres", "-d", database]
        return _run([*psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]).strip()

    def synapse_section(self, database: str) -> dict:
        """Synapse's `database`."""
        args = {"user": "postgres", "dbname": database, "host": str(self.root)}
        return {"name": "psycopg2", "args": {**args, "cp_min": 1, "cp_max": 5}}


def _programs() -> Path:
    found = _find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("homeserver: apt-get install postgresql", flush=True)
        for command in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
            subprocess.run(
                ["apt-get", *command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        found = _find()
    if found is None:
        raise Unavailable(
            "PostgreSQL's programs were not found\n"
            "hint: apt-get install postgresql   (as root, on Debian or Ubuntu)"
        )
    return found


def _find() -> Path | None:
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    named = shutil.which("initdb")
    for initdb in [*newest_first, *([Path(named).resolve()] if named else [])]:
        if initdb.exists():
            return initdb.parent
    return None


def _as_postgres() -> dict:
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise Unavailable("PostgreSQL does not run as root, and there is no postgres user") from None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


def _run(command: list) -> str:
    # A server that pg_ctl leaves behind would keep a pipe open; a file does not mind.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
            **_as_postgres(),
        )
        said.seek(0)
        text = said.read()
    if done.returncode != 0:
        raise Unavailable(f"{Path(command[0]).name} failed:\n{text[-2000:]}")
    return text


def _quiet(command: list) -> int:
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        **_as_postgres(),
    ).returncode


@contextlib.contextmanager
def _locked(path: Path):
    with open(path, "w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
