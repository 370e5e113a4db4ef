#!/usr/bin/env python3
"""The official Python client talks to the stand-in daemon, and what it is told is held against
what people did. Nothing here is passerelle's.

    check.py                run all of it; the last line is `N passed, N failed`

It starts a daemon of its own below a temporary folder, kills it, and starts it again.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
STAND_IN = HERE / "stand_in.py"
PATIENCE_SECONDS = 30


class Daemon:
    """A stand-in daemon and its control."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(STAND_IN), "run", "--dir", str(self.folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.facts['grpc']}"

    def _ask(self, path: str, order: dict | None = None):
        body = None if order is None else json.dumps(order).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.facts['control']}{path}", data=body)
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.loads(answer.read())

    def do(self, **order):
        return self._ask("/do", order)

    def fault(self, **order):
        return self._ask("/fault", order)

    def view(self, who: str) -> list[dict]:
        return self._ask(f"/view?who={who}&in=Cellule")

    def streams(self) -> list:
        return self._ask("/streams")

    def journal(self, who: str) -> list[dict]:
        return self._ask(f"/journal?who={who}")


async def until(wanted, what: str) -> None:
    """Waits for a condition, never for a time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not wanted():
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


def client(daemon: Daemon):
    from olvid import OlvidClient

    return OlvidClient(client_key="a-key", daemon_url=daemon.url)


async def discussion(asked):
    return [one async for one in asked.discussion_list()][0]


async def listed(asked, **how) -> list:
    return [one async for one in asked.message_list(**how)]


async def an_invitation_is_accepted_and_a_talk_crosses(daemon: Daemon) -> None:
    from olvid import listeners

    for who, more in (("anna", {}), ("karim", {}), ("bot", {"hosted": True, "client_key": "a-key"})):
        daemon.do(do="be_born", who=who, details={"first_name": who.capitalize()}, **more)
    daemon.do(do="found", who="anna", name="Cellule", members=["karim", "bot"])
    before = daemon.do(do="send", who="anna", **{"in": "Cellule"}, body="avant l’arrivée")["uid"]
    asked = client(daemon)
    assert await asked.daemon_version() == "2.0.1"
    invited = [one async for one in asked.invitation_list()]
    assert [one.display_name for one in invited] == ["Cellule"]
    heard, gone = [], []
    asked.add_listener(listeners.MessageReceivedListener(handler=heard.append))
    asked.add_listener(listeners.MessageDeletedListener(handler=gone.append))
    await until(lambda: len(daemon.streams()) == 2, "the subscriptions")
    await asked.invitation_accept(invited[0].id)
    # Sent while the bot was awaited: it comes on joining, with the time it was said.
    await until(lambda: heard, "the message of before the arrival")
    assert heard[0].body == "avant l’arrivée"
    assert heard[0].timestamp == next(one for one in daemon.view("anna") if one["uid"] == before)["sent_at"]
    uid = daemon.do(do="send", who="anna", **{"in": "Cellule"}, body="bonjour", files=[{"name": "note.pdf", "size": 2_500_000}])["uid"]
    await until(lambda: len(heard) == 2, "the message")
    place = await discussion(asked)
    answer = await asked.message_send(discussion_id=place.id, body="**salut**", reply_id=heard[1].id)
    assert answer.sender_id == 0
    await asked.message_react(message_id=heard[1].id, reaction="👍")
    files = [one async for one in asked.attachment_list()]
    assert [(one.file_name, one.size, one.mime_type) for one in files] == [("note.pdf", 2_500_000, "application/pdf")]
    seen = daemon.view("karim")
    assert [(one["by"], one["body"]) for one in seen] == [("anna", "avant l’arrivée"), ("anna", "bonjour"), ("bot", "**salut**")]
    assert seen[1]["reactions"] == {"bot": "👍"} and seen[2]["reply_to"] == uid
    daemon.do(do="delete", who="anna", uid=uid)
    await until(lambda: gone, "the deletion")
    assert [one["saw"] for one in daemon.journal("karim")][-1] == "deletion"
    await asked.stop()


async def what_was_missed_is_listed_and_only_new_messages_are_unread(daemon: Daemon) -> None:
    # A stream that is still open would have it told, and told is read.
    await until(lambda: not daemon.streams(), "the end of the other client's streams")
    uid = daemon.do(do="send", who="karim", **{"in": "Cellule"}, body="personne n’écoute")["uid"]
    daemon.do(do="edit", who="karim", uid=uid, body="personne n’écoutait")
    asked = client(daemon)
    unread = await listed(asked, unread=True)
    assert [(one.body, one.edited_body) for one in unread] == [("personne n’écoutait", True)]
    assert await listed(asked, unread=True) == []
    daemon.do(do="edit", who="karim", uid=uid, body="encore changé")
    # An edit makes no backlog: only reading the state again shows it.
    assert await listed(asked, unread=True) == []
    assert [one.body for one in await listed(asked)][-1] == "encore changé"
    await asked.stop()


async def a_killed_daemon_comes_back_the_same(daemon: Daemon) -> None:
    before = daemon.view("bot")
    daemon.kill()
    daemon.start()
    assert daemon.view("bot") == before
    asked = client(daemon)
    assert [one.body for one in await listed(asked)] == [one["body"] for one in before]
    await asked.stop()


async def a_lost_answer_leaves_its_effect(daemon: Daemon) -> None:
    asked = client(daemon)
    place = await discussion(asked)
    for fault, expected in (({"refuse": {"MessageSend": 1}}, 0), ({"lose_answer": {"MessageSend": 1}}, 1)):
        before = len(daemon.view("anna"))
        daemon.fault(**fault)
        try:
            await asked.message_send(discussion_id=place.id, body="en double ?")
        except Exception as error:  # noqa: BLE001
            assert "UNAVAILABLE" in repr(error) or "navailable" in repr(error), repr(error)
        else:
            raise AssertionError("the call was to fail")
        assert len(daemon.view("anna")) == before + expected
    await asked.stop()


async def rules_of_the_group_are_kept(daemon: Daemon) -> None:
    asked = client(daemon)
    place = await discussion(asked)
    daemon.do(do="permit", who="anna", **{"in": "Cellule"}, other="bot", permissions={"send_message": False})
    try:
        await asked.message_send(discussion_id=place.id, body="interdit")
    except Exception:  # noqa: BLE001
        pass
    else:
        raise AssertionError("a member without the right has posted")
    daemon.do(do="permit", who="anna", **{"in": "Cellule"}, other="bot", permissions={"send_message": True})
    try:
        daemon.do(do="rename", who="karim", **{"in": "Cellule"}, name="Autre")
    except urllib.error.HTTPError as error:
        assert error.code == 409 and b"PERMISSION_DENIED" in error.read()
    else:
        raise AssertionError("an ordinary member has renamed the group")
    await asked.stop()


async def what_time_ends_is_gone(daemon: Daemon) -> None:
    daemon.do(do="settings", who="anna", **{"in": "Cellule"}, existence_duration=1)
    uid = daemon.do(do="send", who="anna", **{"in": "Cellule"}, body="une seconde")["uid"]
    await until(lambda: all(one["uid"] != uid for one in daemon.view("bot")), "the expiry")
    daemon.do(do="settings", who="anna", **{"in": "Cellule"})
    assert [one["saw"] for one in daemon.journal("bot") if one.get("uid") == uid] == ["message", "expiry"]


async def a_restore_gives_other_ids_and_no_messages(daemon: Daemon) -> None:
    asked = client(daemon)
    contacts = {one.display_name: one.id async for one in asked.contact_list()}
    identifiers = {name: await asked.contact_get_bytes_identifier(number) for name, number in contacts.items()}
    daemon.do(do="restore", who="bot")
    again = {one.display_name: one.id async for one in asked.contact_list()}
    assert again.keys() == contacts.keys() and again != contacts
    for name, number in again.items():
        assert await asked.contact_get_bytes_identifier(number) == identifiers[name]
    assert await listed(asked) == []
    daemon.do(do="send", who="anna", **{"in": "Cellule"}, body="après")
    # The ids of before come again for other messages.
    assert [(one.id.id, one.body) for one in await listed(asked)] == [(1, "après")]
    await asked.stop()


CHECKS = [
    an_invitation_is_accepted_and_a_talk_crosses,
    what_was_missed_is_listed_and_only_new_messages_are_unread,
    a_killed_daemon_comes_back_the_same,
    a_lost_answer_leaves_its_effect,
    rules_of_the_group_are_kept,
    what_time_ends_is_gone,
    a_restore_gives_other_ids_and_no_messages,
]


async def run() -> int:
    failed = 0
    with tempfile.TemporaryDirectory(prefix="passerelle-olvid-") as folder:
        daemon = Daemon(Path(folder))
        try:
            for check in CHECKS:
                name = check.__name__.replace("_", " ")
                try:
                    await asyncio.wait_for(check(daemon), 4 * PATIENCE_SECONDS)
                    print(f"olvid sandbox: {name}: ok")
                except Exception:  # noqa: BLE001
                    failed += 1
                    print(f"olvid sandbox: {name}: FAILED\n{traceback.format_exc()}")
        finally:
            daemon.kill()
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> None:
    from stand_in import VENV, VENV_PYTHON, make_venv

    if Path(sys.prefix).resolve() != VENV:
        make_venv()
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), __file__, *sys.argv[1:]])
    raise SystemExit(asyncio.run(run()))


if __name__ == "__main__":
    main()
