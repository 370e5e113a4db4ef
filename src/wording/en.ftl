# Texts that people read, in English. The French file explains the order.

## Dates and quantities

moment = { $day } at { $time }
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
list-and = { $first } and { $last }
size-bytes = { $number } { $count ->
    [one] byte
   *[other] bytes
}
size-kb = { $number } kB
size-mb = { $number } MB
size-gb = { $number } GB

## Messages

empty-message = (empty message)
message-deleted = 🗑️ Message deleted
unknown-message = Message of an unknown kind, without words in the export
edited = (edited)
edited-at = (edited on { $moment })
earlier-version = Earlier version, of { $moment }
forwarded = Forwarded
forwarded-from = Forwarded from { $name }
forwarded-at = Forwarded, message of { $moment }
forwarded-from-at = Forwarded from { $name }, message of { $moment }
reply-absent = In reply to a message that is not in this room
reply-absent-of = In reply to { $name }, message not in this room
quote-of = { $name }:
quoted = “{ $text }”
view-once = View once
topic = Topic: { $name }
somebody = Somebody
speaker-prefix = { $name }:{" "}
reactions = Reactions: { $list }
reaction-people = { $emoji } { $people }
reaction-count = { $emoji } × { $count }
reaction-people-count = { $emoji } { $people } (+ { $count })

## Files

kind-photo = Photo
kind-video = Video
kind-gif = GIF
kind-video-note = Video message
kind-voice = Voice message
kind-audio = Audio
kind-sticker = Sticker
kind-document = Document
kind-link-preview = Link preview
kind-unknown = File
file-named = { $kind } “{ $name }”
file-sized = { $file } ({ $size })
file-omitted = 📎 { $file }: not included in the export
file-missing = 📎 { $file }: not found in the export
file-too-large = 📎 { $file }: left out by the export because of its size
file-not-imported = 📎 { $file }: not imported
file-link-preview = 🔗 Link preview
sticker-emoji = Sticker { $emoji }

## Places, contacts, calls

location = 📍 Shared location
location-labelled = 📍 { $label }
location-live = 📍 Live location
location-live-for = 📍 Live location, for { $duration }
contact = 👤 Contact: { $name }
contact-unnamed = 👤 Contact
contact-card-missing = (card not in the export)
contact-card-not-imported = (card not imported)
call-voice = 📞 Voice call
call-voice-lasting = 📞 Voice call, { $duration }
call-voice-missed = 📞 Missed voice call
call-video = 📹 Video call
call-video-lasting = 📹 Video call, { $duration }
call-video-missed = 📹 Missed video call

## Polls

poll = 📊 Poll
poll-multiple = (several answers allowed)
poll-results = 📊 Results of the poll “{ $question }”
poll-option-votes = { $option }: { $votes ->
    [one] { $votes } vote
   *[other] { $votes } votes
}
poll-total = { $voters ->
    [one] { $voters } voter
   *[other] { $voters } voters
}
poll-closed = Poll closed
poll-voters = { $option }: { $people }

## Lines of the messenger

system-created = The chat was created
system-created-by = { $actor } created the chat
system-created-titled = The chat “{ $title }” was created
system-created-titled-by = { $actor } created the chat “{ $title }”
system-renamed = The name of the chat changed
system-renamed-by = { $actor } changed the name of the chat
system-renamed-titled = The chat is now called “{ $title }”
system-renamed-titled-by = { $actor } renamed the chat to “{ $title }”
system-description = The description changed
system-description-by = { $actor } changed the description
system-photo = The photo of the chat changed
system-photo-by = { $actor } changed the photo of the chat
system-joined = { $people } { $count ->
    [one] joined
   *[other] joined
} the chat
system-joined-unknown = Somebody joined the chat
system-added = Added to the chat: { $people }
system-added-by = { $actor } added { $people }
system-added-unknown = Somebody was added to the chat
system-left = { $people } { $count ->
    [one] left
   *[other] left
} the chat
system-left-unknown = Somebody left the chat
system-removed = Removed from the chat: { $people }
system-removed-by = { $actor } removed { $people }
system-removed-unknown = Somebody was removed from the chat
system-admin = Administrator rights changed
system-admin-of = Administrator rights changed for { $people }
system-number = A number or account changed
system-number-of = The number or account changed for { $people }
system-encryption = The encryption of the chat was announced
system-ephemeral = The lifetime of messages changed
system-pinned = A message was pinned or unpinned
system-pinned-by = { $actor } pinned or unpinned a message
system-blocked = A contact was blocked or unblocked
system-other = Event of the messenger, without words in the export

