"""Other programs that read the same exports, installed from PyPI and npm below .work/peers.

They are compared with, never used: nothing of passerelle depends on them.
Versions are fixed, so that what docs/peers.md says of them can be seen again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("PASSERELLE_WORK", ROOT / ".work")).resolve() / "peers"
PYTHON = WORK / "venv" / "bin" / "python"

NPM = {"whatsapp-chat-parser": "4.0.2"}
PYPI = {
    "whatstk": "0.9.1",
    "chat-miner": "0.6.0",
    "wakit": "0.3.0",
    "whatsapp-chat-exporter": "0.13.1",
    "ijson": "3.6.0",
}


def node(names: list[str]) -> Path:
    """Installs packages from npm, if they are not there; gives the folder to run node in."""
    if not shutil.which("npm"):
        sys.exit("npm was not found\nhint: install Node.js 18 or later")
    folder = WORK / "node"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").exists() or (folder / "package.json").write_text('{"private": true}\n')
    wanted = [f"{name}@{NPM[name]}" for name in names]
    missing = [name for name in names if not (folder / "node_modules" / name).exists()]
    if missing:
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *wanted]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


def python(names: list[str]) -> Path:
    """Installs packages from PyPI, if they are not there; gives the Python that has them."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
    wanted = [f"{name}=={PYPI[name]}" for name in names]
    stamp = WORK / "venv" / "installed"
    known = set(stamp.read_text().split()) if stamp.exists() else set()
    missing = [package for package in wanted if package not in known]
    if missing:
        command = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *missing]
        subprocess.run(command, check=True)
        stamp.write_text("\n".join(sorted(known | set(wanted))) + "\n")
    return PYTHON
