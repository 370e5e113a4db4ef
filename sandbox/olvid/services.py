"""The services themselves: which call does what. Shapes, keys and faults are in `daemon`."""

from __future__ import annotations

from daemon import (
    CHUNK_BYTES,
    LINK_PREVIEW,
    LISTED_AT_ONCE,
    VERSION,
    Desk,
    admin_service,
    attachment_news,
    attachments,
    client_key_admin_pb2,
    client_key_pb2,
    command,
    contact_news,
    contacts,
    discussion_news,
    discussions,
    group_news,
    groups,
    identities,
    identity_admin_pb2,
    invitation_news,
    invitations,
    message_news,
    message_passes,
    message_pb2,
    messages,
    notification,
    settings,
    settings_pb2,
    storage,
    tools,
)
from google.protobuf.json_format import MessageToDict, ParseDict
from world import Refused

MIMES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "pdf": "application/pdf",
         "m4a": "audio/x-m4a", "mp4": "video/mp4", "txt": "text/plain"}  # fmt: skip


def mime_of(name: str) -> str:
    """The API takes no MIME type; the daemon goes by the name."""
    return MIMES.get(name.rsplit(".", 1)[-1].lower(), "application/octet-stream")


def piecewise(rows: list, size: int = LISTED_AT_ONCE):
    """Listings come in several answers; an empty one is no answer at all."""
    for at in range(0, len(rows), size):
        yield rows[at : at + size]


