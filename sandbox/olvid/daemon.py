"""The daemon's gRPC API, as the official package describes it, over a `World`.

Only what a relay and the official client use is answered; the rest is UNIMPLEMENTED, as the
generated base classes have it. Field names are those of the package's own messages.
"""

from __future__ import annotations

import asyncio
import re

import grpc
from olvid.protobuf.olvid.daemon.admin.v1 import client_key_admin_pb2, identity_admin_pb2
from olvid.protobuf.olvid.daemon.command.v1 import (
    attachment_commands_pb2 as attachments,
    contact_commands_pb2 as contacts,
    discussion_commands_pb2 as discussions,
    group_commands_pb2 as groups,
    identity_commands_pb2 as identities,
    invitation_commands_pb2 as invitations,
    message_commands_pb2 as messages,
    settings_commands_pb2 as settings,
    storage_commands_pb2 as storage,
    tool_commands_pb2 as tools,
)
from olvid.protobuf.olvid.daemon.datatypes.v1 import (
    attachment_pb2,
    client_key_pb2,
    contact_pb2,
    discussion_pb2,
    group_pb2,
    identity_pb2,
    invitation_pb2,
    message_pb2,
    settings_pb2,
)
from olvid.protobuf.olvid.daemon.notification.v1 import (
    attachment_notifications_pb2 as attachment_news,
    contact_notifications_pb2 as contact_news,
    discussion_notifications_pb2 as discussion_news,
    group_notifications_pb2 as group_news,
    invitation_notifications_pb2 as invitation_news,
    message_notifications_pb2 as message_news,
)
from olvid.protobuf.olvid.daemon.services.v1 import (
    admin_service_pb2_grpc as admin_service,
    command_service_pb2_grpc as command,
    notification_service_pb2_grpc as notification,
)
from world import OUTBOUND, Entry, Group, Person, Refused, World

VERSION = "2.0.1"
# Official clients send and take files in pieces of this size.
CHUNK_BYTES = 1_000_000
# Messages in one answer of a listing; the real number is not known, clients must not care.
LISTED_AT_ONCE = 50
LINK_PREVIEW = "olvid/link-preview"
EVERYTHING = "*"


class Faults:
    """What goes wrong on command. Empty: nothing."""

    def __init__(self) -> None:
        self.refuse: dict[str, int] = {}
        self.lose_answer: dict[str, int] = {}
        self.slow_ms: dict[str, int] = {}
        self.swap_timestamps = False

    def _spend(self, budget: dict[str, int], method: str) -> bool:
        for name in (method, EVERYTHING):
            if budget.get(name, 0) > 0:
                budget[name] -= 1
                return True
        return False

    async def before(self, method: str, context) -> None:
        if wait := self.slow_ms.get(method, self.slow_ms.get(EVERYTHING, 0)):
            await asyncio.sleep(wait / 1000)
        if self._spend(self.refuse, method):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "refused on command")

    async def after(self, method: str, context) -> None:
        """The effect stands, the answer is lost."""
        if self._spend(self.lose_answer, method):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


