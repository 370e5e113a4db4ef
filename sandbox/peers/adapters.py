#!/usr/bin/env python3
"""Runs one reader of PyPI on files and prints what it found, one JSON array a file and line.

    adapters.py READER SECONDS FILE...

An element is {"at", "sender", "text", "file"}: the wall-clock minute the reader gives
(`2026-03-12T10:02`), what it calls the sender, the text, and the name of an attached file; what a
reader has no notion of is left out. A line is `null` where the reader fails, or takes longer than so
many seconds of processor time. Each reader is called as its documentation says, with nothing set but the path.
`compare.py` runs this in the environment that holds the readers.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import sys
from pathlib import Path

rows: list[dict] = []


def emit(at: dt.datetime | None, **fields: object) -> None:
    fields["at"] = at.strftime("%Y-%m-%dT%H:%M") if at else None
    rows.append(fields)


def whatstk(path: str) -> None:
    from whatstk import df_from_whatsapp

    for row in df_from_whatsapp(path).itertuples():
        emit(row.date, sender=row.username, text=row.message)


def chat_miner(path: str) -> None:
    from chatminer import chatparsers

    telegram = path.endswith(".json")
    parser = (chatparsers.TelegramJsonParser if telegram else chatparsers.WhatsAppParser)(path)
    parser.parse_file()
    # It reads from the end of the file.
    for message in parser.parsed_messages.get_df(as_pandas=True).itertuples():
        at = message.timestamp
        if telegram:
            # It gives these in UTC.
            at = at.to_pydatetime().replace(tzinfo=dt.timezone.utc).astimezone()
        emit(at, sender=message.author, text=message.message)


def wakit(path: str) -> None:
    from wakit import export_import

    messages, platform = export_import.parse_lines(path)
    order = export_import.detect_date_order(messages, "auto")
    attached = export_import.IOS_ATTACH.search if platform == "ios" else export_import.AND_ATTACH.match
    for message in messages:
        at_ms = export_import.to_ms(message, order, dt.timezone.utc)
        found = attached(message["body"])
        emit(
            dt.datetime.fromtimestamp(at_ms / 1000, dt.timezone.utc),
            sender=message["sender"],
            text=message["body"],
            file=found.group(1) if found else None,
        )


def whatsapp_chat_exporter(path: str) -> None:
    from Whatsapp_Chat_Exporter import exported_handler
    from Whatsapp_Chat_Exporter.data_model import ChatCollection

    chats = exported_handler.messages(path, ChatCollection(), assume_first_as_me=True)
    for message in chats.get_chat("ExportedChat")._messages.values():
        # It keeps two people apart at the most, so senders are not compared.
        emit(dt.datetime.fromtimestamp(message.timestamp), text=message.data)


def ijson(path: str) -> None:
    import ijson as streaming

    with open(path, "rb") as file:
        for message in streaming.items(file, "messages.item"):
            text = message.get("text")
            if isinstance(text, list):
                text = "".join(part if isinstance(part, str) else part["text"] for part in text)
            at = dt.datetime.fromisoformat(message["date"]) if "date" in message else None
            sender = message.get("from") or message.get("actor")
            emit(at, sender=sender, text=text, file=message.get("photo") or message.get("file"))


def json_load(path: str) -> None:
    chat = json.loads(Path(path).read_text(encoding="utf-8"))
    for message in chat["messages"]:
        emit(dt.datetime.fromisoformat(message["date"]), sender=message.get("from") or message.get("actor"))


def too_long(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    reader, seconds, *paths = sys.argv[1:]
    # Some of them print; only this program's lines are wanted.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGVTALRM, too_long)
    # Imports take seconds and are not the file's fault.
    with contextlib.suppress(Exception):
        globals()[reader]("/nowhere")
    for path in paths:
        rows.clear()
        signal.setitimer(signal.ITIMER_VIRTUAL, float(seconds))
        try:
            globals()[reader](path)
            found = rows
        except (Exception, SystemExit):  # noqa: BLE001 whatever it is, the reader failed
            found = None
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        print(json.dumps(found, ensure_ascii=False, default=str), file=out, flush=True)


if __name__ == "__main__":
    main()