## Findings of an import (one for each kind)

finding-unreadable = Unreadable passages that belong to no message
finding-unreadable-advice = They are not lost: the finding says where they are. Look at them in the export.
finding-unknown-kind = Messages of an unknown kind: their words are kept
finding-unknown-kind-advice = The app probably has a feature that is newer than this program.
finding-unknown-field = Unknown fields in the export
finding-unknown-field-advice = The app probably has a feature that is newer than this program; the messages themselves are carried over.
finding-invalid-text = Invalid characters, replaced by “�”
finding-invalid-text-advice = The export was probably edited, or copied badly.
finding-truncated = Incomplete file: what is whole was read
finding-truncated-advice = The copy or the export was interrupted. Make the export again if you can.
finding-repaired = Syntax errors of the export, repaired
finding-repaired-advice = What is carried over is complete; the finding says what was put right.
finding-unsafe-entry = Files with a dangerous name, never opened
finding-unsafe-entry-advice = No messenger writes such names: ask where the file comes from.
finding-date-order-uncertain = Day-month order of the dates uncertain
finding-date-order-uncertain-advice = Compare some dates with the telephone before you approve: 03/04 may be 3 April or 4 March.
finding-impossible-time = Times that do not exist in the chosen zone, which is probably wrong
finding-impossible-time-advice = The telephone was probably set to another zone. Say which with --timezone.
finding-ambiguous-time = Times that exist twice (end of summer time): the order of messages decided
finding-ambiguous-time-advice = In the night when summer time ends, one hour is written twice; a message of that hour may be an hour off.
finding-probably-cut = Export probably cut: it ends at a round number of messages
finding-probably-cut-advice = WhatsApp exports only the latest 10,000 messages with files, 40,000 without. Ask another member for their export, and put both together with `archive merge`.
finding-beginning-missing = The beginning of the chat is missing
finding-beginning-missing-advice = There probably were older messages. Another member may have them: put the exports together with `archive merge`.
finding-namesakes-possible = Several people may share one name
finding-namesakes-possible-advice = The export does not tell two people of one name apart. Ask a member of the group before you approve.
finding-name-is-number = People known by a telephone number only
finding-name-is-number-advice = The exporter had not saved them. Give them a name in the plan.
finding-other-chats-present = The export holds chats other than the one asked for
finding-other-chats-present-advice = These other chats, perhaps private ones, are not read. So that they never leave your computer, take out the one that is needed with `archive merge FILE --chat ID`.
finding-orphan-files = Files that no message names
finding-orphan-files-advice = They are not opened: they may belong to messages that were deleted or could be seen once.
finding-attachment-missing = Files that are named but not in the export
finding-attachment-missing-advice = They were no longer on the telephone. Another member may have them: put the exports together with `archive merge`.
finding-attachment-mismatch = Files that differ from what their name or digest says
finding-attachment-mismatch-advice = The file is not the one that was sent, or not of the type its name says: beware of opening it.
finding-expired = Disappearing messages past their time, left out
finding-expired-advice = They were meant to disappear; to carry them over would break what their authors were told.
finding-reply-target-missing = Replies to a message that the export does not hold
finding-reply-target-missing-advice = The answer is carried over, without the message it answers.
finding-conflict = Two exports disagree about a message
finding-conflict-advice = Nothing was guessed: the finding says what was kept. Compare with the telephones if it matters.
finding-own-messages-only = The export holds only its owner’s messages
finding-own-messages-only-advice = The other members’ messages are missing. Ask a member of the group for their export.
finding-not-in-format = Things this export format cannot contain
finding-not-in-format-advice = No export of this kind holds them; only the telephone does.
finding-not-carried = Things Matrix cannot carry as they are
finding-not-carried-advice = The report says, message by message, what was done.

## Import report