class Shape:
    """The world's things as the API's messages, as one person's daemon says them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def details(self, person: Person) -> identity_pb2.IdentityDetails:
        return identity_pb2.IdentityDetails(**person.details)

    def identity(self, name: str) -> identity_pb2.Identity:
        person = self.world.people[name]
        return identity_pb2.Identity(
            id=identity_number(self.world, name), display_name=self.world.display_name(name),
            details=self.details(person), has_a_photo=bool(person.photo),
        )  # fmt: skip

    def contact(self, who: str, name: str) -> contact_pb2.Contact:
        person = self.world.people[name]
        known = self.world.people[who].ids.get("discussion", {})
        return contact_pb2.Contact(
            id=self.world.local_id(who, "contact", name), display_name=self.world.display_name(name),
            details=self.details(person), established_channel_count=1, device_count=1,
            has_one_to_one_discussion=self.world.discussion_between(who, name) in known,
            has_a_photo=bool(person.photo),
        )  # fmt: skip

    def permissions(self, rights: dict) -> group_pb2.GroupMemberPermissions:
        return group_pb2.GroupMemberPermissions(**rights)

    def member(self, who: str, name: str, rights: dict) -> group_pb2.GroupMember:
        number = self.world.local_id(who, "contact", name)
        return group_pb2.GroupMember(contact_id=number, permissions=self.permissions(rights))

    def pending(self, who: str, name: str, rights: dict, declined: bool = False) -> group_pb2.PendingGroupMember:
        known = self.world.people[who].ids.get("contact", {})
        return group_pb2.PendingGroupMember(
            pending_member_id=self.world.local_id(who, "pending", name), contact_id=known.get(name, 0),
            display_name=self.world.display_name(name), declined=declined, permissions=self.permissions(rights),
        )  # fmt: skip

    def group(self, who: str, group: Group) -> group_pb2.Group:
        return group_pb2.Group(
            id=self.world.local_id(who, "group", group.gid), type=group.kind, name=group.name,
            description=group.description, has_a_photo=bool(group.photo), keycloak_managed=group.keycloak,
            own_permissions=self.permissions(group.members.get(who, {})),
            members=[self.member(who, name, rights) for name, rights in group.members.items() if name != who],
            pending_members=[
                self.pending(who, name, one["permissions"], one["declined"]) for name, one in group.pending.items()
            ],
        )  # fmt: skip

    def discussion(self, who: str, key: str) -> discussion_pb2.Discussion:
        one = discussion_pb2.Discussion(
            id=self.world.local_id(who, "discussion", key), title=self.world.title(who, key)
        )
        if key.startswith("oto:"):
            other = next(name for name in key[4:].split("|") if name != who)
            one.contact_id = self.world.local_id(who, "contact", other)
        elif who in self.world.groups[key[6:]].members:
            one.group_id = self.world.local_id(who, "group", key[6:])
        # Neither is set in a discussion that is locked because its group is gone.
        return one

    def discussion_settings(self, who: str, key: str, facts: dict) -> settings_pb2.DiscussionSettings:
        return settings_pb2.DiscussionSettings(discussion_id=self.world.local_id(who, "discussion", key), **facts)

    def location(self, place: dict) -> message_pb2.MessageLocation:
        return message_pb2.MessageLocation(**place)

    def reaction(self, who: str, by: str, emoji: str, at: int) -> message_pb2.MessageReaction:
        number = 0 if by == who else self.world.local_id(who, "contact", by)
        return message_pb2.MessageReaction(contact_id=number, reaction=emoji, timestamp=at)

    def message_id(self, entry: Entry) -> message_pb2.MessageId:
        return message_pb2.MessageId(type=entry.type, id=entry.id)

    def message(self, who: str, entry: Entry) -> message_pb2.Message:
        one = message_pb2.Message(
            id=self.message_id(entry),
            discussion_id=self.world.local_id(who, "discussion", entry.discussion),
            sender_id=0 if entry.type == OUTBOUND else self.world.local_id(who, "contact", entry.author),
            body=entry.body, sort_index=entry.sort_index, timestamp=entry.timestamp,
            attachments_count=len(entry.attachments), forwarded=entry.forwarded, edited_body=entry.edited,
            reactions=[self.reaction(who, by, emoji, at) for by, (emoji, at) in entry.reactions.items()],
        )  # fmt: skip
        if entry.reply_uid and (replied := self.world.entry_of(who, entry.reply_uid)):
            one.replied_message_id.CopyFrom(self.message_id(replied))
        if entry.location:
            one.message_location.CopyFrom(self.location(entry.location))
        return one

    def attachment(self, who: str, entry: Entry, one: dict) -> attachment_pb2.Attachment:
        return attachment_pb2.Attachment(
            id=attachment_pb2.AttachmentId(type=one["type"], id=one["id"]),
            discussion_id=self.world.local_id(who, "discussion", entry.discussion),
            message_id=self.message_id(entry), file_name=one["name"], mime_type=one["mime"], size=one["size"],
        )  # fmt: skip

    def invitation(self, one: dict, who: str) -> invitation_pb2.Invitation:
        return invitation_pb2.Invitation(
            id=one["id"], status=one["status"], display_name=self.world.groups[one["gid"]].name,
            timestamp=one["timestamp"], mediator_id=self.world.local_id(who, "contact", one["by"]),
        )  # fmt: skip


def identity_number(world: World, name: str) -> int:
    """An identity's own number on this daemon."""
    hosted = [key for key, person in world.people.items() if person.hosted]
    return hosted.index(name) + 1


