"""The world the sandbox daemon stands in: people, groups, and what each of them sees.

No network here and no gRPC. People act; each act changes what the others see, which is written
into their views and journals, and told to whoever listens. What the real daemon does, as far as
it is known, is done here too: local ids for everything, separate for what comes in and what goes
out; a flag that is cleared when a message is listed or notified; no trace of what was missed.

Nothing here is a message of a real person: people say what a test tells them to.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

INBOUND, OUTBOUND = 1, 2
# App defaults (fact sheet, section 7): a member may post and mend their own words.
MEMBER = {"admin": False, "remote_delete_anything": False, "edit_or_remote_delete_own_messages": True,
          "change_settings": False, "send_message": True}  # fmt: skip
ADMIN = {**MEMBER, "admin": True, "change_settings": True}
NO_SETTINGS = {"read_once": False, "existence_duration": 0, "visibility_duration": 0}
# How long a read-once message stays with a daemon that reads it as soon as it comes.
READ_ONCE_STAYS_MS = 300


class Refused(Exception):
    """What the daemon, or another person's app, would not do. `code` is gRPC's name for why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass
class Entry:
    """One message as one person has it."""

    type: int
    id: int
    uid: str
    discussion: str
    author: str
    body: str
    timestamp: int
    sort_index: float
    attachments: list[dict]
    reply_uid: str | None = None
    location: dict | None = None
    forwarded: bool = False
    edited: bool = False
    reactions: dict = field(default_factory=dict)
    fresh: bool = True
    expires_at: int | None = None


@dataclass
class Person:
    """Somebody with Olvid; `hosted` when the daemon speaks for them."""

    name: str
    identifier: str
    details: dict
    hosted: bool = False
    client_key: str = ""
    photo: str = ""
    settings: dict = field(default_factory=dict)
    # Local ids: every one of them is the daemon's own and changes with a restore.
    next_id: dict = field(default_factory=dict)
    ids: dict = field(default_factory=dict)
    messages: list[Entry] = field(default_factory=list)
    invitations: list[dict] = field(default_factory=list)
    journal: list[dict] = field(default_factory=list)
    storage: dict = field(default_factory=dict)


@dataclass
class Group:
    """A group of version 2."""

    gid: str
    name: str
    description: str = ""
    photo: str = ""
    kind: int = 1
    keycloak: bool = False
    members: dict = field(default_factory=dict)
    pending: dict = field(default_factory=dict)


@dataclass
class Sent:
    """A message as it left its author, kept to be sent again to those who were not there yet."""

    uid: str
    author: str
    discussion: str
    body: str
    timestamp: int
    attachments: list[dict]
    reply_uid: str | None
    location: dict | None
    forwarded: bool
    ephemerality: dict
    waiting: list[str] = field(default_factory=list)


Notify = Callable[[str, str, dict], None]