report-title = Import report
report-verified = The room was read back by a witness account: every message is as the archive says.
report-not-verified = WARNING: the room is not as the archive says. Nobody was invited.
report-job = Job: { $value }
report-software = Software: { $value }
report-started = Started: { $value }
report-read-back = Read back: { $value }
report-approved-by = Plan approved by: { $value }
report-plan-digest = SHA-256 of the plan: { $value }
report-source = Archive: { $value }
report-source-format = Format: { $value }
report-source-digest = SHA-256 of the archive: { $value }
report-period = Period: { $value }
report-zone = Time zone assumed: { $value }
report-room = Room: { $value }
report-room-kind = Kind of room: { $value }
report-admins = Administrators: { $value }
report-invited = People invited: { $value }
report-people = Participants (name shown · messages · Tchap account)
report-sums = What became of each record of the archive
report-carried = carried over whole
report-carried-with-loss = carried over with a stated loss
report-left-out = left out by the plan
report-refused = refused by the server
report-differs = not as they should be in the room
report-findings-only = not readable as a message, reported
report-total = total
report-records = records in the archive
report-events = events in the room
report-files = files compared byte by byte
report-kinds = Messages by kind
report-kind-text = texts
report-kind-media = files and media
report-kind-sticker = stickers
report-kind-location = places
report-kind-contact = contacts
report-kind-poll = polls
report-kind-call = calls
report-kind-system = lines of the messenger
report-kind-deleted = deleted messages
report-kind-unknown = unknown kind
report-findings = Findings
report-not-invited = People the server did not let in
report-warnings = To know
warning-no-external = The room is opened to externals, which can never be taken back, and nobody external is invited.
warning-old-messages = The oldest message is of { $first }: the older Tchap app for iOS may not show what is older than 365 days.
warning-accounts-may-expire = The accounts that stand for participants may expire: ask for { $pattern } to be exempt (exclude_user_id_patterns).
warning-room-forgets = The room’s retention removes messages after { $days } days.
warning-not-in-space = The space { $space } does not list the room ({ $reason }): somebody who may must add it there.
warning-space-is-public = Anybody may enter the space { $space }: the room was not opened to its members, each has to be invited.
refusal-account-expired = the account has expired
refusal-account-deactivated = the account was deactivated
refusal-forbidden-by-rules = the server’s rules forbid it: an external in a room closed to them, or a change that the access rules do not allow
refusal-probable-spam = a module of the server forbids it, on Tchap mostly the access rules
refusal-federation-denied = the other server is not part of this federation
refusal-access-rule-invalid = Tchap’s access rules do not allow such a room
refusal-power-levels-invalid = the power levels are not those that the access rules want
refusal-room-version-too-new = neither the access-rules module nor passerelle can make rooms of version 12 and later
refusal-room-version-unknown = the server does not make rooms of this version
refusal-may-not-make-rooms = the account may not make rooms
refusal-may-not-invite = this person may not be invited
refusal-banned = the person was banned from the room
refusal-not-our-account = the account does not belong to this service
refusal-too-large = larger than the server takes
room-kind-private-encrypted = Private room, encrypted, closed to externals
room-kind-private-encrypted-externals = Private room, encrypted, open to externals
room-kind-private-unencrypted = Private room, not encrypted, closed to externals
room-kind-private-unencrypted-externals = Private room, not encrypted, open to externals
report-differences = Differences
difference-missing = not in the room
difference-doubled = there { $found } times
difference-order = in another place
difference-sender = sent by { $found }
difference-time = of another time ({ $found })
difference-type = of another type ({ $found })
difference-content = other content
difference-file = other file ({ $found })
difference-unexpected = unknown to the archive
undo-reason = Import undone (job { $job })
canary-room = Passerelle: retention test
canary-text = Test: does a message of this date stay readable?

## Bot

bot-help = Commands: "!passerelle aide" (this text), "!passerelle etat" (what this room holds).
bot-unreadable = I could not decrypt this message: its key has not reached me, or the device that sent it is not verified. I will try again if the key arrives; otherwise please send it again.
bot-unknown = Unknown command: { $command }. Try "!passerelle aide".
bot-state = This room holds the { $network } history "{ $title }": { $messages } messages, from { $first } to { $last }. Job { $job }.

## What `archive inspect` says.

inspect-head = { $network } · { $format }
inspect-chat = chat { $id }: { $title }
inspect-period = from { $first } to { $last }
inspect-records = { $records } records = { $messages } messages + { $rest } that are findings only
inspect-recount-agrees = counted apart in the bytes of the export: { $counted }, the sums agree
inspect-recount-differs = counted apart in the bytes of the export: { $counted }, while { $accounted } are accounted for; look at the findings
inspect-files = files: { $present } present ({ $bytes } bytes), { $omitted } omitted by the export, { $missing } missing
inspect-exporter = exported by: { $who }
inspect-exporter-unknown = not stated
inspect-participants = participants: { $count }
inspect-name = { $name }
inspect-name-push-name = { $name } (not a saved contact)
inspect-name-number = { $name } (a number only)
inspect-name-missing = { $name } (no name)
inspect-never = never in exports of this kind: { $what }