def message_passes(message: message_pb2.Message, wanted: message_pb2.MessageFilter, swapped: bool) -> bool:
    """Whether a filter lets a message through; all that is set must hold."""
    low, high = ("max_timestamp", "min_timestamp") if swapped else ("min_timestamp", "max_timestamp")
    reactions = {one.reaction for one in message.reactions}
    kind = message.message_location.type if message.HasField("message_location") else 0
    checks = [
        not wanted.HasField("type") or message.id.type == wanted.type,
        not wanted.HasField("discussion_id") or message.discussion_id == wanted.discussion_id,
        not wanted.HasField("sender_contact_id") or message.sender_id == wanted.sender_contact_id,
        not wanted.HasField("body_search") or re.search(wanted.body_search, message.body) is not None,
        not wanted.HasField("attachment") or (message.attachments_count > 0) == (wanted.attachment == 1),
        not wanted.HasField("location") or (kind > 0) == (wanted.location != 2),
        not wanted.HasField(low) or message.timestamp >= getattr(wanted, low),
        not wanted.HasField(high) or message.timestamp <= getattr(wanted, high),
        not wanted.HasField("has_reaction") or bool(reactions) == (wanted.has_reaction == 1),
        wanted.WhichOneof("reply") != "reply_to_a_message" or message.HasField("replied_message_id"),
        wanted.WhichOneof("reply") != "do_not_reply_to_a_message" or not message.HasField("replied_message_id"),
        wanted.WhichOneof("reply") != "replied_message_id" or message.replied_message_id == wanted.replied_message_id,
    ]
    return all(checks)


class Desk:
    """What all services share: who calls, what goes wrong, and the streams that are open."""

    def __init__(self, world: World, faults: Faults, admin_key: str) -> None:
        self.world, self.faults, self.admin_key = world, faults, admin_key
        self.shape = Shape(world)
        self.streams: set[tuple[str, str, asyncio.Queue]] = set()
        self.calls: list[str] = []
        world.listeners.append(self.publish)

    def publish(self, who: str, kind: str, facts: dict) -> None:
        for owner, wanted, queue in list(self.streams):
            if (owner, wanted) == (who, kind):
                if kind == "message_received":
                    # Read, as soon as any client was told.
                    facts["entry"].fresh = False
                    self.world.touch(who, facts["entry"])
                queue.put_nowait(facts)

    def drop_streams(self) -> None:
        for _, _, queue in self.streams:
            queue.put_nowait(None)

    async def caller(self, context) -> str:
        """Whose daemon is spoken to, by the key that is shown."""
        shown = {key: value for key, value in context.invocation_metadata()}
        key = shown.get("daemon-client-key", "")
        if key and key == self.admin_key:
            number = int(shown.get("daemon-identity-id", "0") or 0)
            hosted = [name for name, person in self.world.people.items() if person.hosted]
            if 1 <= number <= len(hosted):
                return hosted[number - 1]
            return ""
        for name, person in self.world.people.items():
            if person.hosted and key and key == person.client_key:
                return name
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the client key is not known")
        raise AssertionError("abort raises")

    async def answer(self, method: str, context, work):
        """One call: authenticated, hindered if so ordered, its refusals told as gRPC does."""
        self.calls.append(method)
        who = await self.caller(context)
        await self.faults.before(method, context)
        try:
            made = work(who)
        except Refused as error:
            await context.abort(getattr(grpc.StatusCode, error.code), str(error))
        self.world.keep()
        await self.faults.after(method, context)
        return made

    async def subscribe(self, kind: str, request, context, shape):
        """A live stream: what happens while it is open, and nothing of before."""
        who = await self.caller(context)
        await self.faults.before(kind, context)
        queue: asyncio.Queue = asyncio.Queue()
        place = (who, kind, queue)
        self.streams.add(place)
        # The headers tell the client that nothing is missed from here on.
        await context.send_initial_metadata(())
        left = request.count
        try:
            while True:
                facts = await queue.get()
                if facts is None:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
                told = shape(who, facts)
                if told is None:
                    continue
                yield told
                if left == 1:
                    return
                left -= 1 if left else 0
        finally:
            self.streams.discard(place)