class World:
    """Everything there is. Kept in one SQLite file, a row for each thing that changes."""

    def __init__(self, folder: Path, clock_ms: Callable[[], int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.blobs = folder / "blobs"
        self.blobs.mkdir(exist_ok=True)
        self.clock_ms = clock_ms
        self.people: dict[str, Person] = {}
        self.groups: dict[str, Group] = {}
        self.sent: dict[str, Sent] = {}
        self.discussion_settings: dict[str, dict] = {}
        self.listeners: list[Notify] = []
        self._disk = sqlite3.connect(folder / "world.db", check_same_thread=False)
        self._disk.execute("PRAGMA journal_mode=WAL")
        self._disk.execute(
            "CREATE TABLE IF NOT EXISTS things (kind TEXT, key TEXT, json TEXT, PRIMARY KEY (kind, key))"
        )
        self._disk.execute("CREATE TABLE IF NOT EXISTS journal (who TEXT, json TEXT)")
        self._touched: set[tuple[str, str]] = set()
        self._touched_sent: set[str] = set()
        self._noted: list[tuple[str, str]] = []
        self._load()

    # Keeping

    def _load(self) -> None:
        for kind, key, text in self._disk.execute("SELECT kind, key, json FROM things ORDER BY rowid"):
            row = json.loads(text)
            if kind == "person":
                self.people[key] = Person(**row)
            elif kind == "group":
                self.groups[key] = Group(**row)
            elif kind == "sent":
                self.sent[key] = Sent(**row)
            elif kind == "settings":
                self.discussion_settings[key] = row
        for kind, key, text in self._disk.execute("SELECT kind, key, json FROM things WHERE kind = 'entry'"):
            self.people[key.split("/")[0]].messages.append(Entry(**json.loads(text)))
        for who, text in self._disk.execute("SELECT who, json FROM journal ORDER BY rowid"):
            self.people[who].journal.append(json.loads(text))
        for person in self.people.values():
            person.messages.sort(key=lambda one: one.sort_index)

    def keep(self) -> None:
        """Writes down what changed; called after each act, before it is answered."""
        rows = [("person", key, {k: v for k, v in vars(one).items() if k not in ("messages", "journal")})
                for key, one in self.people.items()]  # fmt: skip
        rows += [("group", key, asdict(one)) for key, one in self.groups.items()]
        rows += [("settings", key, one) for key, one in self.discussion_settings.items()]
        rows += [("sent", uid, asdict(self.sent[uid])) for uid in self._touched_sent]
        gone = []
        for who, uid in self._touched:
            entry = self.entry_of(who, uid)
            if entry is None:
                gone.append(("entry", f"{who}/{uid}"))
            else:
                rows.append(("entry", f"{who}/{uid}", asdict(entry)))
        with self._disk:
            self._disk.executemany(
                "INSERT INTO things VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET json = excluded.json",
                [(kind, key, json.dumps(row)) for kind, key, row in rows],
            )
            self._disk.executemany("DELETE FROM things WHERE kind = ? AND key = ?", gone)
            self._disk.executemany("INSERT INTO journal VALUES (?, ?)", self._noted)
        self._touched.clear()
        self._touched_sent.clear()
        self._noted.clear()

    def keep_blob(self, content: bytes) -> str:
        """Keeps a file's bytes; the answer is the name they are kept under."""
        digest = hashlib.sha256(content).hexdigest()
        (self.blobs / digest).write_bytes(content)
        return digest

    # Journals and views

    def note(self, who: str, kind: str, facts: dict) -> None:
        """What `who` sees: into the journal, which tests hold against what they expect."""
        line = {"at": self.clock_ms(), "saw": kind, **facts}
        self.people[who].journal.append(line)
        self._noted.append((who, json.dumps(line)))

    def tell(self, who: str, kind: str, facts: dict) -> None:
        for listener in self.listeners:
            listener(who, kind, facts)

    def local_id(self, who: str, kind: str, key: str) -> int:
        """The id under which `who` knows something; made when it is first met."""
        person = self.people[who]
        known = person.ids.setdefault(kind, {})
        if key not in known:
            person.next_id[kind] = person.next_id.get(kind, 0) + 1
            known[key] = person.next_id[kind]
        return known[key]

    def _fresh_id(self, who: str, kind: str) -> int:
        """An id for what has no other name, such as a message that comes in."""
        person = self.people[who]
        person.next_id[kind] = person.next_id.get(kind, 0) + 1
        return person.next_id[kind]

    def touch(self, who: str, entry: Entry) -> None:
        """Says that an entry changed and has to be written down."""
        self._touched.add((who, entry.uid))

    def key_of(self, who: str, kind: str, number: int) -> str:
        """What `who` means by a local id."""
        for key, value in self.people[who].ids.get(kind, {}).items():
            if value == number:
                return key
        raise Refused("NOT_FOUND", f"no {kind} {number}")

    def entry(self, who: str, kind: int, number: int) -> Entry:
        for entry in self.people[who].messages:
            if (entry.type, entry.id) == (kind, number):
                return entry
        raise Refused("NOT_FOUND", f"no message {kind}/{number}")

    def entry_of(self, who: str, uid: str) -> Entry | None:
        return next((one for one in self.people[who].messages if one.uid == uid), None)

    def title(self, who: str, discussion: str) -> str:
        if discussion.startswith("group:"):
            return self.groups[discussion[6:]].name
        other = next(name for name in discussion[4:].split("|") if name != who)
        return self.display_name(other)

    def display_name(self, name: str) -> str:
        details = self.people[name].details
        words = [details.get("first_name"), details.get("last_name")]
        shown = " ".join(word for word in words if word)
        office = [details.get("position"), details.get("company")]
        office = " @ ".join(word for word in office if word)
        return f"{shown} ({office})" if office else shown

    def members(self, discussion: str) -> list[str]:
        if discussion.startswith("group:"):
            return list(self.groups[discussion[6:]].members)
        return discussion[4:].split("|")

    def discussion_between(self, one: str, other: str) -> str:
        return "oto:" + "|".join(sorted((one, other)))

    def discussion_named(self, word: str) -> str:
        """A discussion by a group's name, its identifier, or the key itself."""
        if word.startswith(("group:", "oto:")):
            return word
        for gid, group in self.groups.items():
            if word in (group.name, gid):
                return f"group:{gid}"
        raise Refused("NOT_FOUND", f"no group {word}")

    def settings_of(self, discussion: str) -> dict:
        return {**NO_SETTINGS, **self.discussion_settings.get(discussion, {})}

    # People and groups

    def add_person(self, name: str, details: dict, hosted: bool = False, client_key: str = "") -> Person:
        if name in self.people:
            return self.people[name]
        person = Person(name, secrets.token_hex(32), details, hosted, client_key)
        self.people[name] = person
        return person

    def befriend(self, one: str, other: str) -> None:
        """They are contacts from now on."""
        for who, friend in ((one, other), (other, one)):
            if friend not in self.people[who].ids.get("contact", {}):
                self.local_id(who, "contact", friend)
                self.tell(who, "contact_new", {"contact": friend})
            self.meet(who, self.discussion_between(one, other))

    def meet(self, who: str, discussion: str) -> None:
        """`who` has this discussion from now on."""
        if discussion not in self.people[who].ids.get("discussion", {}):
            self.local_id(who, "discussion", discussion)
            self.tell(who, "discussion_new", {"discussion": discussion})

    def make_group(self, founder: str, name: str, members: list[str], kind: int = 1, keycloak: bool = False) -> Group:
        group = Group(secrets.token_hex(24), name, kind=kind, keycloak=keycloak)
        self.groups[group.gid] = group
        group.members[founder] = dict(ADMIN)
        self._enter(founder, group)
        for member in members:
            self.invite(founder, group, member)
        return group

    def invite(self, actor: str, group: Group, who: str, permissions: dict | None = None) -> None:
        if not group.members.get(actor, {}).get("admin"):
            raise Refused("PERMISSION_DENIED", "only administrators add members")
        if who in group.members or who in group.pending:
            return
        rights = permissions or ({**MEMBER, "send_message": False} if group.kind == 3 else dict(MEMBER))
        group.pending[who] = {"permissions": rights, "by": actor, "declined": False}
        self._each_member(group, "group_pending_member_added", {"gid": group.gid, "member": who})
        person = self.people[who]
        if group.keycloak or not person.hosted or person.settings.get("invitation", {}).get("auto_accept_group"):
            self.accept(who, group)
            return
        number = self.local_id(who, "invitation", group.gid)
        invitation = {"id": number, "status": 11, "gid": group.gid, "by": actor, "timestamp": self.clock_ms()}
        person.invitations.append(invitation)
        self.tell(who, "invitation_received", {"invitation": invitation})

    def accept(self, who: str, group: Group) -> None:
        pending = group.pending.pop(who, None)
        if pending is None:
            raise Refused("NOT_FOUND", "nobody waits for that")
        self._drop_invitation(who, group.gid)
        group.members[who] = pending["permissions"]
        self._enter(who, group)
        for other in group.members:
            if other != who:
                self.local_id(other, "contact", who)
                self.note(other, "joined", {"group": group.gid, "who": who})
                self.tell(other, "group_member_joined", {"gid": group.gid, "member": who})
        # What was said while they were awaited comes now, with the time it was said.
        for sent in self.sent.values():
            if who in sent.waiting:
                sent.waiting.remove(who)
                self._arrive(who, sent)

    def decline(self, who: str, group: Group) -> None:
        if who in group.pending:
            group.pending[who]["declined"] = True
        self._drop_invitation(who, group.gid)

    def _drop_invitation(self, who: str, gid: str) -> None:
        person = self.people[who]
        for invitation in [one for one in person.invitations if one["gid"] == gid]:
            person.invitations.remove(invitation)
            self.tell(who, "invitation_deleted", {"invitation": invitation})

    def _enter(self, who: str, group: Group) -> None:
        for other in group.members:
            if other != who:
                self.local_id(who, "contact", other)
        self.local_id(who, "group", group.gid)
        self.note(who, "entered", {"group": group.gid})
        self.tell(who, "group_new", {"gid": group.gid})
        self.meet(who, f"group:{group.gid}")

    def leave(self, who: str, group: Group, removed_by: str | None = None) -> None:
        if removed_by is not None and not group.members.get(removed_by, {}).get("admin"):
            raise Refused("PERMISSION_DENIED", "only administrators remove members")
        if group.keycloak and removed_by is None:
            raise Refused("INVALID_ARGUMENT", "a directory's group cannot be left")
        rights = group.members.pop(who, None)
        if rights is None:
            raise Refused("NOT_FOUND", f"{who} is not in the group")
        self.tell(who, "group_deleted", {"gid": group.gid})
        self.note(who, "left", {"group": group.gid, "who": who})
        self._each_member(group, "group_member_left", {"gid": group.gid, "member": who, "permissions": rights})
        for other in group.members:
            self.note(other, "left", {"group": group.gid, "who": who})

    def rename(self, actor: str, group: Group, name: str) -> None:
        self._may_manage(actor, group)
        previous, group.name = group.name, name
        self._each_member(group, "group_name_updated", {"gid": group.gid, "previous": previous})
        for member in group.members:
            self.note(member, "renamed", {"group": group.gid, "name": name})
            self.tell(member, "discussion_title_updated", {"discussion": f"group:{group.gid}", "previous": previous})

    def describe(self, actor: str, group: Group, words: str) -> None:
        self._may_manage(actor, group)
        previous, group.description = group.description, words
        self._each_member(group, "group_description_updated", {"gid": group.gid, "previous": previous})

    def set_photo(self, actor: str, group: Group, content: bytes) -> None:
        self._may_manage(actor, group)
        group.photo = self.keep_blob(content) if content else ""
        self._each_member(group, "group_photo_updated", {"gid": group.gid})

    def permit(self, actor: str, group: Group, who: str, permissions: dict) -> None:
        self._may_manage(actor, group)
        previous = group.members[who]
        group.members[who] = {**previous, **permissions}
        facts = {"gid": group.gid, "member": who, "previous": previous}
        for member in group.members:
            own = member == who
            self.tell(member, "group_own_permissions_updated" if own else "group_member_permissions_updated", facts)

    def _may_manage(self, actor: str, group: Group) -> None:
        if not group.members.get(actor, {}).get("admin"):
            raise Refused("PERMISSION_DENIED", "only administrators change a group")

    def _each_member(self, group: Group, kind: str, facts: dict) -> None:
        for member in group.members:
            self.tell(member, kind, facts)

    def set_discussion(self, actor: str, discussion: str, settings: dict) -> None:
        """The settings that are shared by everybody in a discussion."""
        if discussion.startswith("group:"):
            rights = self.groups[discussion[6:]].members.get(actor, {})
            if not rights.get("change_settings"):
                raise Refused("PERMISSION_DENIED", "not allowed to change the settings")
        previous = self.settings_of(discussion)
        self.discussion_settings[discussion] = {**NO_SETTINGS, **settings}
        for member in self.members(discussion):
            facts = {"discussion": discussion, "previous": previous, "settings": self.settings_of(discussion)}
            self.note(member, "settings", {"discussion": discussion, "settings": facts["settings"]})
            self.tell(member, "discussion_settings_updated", facts)

    # Messages

    def send(
        self,
        author: str,
        discussion: str,
        body: str,
        attachments: list[dict] | None = None,
        reply_uid: str | None = None,
        location: dict | None = None,
        forwarded: bool = False,
        ephemerality: dict | None = None,
        timestamp: int | None = None,
    ) -> Entry:
        """`author` says something; everybody in the discussion has it at once."""
        if discussion.startswith("group:"):
            group = self.groups[discussion[6:]]
            if not group.members.get(author, {}).get("send_message"):
                raise Refused("PERMISSION_DENIED", "not allowed to post in this group")
        elif author not in self.members(discussion):
            raise Refused("NOT_FOUND", "no such discussion")
        attachments = attachments or []
        if not body.strip() and not attachments and location is None:
            raise Refused("INVALID_ARGUMENT", "a message needs words or files")
        sent = Sent(
            uid=secrets.token_hex(12), author=author, discussion=discussion, body=body,
            timestamp=self.clock_ms() if timestamp is None else timestamp,
            attachments=attachments, reply_uid=reply_uid, location=location, forwarded=forwarded,
            ephemerality=ephemerality or self.settings_of(discussion),
        )  # fmt: skip
        if discussion.startswith("group:"):
            sent.waiting = list(self.groups[discussion[6:]].pending)
        self.sent[sent.uid] = sent
        own = self._arrive(author, sent)
        for member in self.members(discussion):
            if member != author:
                self._arrive(member, sent)
        for kind in ("message_uploaded", "message_delivered", "message_read"):
            self.tell(author, kind, {"entry": own})
        return own

    def _arrive(self, who: str, sent: Sent) -> Entry:
        self.meet(who, sent.discussion)
        kind = OUTBOUND if who == sent.author else INBOUND
        number = self._fresh_id(who, f"message{kind}")
        attachments = [
            {**one, "id": self._fresh_id(who, f"attachment{kind}"), "type": kind} for one in sent.attachments
        ]
        lives = sent.ephemerality["existence_duration"]
        expires = sent.timestamp + lives * 1000 if lives else None
        if who != sent.author and self.people[who].hosted and sent.ephemerality["read_once"]:
            expires = self.clock_ms() + READ_ONCE_STAYS_MS
        # Late arrivals stand where they were said, not where they came.
        entry = Entry(
            type=kind, id=number, uid=sent.uid, discussion=sent.discussion, author=sent.author, body=sent.body,
            timestamp=sent.timestamp, sort_index=float(sent.timestamp), attachments=attachments,
            reply_uid=sent.reply_uid, location=sent.location and dict(sent.location), forwarded=sent.forwarded,
            fresh=kind == INBOUND, expires_at=expires,
        )  # fmt: skip
        person = self.people[who]
        person.messages.append(entry)
        person.messages.sort(key=lambda one: one.sort_index)
        self.touch(who, entry)
        self._touched_sent.add(sent.uid)
        self.note(who, "message", self.seen(entry))
        self.tell(who, "message_sent" if kind == OUTBOUND else "message_received", {"entry": entry})
        if entry.location:
            live = entry.location["type"] == 2
            way = "sharing_start" if live else ("sent" if kind == OUTBOUND else "received")
            self.tell(who, f"message_location_{way}", {"entry": entry})
        return entry

    @staticmethod
    def seen(entry: Entry) -> dict:
        """What an oracle compares: who said what, where, when, with which files."""
        return {
            "uid": entry.uid, "in": entry.discussion, "by": entry.author, "body": entry.body,
            "sent_at": entry.timestamp, "reply_to": entry.reply_uid, "edited": entry.edited,
            "files": [{"name": one["name"], "sha256": one["blob"], "mime": one["mime"]} for one in entry.attachments],
            "reactions": {who: emoji for who, (emoji, _) in entry.reactions.items()},
            "location": entry.location,
        }  # fmt: skip

    def edit(self, actor: str, uid: str, body: str) -> None:
        own = self.entry_of(actor, uid)
        if own is None:
            raise Refused("NOT_FOUND", "no such message")
        if own.author != actor:
            raise Refused("INVALID_ARGUMENT", "only one's own messages can be edited")
        self.sent[uid].body = body
        self._touched_sent.add(uid)
        for who in self.people:
            entry = self.entry_of(who, uid)
            if entry is None:
                continue
            previous, entry.body, entry.edited = entry.body, body, True
            self.touch(who, entry)
            self.note(who, "edit", {"uid": uid, "body": body})
            self.tell(who, "message_body_updated", {"entry": entry, "previous": previous})

    def delete(self, actor: str, uid: str, everywhere: bool) -> None:
        own = self.entry_of(actor, uid)
        if own is None:
            raise Refused("NOT_FOUND", "no such message")
        if everywhere:
            self._may_delete(actor, own)
            self.sent[uid].waiting = []
            self._touched_sent.add(uid)
        for who in list(self.people) if everywhere else [actor]:
            entry = self.entry_of(who, uid)
            if entry is not None:
                self._vanish(who, entry, "deletion")

    def _may_delete(self, actor: str, entry: Entry) -> None:
        if not entry.discussion.startswith("group:"):
            if entry.author != actor:
                raise Refused("INVALID_ARGUMENT", "only one's own messages can be deleted for everybody")
            return
        rights = self.groups[entry.discussion[6:]].members.get(actor, {})
        own = entry.author == actor and rights.get("edit_or_remote_delete_own_messages")
        if not own and not rights.get("remote_delete_anything"):
            raise Refused("PERMISSION_DENIED", "not allowed to delete this for everybody")

    def _vanish(self, who: str, entry: Entry, why: str) -> None:
        """Gone from one person's daemon. The notification does not say why."""
        self.people[who].messages.remove(entry)
        self.touch(who, entry)
        self.note(who, why, {"uid": entry.uid})
        self.tell(who, "message_deleted", {"entry": entry})

    def react(self, actor: str, uid: str, emoji: str) -> None:
        if self.entry_of(actor, uid) is None:
            raise Refused("NOT_FOUND", "no such message")
        now = self.clock_ms()
        for who in self.people:
            entry = self.entry_of(who, uid)
            if entry is None:
                continue
            before = entry.reactions.get(actor)
            self.touch(who, entry)
            if emoji:
                entry.reactions[actor] = (emoji, now)
                kind = "message_reaction_updated" if before else "message_reaction_added"
            elif before:
                del entry.reactions[actor]
                kind = "message_reaction_removed"
            else:
                continue
            facts = {"entry": entry, "by": actor, "reaction": (emoji or before[0], now), "previous": before}
            self.note(who, "reaction", {"uid": uid, "by": actor, "emoji": emoji})
            self.tell(who, kind, facts)

    def move(self, actor: str, uid: str, place: dict | None) -> None:
        """A live location goes on, or ends (`place` is None)."""
        own = self.entry_of(actor, uid)
        if own is None or own.author != actor or not own.location or own.location["type"] != 2:
            raise Refused("INVALID_ARGUMENT", "this is no running share of one's own")
        for who in self.people:
            entry = self.entry_of(who, uid)
            if entry is None:
                continue
            previous = dict(entry.location)
            self.touch(who, entry)
            if place is None:
                entry.location = {**previous, "type": 3}
                self.tell(who, "message_location_sharing_end", {"entry": entry})
            else:
                entry.location = {**previous, **place, "timestamp": self.clock_ms()}
                self.tell(who, "message_location_sharing_update", {"entry": entry, "previous": previous})
            self.note(who, "location", {"uid": uid, "location": entry.location})

    # Time, loss and return

    def tick(self) -> bool:
        """Ends what time ends: messages that expire, and what retention no longer keeps."""
        now = self.clock_ms()
        changed = False
        for who, person in self.people.items():
            ended = [(one, "expiry") for one in person.messages if one.expires_at is not None and one.expires_at <= now]
            ended += [(one, "retention") for one in self._over_retention(person, now)]
            for entry, why in ended:
                if entry in person.messages:
                    self._vanish(who, entry, why)
                    changed = True
        return changed

    @staticmethod
    def _over_retention(person: Person, now: int) -> list[Entry]:
        rule = person.settings.get("message_retention", {})
        over: list[Entry] = []
        if lives := rule.get("existence_duration"):
            over += [one for one in person.messages if one.timestamp + lives * 1000 <= now]
        if most := rule.get("discussion_count"):
            for discussion in {one.discussion for one in person.messages}:
                over += [one for one in person.messages if one.discussion == discussion][:-most]
        if most := rule.get("global_count"):
            over += person.messages[:-most]
        return over

    def forget(self, who: str, discussion: str, keep: int) -> None:
        """As retention would: all but the newest `keep` messages are gone for `who`."""
        mine = [one for one in self.people[who].messages if one.discussion == discussion]
        for entry in mine[: len(mine) - keep]:
            self._vanish(who, entry, "retention")

    def restore(self, who: str, skip_ids: int = 0) -> None:
        """A backup comes back: people and groups with other local ids, and not one message.

        With `skip_ids` 0 the new ids begin at 1 again and collide with those of before.
        """
        person = self.people[who]
        known = {kind: list(keys) for kind, keys in person.ids.items()}
        for entry in person.messages:
            self.touch(who, entry)
        person.ids, person.messages = {}, []
        person.next_id = dict.fromkeys(person.next_id, skip_ids)
        for kind in ("contact", "group", "discussion", "invitation"):
            for key in reversed(known.get(kind, [])):
                self.local_id(who, kind, key)
        self.note(who, "restored", {})