class Tools(command.ToolCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def Ping(self, request, context):
        return tools.PingResponse()

    async def DaemonVersion(self, request, context):
        return await self.desk.answer("DaemonVersion", context, lambda who: tools.DaemonVersionResponse(version=VERSION))

    async def AuthenticationTest(self, request, context):
        return await self.desk.answer("AuthenticationTest", context, lambda who: tools.AuthenticationTestResponse())


class Identities(command.IdentityCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def IdentityGet(self, request, context):
        def work(who):
            return identities.IdentityGetResponse(identity=self.desk.shape.identity(who))

        return await self.desk.answer("IdentityGet", context, work)

    async def IdentityGetBytesIdentifier(self, request, context):
        def work(who):
            identifier = bytes.fromhex(self.desk.world.people[who].identifier)
            return identities.IdentityGetBytesIdentifierResponse(identifier=identifier)

        return await self.desk.answer("IdentityGetBytesIdentifier", context, work)


class Invitations(command.InvitationCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def _find(self, who: str, number: int) -> dict:
        for one in self.desk.world.people[who].invitations:
            if one["id"] == number:
                return one
        raise Refused("NOT_FOUND", "no such invitation")

    async def InvitationList(self, request, context):
        def work(who):
            return [self.desk.shape.invitation(one, who) for one in self.desk.world.people[who].invitations]

        for piece in piecewise(await self.desk.answer("InvitationList", context, work)):
            yield invitations.InvitationListResponse(invitations=piece)

    async def InvitationAccept(self, request, context):
        def work(who):
            found = self._find(who, request.invitation_id)
            self.desk.world.accept(who, self.desk.world.groups[found["gid"]])
            return invitations.InvitationAcceptResponse()

        return await self.desk.answer("InvitationAccept", context, work)

    async def InvitationDecline(self, request, context):
        def work(who):
            found = self._find(who, request.invitation_id)
            self.desk.world.decline(who, self.desk.world.groups[found["gid"]])
            return invitations.InvitationDeclineResponse()

        return await self.desk.answer("InvitationDecline", context, work)


class Contacts(command.ContactCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def ContactList(self, request, context):
        def work(who):
            known = self.desk.world.people[who].ids.get("contact", {})
            return [self.desk.shape.contact(who, name) for name in known]

        for piece in piecewise(await self.desk.answer("ContactList", context, work)):
            yield contacts.ContactListResponse(contacts=piece)

    async def ContactGet(self, request, context):
        def work(who):
            name = self.desk.world.key_of(who, "contact", request.contact_id)
            return contacts.ContactGetResponse(contact=self.desk.shape.contact(who, name))

        return await self.desk.answer("ContactGet", context, work)

    async def ContactGetBytesIdentifier(self, request, context):
        def work(who):
            name = self.desk.world.key_of(who, "contact", request.contact_id)
            identifier = bytes.fromhex(self.desk.world.people[name].identifier)
            return contacts.ContactGetBytesIdentifierResponse(identifier=identifier)

        return await self.desk.answer("ContactGetBytesIdentifier", context, work)

    async def ContactDownloadPhoto(self, request, context):
        def work(who):
            name = self.desk.world.key_of(who, "contact", request.contact_id)
            photo = self.desk.world.people[name].photo
            content = (self.desk.world.blobs / photo).read_bytes() if photo else b""
            return contacts.ContactDownloadPhotoResponse(photo=content)

        return await self.desk.answer("ContactDownloadPhoto", context, work)


class Groups(command.GroupCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def _group(self, who: str, number: int):
        group = self.desk.world.groups[self.desk.world.key_of(who, "group", number)]
        if who not in group.members:
            raise Refused("NOT_FOUND", "no such group")
        return group

    async def GroupList(self, request, context):
        def work(who):
            world = self.desk.world
            return [self.desk.shape.group(who, one) for one in world.groups.values() if who in one.members]

        for piece in piecewise(await self.desk.answer("GroupList", context, work)):
            yield groups.GroupListResponse(groups=piece)

    async def GroupGet(self, request, context):
        def work(who):
            return groups.GroupGetResponse(group=self.desk.shape.group(who, self._group(who, request.group_id)))

        return await self.desk.answer("GroupGet", context, work)

    async def GroupGetBytesIdentifier(self, request, context):
        def work(who):
            identifier = bytes.fromhex(self._group(who, request.group_id).gid)
            return groups.GroupGetBytesIdentifierResponse(identifier=identifier)

        return await self.desk.answer("GroupGetBytesIdentifier", context, work)

    async def GroupLeave(self, request, context):
        def work(who):
            group = self._group(who, request.group_id)
            shape = self.desk.shape.group(who, group)
            self.desk.world.leave(who, group)
            return groups.GroupLeaveResponse(group=shape)

        return await self.desk.answer("GroupLeave", context, work)

    async def GroupDownloadPhoto(self, request, context):
        def work(who):
            photo = self._group(who, request.group_id).photo
            content = (self.desk.world.blobs / photo).read_bytes() if photo else b""
            return groups.GroupDownloadPhotoResponse(photo=content)

        return await self.desk.answer("GroupDownloadPhoto", context, work)


class Discussions(command.DiscussionCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def DiscussionList(self, request, context):
        def work(who):
            known = self.desk.world.people[who].ids.get("discussion", {})
            return [self.desk.shape.discussion(who, key) for key in known]

        for piece in piecewise(await self.desk.answer("DiscussionList", context, work)):
            yield discussions.DiscussionListResponse(discussions=piece)

    async def DiscussionGet(self, request, context):
        def work(who):
            key = self.desk.world.key_of(who, "discussion", request.discussion_id)
            return discussions.DiscussionGetResponse(discussion=self.desk.shape.discussion(who, key))

        return await self.desk.answer("DiscussionGet", context, work)

    async def DiscussionGetBytesIdentifier(self, request, context):
        def work(who):
            key = self.desk.world.key_of(who, "discussion", request.discussion_id)
            if key.startswith("group:"):
                identifier = bytes.fromhex(key[6:])
            else:
                other = next(name for name in key[4:].split("|") if name != who)
                identifier = bytes.fromhex(self.desk.world.people[other].identifier)
            return discussions.DiscussionGetBytesIdentifierResponse(identifier=identifier)

        return await self.desk.answer("DiscussionGetBytesIdentifier", context, work)

    async def DiscussionGetByGroup(self, request, context):
        def work(who):
            key = f"group:{self.desk.world.key_of(who, 'group', request.group_id)}"
            return discussions.DiscussionGetByGroupResponse(discussion=self.desk.shape.discussion(who, key))

        return await self.desk.answer("DiscussionGetByGroup", context, work)

    async def DiscussionGetByContact(self, request, context):
        def work(who):
            other = self.desk.world.key_of(who, "contact", request.contact_id)
            key = self.desk.world.discussion_between(who, other)
            return discussions.DiscussionGetByContactResponse(discussion=self.desk.shape.discussion(who, key))

        return await self.desk.answer("DiscussionGetByContact", context, work)


class Messages(command.MessageCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def _uid(self, who: str, one: message_pb2.MessageId) -> str:
        return self.desk.world.entry(who, one.type, one.id).uid

    async def MessageList(self, request, context):
        def work(who):
            found = []
            for entry in self.desk.world.people[who].messages:
                shape = self.desk.shape.message(who, entry)
                if request.unread and not entry.fresh:
                    continue
                if request.HasField("filter") and not message_passes(
                    shape, request.filter, self.desk.faults.swap_timestamps
                ):
                    continue
                # Listing clears the flag, whatever was asked for.
                entry.fresh = False
                self.desk.world.touch(who, entry)
                found.append(shape)
            return found

        for piece in piecewise(await self.desk.answer("MessageList", context, work)):
            yield messages.MessageListResponse(messages=piece)

    async def MessageGet(self, request, context):
        def work(who):
            entry = self.desk.world.entry(who, request.message_id.type, request.message_id.id)
            return messages.MessageGetResponse(message=self.desk.shape.message(who, entry))

        return await self.desk.answer("MessageGet", context, work)

    def _send(self, who, wanted, body, files):
        world = self.desk.world
        key = world.key_of(who, "discussion", wanted.discussion_id)
        reply = None
        if wanted.HasField("reply_id"):
            replied = world.entry(who, wanted.reply_id.type, wanted.reply_id.id)
            if replied.discussion != key:
                raise Refused("INVALID_ARGUMENT", "a reply stays in its discussion")
            reply = replied.uid
        ephemerality = None
        if wanted.HasField("ephemerality"):
            one = wanted.ephemerality
            ephemerality = {"read_once": one.read_once, "existence_duration": one.existence_duration,
                            "visibility_duration": one.visibility_duration}  # fmt: skip
        if not wanted.disable_link_preview and "https://" in body:
            link = body[body.index("https://") :].split()[0]
            files = [*files, {"name": link, "mime": LINK_PREVIEW, "size": 2, "blob": world.keep_blob(b"{}")}]
        return world.send(who, key, body, files, reply, ephemerality=ephemerality)

    async def MessageSend(self, request, context):
        def work(who):
            if not request.body.strip():
                raise Refused("INVALID_ARGUMENT", "the body is blank")
            entry = self._send(who, request, request.body, [])
            return messages.MessageSendResponse(message=self.desk.shape.message(who, entry))

        return await self.desk.answer("MessageSend", context, work)

    async def MessageSendWithAttachments(self, requests, context):
        metadata, contents, current = None, [], bytearray()
        async for request in requests:
            match request.WhichOneof("request"):
                case "metadata":
                    metadata = request.metadata
                case "payload":
                    current += request.payload
                case "file_delimiter":
                    contents.append(bytes(current))
                    current = bytearray()

        def work(who):
            if metadata is None or len(contents) != len(metadata.files) or current:
                raise Refused("INVALID_ARGUMENT", "the files are not those that were announced")
            files = []
            for announced, content in zip(metadata.files, contents, strict=True):
                if announced.file_size != len(content):
                    raise Refused("INVALID_ARGUMENT", "a file is not as long as announced")
                blob = self.desk.world.keep_blob(content)
                if any(one["blob"] == blob and one["name"] == announced.filename for one in files):
                    raise Refused("INVALID_ARGUMENT", "the same file twice in one message")
                files.append({"name": announced.filename, "mime": mime_of(announced.filename),
                              "size": len(content), "blob": blob})  # fmt: skip
            entry = self._send(who, metadata, metadata.body, files)
            shapes = [self.desk.shape.attachment(who, entry, one) for one in entry.attachments]
            message = self.desk.shape.message(who, entry)
            return messages.MessageSendWithAttachmentsResponse(message=message, attachments=shapes)

        return await self.desk.answer("MessageSendWithAttachments", context, work)

    async def MessageReact(self, request, context):
        def work(who):
            self.desk.world.react(who, self._uid(who, request.message_id), request.reaction)
            return messages.MessageReactResponse()

        return await self.desk.answer("MessageReact", context, work)

    async def MessageUpdateBody(self, request, context):
        def work(who):
            self.desk.world.edit(who, self._uid(who, request.message_id), request.updated_body)
            return messages.MessageUpdateBodyResponse()

        return await self.desk.answer("MessageUpdateBody", context, work)

    async def MessageDelete(self, request, context):
        def work(who):
            self.desk.world.delete(who, self._uid(who, request.message_id), request.delete_everywhere)
            return messages.MessageDeleteResponse()

        return await self.desk.answer("MessageDelete", context, work)

    async def MessageSendLocation(self, request, context):
        def work(who):
            world = self.desk.world
            key = world.key_of(who, "discussion", request.discussion_id)
            place = {"type": 1, "timestamp": world.clock_ms(), "latitude": request.latitude,
                     "longitude": request.longitude}  # fmt: skip
            body = f"https://maps.google.com/?q={request.latitude:.5f}+{request.longitude:.5f}"
            if request.address:
                place["address"] = request.address
                body = f"{request.address}\n\n{body}"
            entry = world.send(who, key, body, location=place)
            return messages.MessageSendLocationResponse(message=self.desk.shape.message(who, entry))

        return await self.desk.answer("MessageSendLocation", context, work)


class Attachments(command.AttachmentCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def _all(self, who: str):
        for entry in self.desk.world.people[who].messages:
            for one in entry.attachments:
                yield entry, one

    def _find(self, who: str, wanted):
        for entry, one in self._all(who):
            if (one["type"], one["id"]) == (wanted.type, wanted.id):
                return entry, one
        raise Refused("NOT_FOUND", "no such attachment")

    async def AttachmentList(self, request, context):
        def work(who):
            wanted = request.filter
            if wanted.HasField("message_id"):
                self.desk.world.entry(who, wanted.message_id.type, wanted.message_id.id)
            shapes = [self.desk.shape.attachment(who, entry, one) for entry, one in self._all(who)]
            if wanted.HasField("message_id"):
                shapes = [one for one in shapes if one.message_id == wanted.message_id]
            if wanted.HasField("discussion_id"):
                shapes = [one for one in shapes if one.discussion_id == wanted.discussion_id]
            return shapes

        for piece in piecewise(await self.desk.answer("AttachmentList", context, work)):
            yield attachments.AttachmentListResponse(attachments=piece)

    async def AttachmentGet(self, request, context):
        def work(who):
            entry, one = self._find(who, request.attachment_id)
            return attachments.AttachmentGetResponse(attachment=self.desk.shape.attachment(who, entry, one))

        return await self.desk.answer("AttachmentGet", context, work)

    async def AttachmentDownload(self, request, context):
        def work(who):
            _, one = self._find(who, request.attachment_id)
            return (self.desk.world.blobs / one["blob"]).read_bytes()

        content = await self.desk.answer("AttachmentDownload", context, work)
        for at in range(0, len(content), CHUNK_BYTES):
            yield attachments.AttachmentDownloadResponse(chunk=content[at : at + CHUNK_BYTES])


class Settings(command.SettingsCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def _identity(self, who: str) -> settings_pb2.IdentitySettings:
        return ParseDict(self.desk.world.people[who].settings, settings_pb2.IdentitySettings())

    async def SettingsIdentityGet(self, request, context):
        def work(who):
            return settings.SettingsIdentityGetResponse(identity_settings=self._identity(who))

        return await self.desk.answer("SettingsIdentityGet", context, work)

    async def SettingsIdentitySet(self, request, context):
        def work(who):
            # All of it is replaced: what the caller leaves out is off afterwards.
            wanted = MessageToDict(request.identity_settings, preserving_proto_field_name=True)
            for rules in wanted.values():
                for name, value in rules.items():
                    rules[name] = int(value) if isinstance(value, str) else value
            person = self.desk.world.people[who]
            person.settings = wanted
            if wanted.get("invitation", {}).get("auto_accept_group"):
                for one in list(person.invitations):
                    self.desk.world.accept(who, self.desk.world.groups[one["gid"]])
            return settings.SettingsIdentitySetResponse(identity_settings=self._identity(who))

        return await self.desk.answer("SettingsIdentitySet", context, work)

    async def SettingsDiscussionGet(self, request, context):
        def work(who):
            key = self.desk.world.key_of(who, "discussion", request.discussion_id)
            shape = self.desk.shape.discussion_settings(who, key, self.desk.world.settings_of(key))
            return settings.SettingsDiscussionGetResponse(discussion_settings=shape)

        return await self.desk.answer("SettingsDiscussionGet", context, work)

    async def SettingsDiscussionSet(self, request, context):
        def work(who):
            one = request.discussion_settings
            key = self.desk.world.key_of(who, "discussion", one.discussion_id)
            facts = {"read_once": one.read_once, "existence_duration": one.existence_duration,
                     "visibility_duration": one.visibility_duration}  # fmt: skip
            self.desk.world.set_discussion(who, key, facts)
            shape = self.desk.shape.discussion_settings(who, key, facts)
            return settings.SettingsDiscussionSetResponse(discussion_settings=shape)

        return await self.desk.answer("SettingsDiscussionSet", context, work)


class Storage(command.StorageCommandServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def StorageGet(self, request, context):
        def work(who):
            return storage.StorageGetResponse(value=self.desk.world.people[who].storage.get(request.key, ""))

        return await self.desk.answer("StorageGet", context, work)

    async def StorageSet(self, request, context):
        def work(who):
            kept = self.desk.world.people[who].storage
            previous, kept[request.key] = kept.get(request.key, ""), request.value
            return storage.StorageSetResponse(previous_value=previous)

        return await self.desk.answer("StorageSet", context, work)


class IdentityAdmin(admin_service.IdentityAdminServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def IdentityList(self, request, context):
        def work(who):
            return [self.desk.shape.identity(name) for name, one in self.desk.world.people.items() if one.hosted]

        for piece in piecewise(await self.desk.answer("IdentityList", context, work)):
            yield identity_admin_pb2.IdentityListResponse(identities=piece)


class KeyAdmin(admin_service.ClientKeyAdminServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def ClientKeyNew(self, request, context):
        def work(who):
            hosted = [one for one in self.desk.world.people.values() if one.hosted]
            if not 1 <= request.identity_id <= len(hosted):
                raise Refused("NOT_FOUND", "no such identity")
            person = hosted[request.identity_id - 1]
            key = client_key_pb2.ClientKey(
                name=request.name, key=person.client_key, identity_id=request.identity_id
            )
            return client_key_admin_pb2.ClientKeyNewResponse(client_key=key)

        return await self.desk.answer("ClientKeyNew", context, work)


# Notifications: a stream of each kind, shaped from what the world tells.


def _of_entry(desk: Desk, answer, more=None):
    """A notification about a message, which the subscription's filter and ids may pass over."""

    def shape(request, who, facts):
        message = desk.shape.message(who, facts["entry"])
        ids = getattr(request, "message_ids", ())
        if ids and message.id not in ids:
            return None
        name = "filter" if "filter" in request.DESCRIPTOR.fields_by_name else "message_filter"
        if request.HasField(name) and not message_passes(message, getattr(request, name), desk.faults.swap_timestamps):
            return None
        return answer(message=message, **(more(who, facts) if more else {}))

    return shape


def _of_group(desk: Desk, answer, more=None):
    def shape(request, who, facts):
        group = desk.shape.group(who, desk.world.groups[facts["gid"]])
        ids = getattr(request, "group_ids", ())
        if ids and group.id not in ids:
            return None
        return answer(group=group, **(more(who, facts) if more else {}))

    return shape


def notification_services(desk: Desk) -> list:
    """Every notification service with its servicer, ready to be added to a server."""
    shape = desk.shape

    def member(who, facts):
        rights = facts.get("permissions") or desk.world.groups[facts["gid"]].members[facts["member"]]
        return {"member": shape.member(who, facts["member"], rights)}

    def pending(who, facts):
        one = desk.world.groups[facts["gid"]].pending.get(facts["member"], {"permissions": {}})
        return {"pending_member": shape.pending(who, facts["member"], one["permissions"])}

    def reaction(name):
        def more(who, facts):
            made = {"reaction": shape.reaction(who, facts["by"], *facts["reaction"])}
            if name == "updated":
                made["previous_reaction"] = shape.reaction(who, facts["by"], *facts["previous"])
            return made

        return more

    def permissions(who, facts):
        now = desk.world.groups[facts["gid"]].members[facts["member"]]
        return {"permissions": shape.permissions(now), "previous_permissions": shape.permissions(facts["previous"])}

    def member_permissions(who, facts):
        return {**member(who, facts), "previous_permissions": shape.permissions(facts["previous"])}

    def discussion(answer, more=None):
        def made(request, who, facts):
            one = shape.discussion(who, facts["discussion"])
            return answer(discussion=one, **(more(who, facts) if more else {}))

        return made

    def new_settings(who, facts):
        key = facts["discussion"]
        return {"new_settings": shape.discussion_settings(who, key, facts["settings"]),
                "previous_settings": shape.discussion_settings(who, key, facts["previous"])}  # fmt: skip

    def attachment(request, who, facts):
        if not facts["entry"].attachments:
            return None
        return [
            attachment_news.AttachmentReceivedNotification(attachment=shape.attachment(who, facts["entry"], one))
            for one in facts["entry"].attachments
        ]

    m, g, d = message_news, group_news, discussion_news
    kinds = {
        notification.MessageNotificationServiceServicer: {
            "MessageReceived": _of_entry(desk, m.MessageReceivedNotification),
            "MessageSent": _of_entry(desk, m.MessageSentNotification),
            "MessageDeleted": _of_entry(desk, m.MessageDeletedNotification),
            "MessageBodyUpdated": _of_entry(
                desk, m.MessageBodyUpdatedNotification, lambda who, facts: {"previous_body": facts["previous"]}
            ),
            "MessageUploaded": _of_entry(desk, m.MessageUploadedNotification),
            "MessageDelivered": _of_entry(desk, m.MessageDeliveredNotification),
            "MessageRead": _of_entry(desk, m.MessageReadNotification),
            "MessageLocationReceived": _of_entry(desk, m.MessageLocationReceivedNotification),
            "MessageLocationSent": _of_entry(desk, m.MessageLocationSentNotification),
            "MessageLocationSharingStart": _of_entry(desk, m.MessageLocationSharingStartNotification),
            "MessageLocationSharingUpdate": _of_entry(
                desk, m.MessageLocationSharingUpdateNotification,
                lambda who, facts: {"previous_location": shape.location(facts["previous"])},
            ),
            "MessageLocationSharingEnd": _of_entry(desk, m.MessageLocationSharingEndNotification),
            "MessageReactionAdded": _of_entry(desk, m.MessageReactionAddedNotification, reaction("added")),
            "MessageReactionUpdated": _of_entry(desk, m.MessageReactionUpdatedNotification, reaction("updated")),
            "MessageReactionRemoved": _of_entry(desk, m.MessageReactionRemovedNotification, reaction("removed")),
        },
        notification.GroupNotificationServiceServicer: {
            "GroupNew": _of_group(desk, g.GroupNewNotification),
            "GroupDeleted": _of_group(desk, g.GroupDeletedNotification),
            "GroupNameUpdated": _of_group(
                desk, g.GroupNameUpdatedNotification, lambda who, facts: {"previous_name": facts["previous"]}
            ),
            "GroupPhotoUpdated": _of_group(desk, g.GroupPhotoUpdatedNotification),
            "GroupDescriptionUpdated": _of_group(
                desk, g.GroupDescriptionUpdatedNotification,
                lambda who, facts: {"previous_description": facts["previous"]},
            ),
            "GroupPendingMemberAdded": _of_group(desk, g.GroupPendingMemberAddedNotification, pending),
            "GroupMemberJoined": _of_group(desk, g.GroupMemberJoinedNotification, member),
            "GroupMemberLeft": _of_group(desk, g.GroupMemberLeftNotification, member),
            "GroupOwnPermissionsUpdated": _of_group(desk, g.GroupOwnPermissionsUpdatedNotification, permissions),
            "GroupMemberPermissionsUpdated": _of_group(
                desk, g.GroupMemberPermissionsUpdatedNotification, member_permissions
            ),
        },
        notification.DiscussionNotificationServiceServicer: {
            "DiscussionNew": discussion(d.DiscussionNewNotification),
            "DiscussionTitleUpdated": discussion(
                d.DiscussionTitleUpdatedNotification, lambda who, facts: {"previous_title": facts["previous"]}
            ),
            "DiscussionSettingsUpdated": discussion(d.DiscussionSettingsUpdatedNotification, new_settings),
        },
        notification.InvitationNotificationServiceServicer: {
            "InvitationReceived": lambda request, who, facts: invitation_news.InvitationReceivedNotification(
                invitation=shape.invitation(facts["invitation"], who)
            ),
            "InvitationDeleted": lambda request, who, facts: invitation_news.InvitationDeletedNotification(
                invitation=shape.invitation(facts["invitation"], who)
            ),
        },
        notification.ContactNotificationServiceServicer: {
            "ContactNew": lambda request, who, facts: contact_news.ContactNewNotification(
                contact=shape.contact(who, facts["contact"])
            ),
        },
        notification.AttachmentNotificationServiceServicer: {"AttachmentReceived": attachment},
    }
    return [_servicer(desk, base, streams) for base, streams in kinds.items()]


def _kind(method: str) -> str:
    """`MessageReceived` as the world says it: `message_received`."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in method)
    return {"attachment_received": "message_received"}.get(words[1:], words[1:])


def _servicer(desk: Desk, base: type, streams: dict):
    """A servicer of `base` that answers the streams given and leaves the others unanswered."""

    def handler(method, shape):
        async def stream(self, request, context):
            asked = lambda who, facts: shape(request, who, facts)  # noqa: E731
            async for told in desk.subscribe(_kind(method), request, context, asked):
                for one in told if isinstance(told, list) else [told]:
                    yield one

        return stream

    return base, type(base.__name__[:-8], (base,), {name: handler(name, shape) for name, shape in streams.items()})()


def add_services(desk: Desk, server) -> None:
    """Puts everything on a server."""
    c, a = command, admin_service
    pairs = [
        (c.ToolCommandServiceServicer, Tools(desk)), (c.IdentityCommandServiceServicer, Identities(desk)),
        (c.InvitationCommandServiceServicer, Invitations(desk)), (c.ContactCommandServiceServicer, Contacts(desk)),
        (c.GroupCommandServiceServicer, Groups(desk)), (c.DiscussionCommandServiceServicer, Discussions(desk)),
        (c.MessageCommandServiceServicer, Messages(desk)),
        (c.AttachmentCommandServiceServicer, Attachments(desk)), (c.SettingsCommandServiceServicer, Settings(desk)),
        (c.StorageCommandServiceServicer, Storage(desk)), (a.IdentityAdminServiceServicer, IdentityAdmin(desk)),
        (a.ClientKeyAdminServiceServicer, KeyAdmin(desk)), *notification_services(desk),
    ]  # fmt: skip
    for base, servicer in pairs:
        for module in (command, notification, admin_service):
            if add := getattr(module, f"add_{base.__name__}_to_server", None):
                add(servicer, server)
