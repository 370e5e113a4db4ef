"""How a test tells people what to do, and asks what they saw: JSON over HTTP on loopback.

    POST /do       {"who": "anna", "do": "send", "in": "Cellule", "body": "bonjour"}
    POST /fault    {"refuse": {"MessageSend": 2}}
    GET  /journal?who=anna      everything anna saw, in the order she saw it
    GET  /view?who=anna&in=Cellule   the messages anna has now
    GET  /calls, /streams       what the daemon was asked, and the streams that are open

An order is answered once it is done and on disk. 409 says what the world refused.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from daemon import LINK_PREVIEW, Desk
from services import mime_of
from world import Refused, World

MOST_ORDER_BYTES = 64 << 20


class Script:
    """What people can be told to do. Each method is one order, its arguments the order's keys."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.world = desk, desk.world

    def run(self, order: dict) -> dict:
        order = dict(order)
        name = order.pop("do")
        method = getattr(self, f"do_{name}", None)
        if method is None:
            raise Refused("INVALID_ARGUMENT", f"nobody knows how to {name}")
        if "in" in order:
            order["place"] = self.world.discussion_named(order.pop("in"))
        made = method(**order) or {}
        self.world.keep()
        return made

    def _group(self, place: str):
        return self.world.groups[place.removeprefix("group:")]

    def _files(self, files: list[dict]) -> list[dict]:
        made = []
        for one in files:
            if "base64" in one:
                content = base64.b64decode(one["base64"])
            else:
                # A file of a given size whose bytes are known to whoever knows the seed.
                seed, size = str(one.get("seed", 0)).encode(), one.get("size", 1000)
                content = b"".join(
                    hashlib.sha256(seed + number.to_bytes(8, "big")).digest() for number in range(size // 32 + 1)
                )[:size]
            made.append({"name": one["name"], "mime": one.get("mime") or mime_of(one["name"]),
                         "size": len(content), "blob": self.world.keep_blob(content)})  # fmt: skip
        return made

    def do_be_born(self, who: str, details: dict | None = None, hosted: bool = False, client_key: str = "") -> dict:
        person = self.world.add_person(who, details or {"first_name": who}, hosted, client_key)
        return {"identifier": person.identifier}

    def do_change_details(self, who: str, details: dict) -> None:
        self.world.people[who].details = details

    def do_befriend(self, who: str, other: str) -> None:
        self.world.befriend(who, other)

    def do_found(self, who: str, name: str, members: list[str], kind: int = 1, keycloak: bool = False) -> dict:
        return {"gid": self.world.make_group(who, name, members, kind, keycloak).gid}

    def do_invite(self, who: str, place: str, other: str, permissions: dict | None = None) -> None:
        self.world.invite(who, self._group(place), other, permissions)

    def do_accept(self, who: str, place: str) -> None:
        self.world.accept(who, self._group(place))

    def do_leave(self, who: str, place: str) -> None:
        self.world.leave(who, self._group(place))

    def do_remove(self, who: str, place: str, other: str) -> None:
        self.world.leave(other, self._group(place), removed_by=who)

    def do_rename(self, who: str, place: str, name: str) -> None:
        self.world.rename(who, self._group(place), name)

    def do_describe(self, who: str, place: str, words: str) -> None:
        self.world.describe(who, self._group(place), words)

    def do_photo(self, who: str, place: str, content: str) -> None:
        self.world.set_photo(who, self._group(place), base64.b64decode(content))

    def do_permit(self, who: str, place: str, other: str, permissions: dict) -> None:
        self.world.permit(who, self._group(place), other, permissions)

    def do_settings(self, who: str, place: str, **settings) -> None:
        self.world.set_discussion(who, place, settings)

    def do_send(
        self, who: str, place: str, body: str = "", files: list[dict] = (), reply_to: str | None = None,
        location: dict | None = None, forwarded: bool = False, ephemerality: dict | None = None,
        timestamp: int | None = None, link_preview: str | None = None,
    ) -> dict:  # fmt: skip
        made = self._files(list(files))
        if link_preview:
            blob = self.world.keep_blob(b"{}")
            made.append({"name": link_preview, "mime": LINK_PREVIEW, "size": 2, "blob": blob})
        if location is not None:
            location = {"type": 1, "timestamp": self.world.clock_ms(), **location}
            body = body or f"https://maps.google.com/?q={location['latitude']:.5f}+{location['longitude']:.5f}"
        entry = self.world.send(
            who, place, body, made, reply_to, location, forwarded,
            None if ephemerality is None else {**self.world.settings_of(""), **ephemerality}, timestamp,
        )  # fmt: skip
        return {"uid": entry.uid}

    def do_edit(self, who: str, uid: str, body: str) -> None:
        self.world.edit(who, uid, body)

    def do_delete(self, who: str, uid: str, everywhere: bool = True) -> None:
        self.world.delete(who, uid, everywhere)

    def do_react(self, who: str, uid: str, emoji: str) -> None:
        self.world.react(who, uid, emoji)

    def do_move(self, who: str, uid: str, place: dict | None = None) -> None:
        self.world.move(who, uid, place)

    def do_forget(self, who: str, place: str, keep: int = 0) -> None:
        self.world.forget(who, place, keep)

    def do_restore(self, who: str, skip_ids: int = 0) -> None:
        self.world.restore(who, skip_ids)
        self.desk.drop_streams()


def set_faults(desk: Desk, order: dict) -> dict:
    """What goes wrong from now on: `refuse`, `lose_answer` (calls by method or `*`), `slow_ms`,
    `swap_timestamps`, and `drop_streams` once. `{"none": true}` ends all of it."""
    faults = desk.faults
    if order.get("none"):
        faults.__init__()
    for name in ("refuse", "lose_answer", "slow_ms"):
        getattr(faults, name).update(order.get(name, {}))
    if "swap_timestamps" in order:
        faults.swap_timestamps = bool(order["swap_timestamps"])
    if order.get("drop_streams"):
        desk.drop_streams()
    return {}


def journal(world: World, who: str) -> list[dict]:
    """Everything `who` saw."""
    return world.people[who].journal


def view(world: World, who: str, place: str) -> list[dict]:
    """What `who` has of a discussion now."""
    key = world.discussion_named(place)
    return [world.seen(one) for one in world.people[who].messages if one.discussion == key]


def serve(desk: Desk, port: int, loop: asyncio.AbstractEventLoop) -> ThreadingHTTPServer:
    """Listens on loopback, on a thread of its own; all work is done on the daemon's own loop."""
    script = Script(desk)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_args) -> None:
            """The daemon's log is not the place for what a test asked."""

        def _answer(self, work) -> None:
            async def on_the_loop():
                return work()

            try:
                status, made = 200, asyncio.run_coroutine_threadsafe(on_the_loop(), loop).result(30)
            except Refused as error:
                status, made = 409, {"code": error.code, "error": str(error)}
            except (KeyError, TypeError, ValueError) as error:
                status, made = 400, {"error": f"{type(error).__name__}: {error}"}
            body = json.dumps(made, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:  # noqa: N802
            url = urlsplit(self.path)
            asked = {key: values[0] for key, values in parse_qs(url.query).items()}
            match url.path:
                case "/journal":
                    self._answer(lambda: journal(desk.world, asked["who"]))
                case "/view":
                    self._answer(lambda: view(desk.world, asked["who"], asked["in"]))
                case "/calls":
                    self._answer(lambda: desk.calls)
                case "/streams":
                    self._answer(lambda: [[who, kind] for who, kind, _ in desk.streams])
                case _:
                    self._answer(lambda: {"ready": True})

        def do_POST(self) -> None:  # noqa: N802
            length = int(self.headers.get("Content-Length", "0"))
            if length > MOST_ORDER_BYTES:
                self._answer(lambda: (_ for _ in ()).throw(ValueError("the order is too long")))
                return
            order = json.loads(self.rfile.read(length) or b"{}")
            if urlsplit(self.path).path == "/fault":
                self._answer(lambda: set_faults(desk, order))
            else:
                self._answer(lambda: script.run(order))

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
