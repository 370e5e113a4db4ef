//! The catalogue of trees. A tree that is given up keeps its line here, so its name stays free.

/// Format version, and other single facts.
pub(super) const META: &str = "meta";
/// job id -> `JobRecord`.
pub(super) const JOBS: &str = "jobs";
/// job id -> nothing: jobs that were asked to pause.
pub(super) const PAUSES: &str = "pauses";
/// portal id -> `PortalRecord`.
pub(super) const PORTALS: &str = "portals";
/// user id -> `GhostRecord`.
pub(super) const GHOSTS: &str = "ghosts";
/// `r` portal 0 message 0 part -> `LedgerRow`; `p` same -> nothing while only intended;
/// `m` portal 0 message -> `MessageRow`.
pub(super) const LEDGER: &str = "ledger";
/// portal 0 container entry -> `UploadRecord`.
pub(super) const UPLOADS: &str = "uploads";
/// sequence number -> event or other piece of a transaction, as it came.
pub(super) const INBOX: &str = "inbox";
/// event id -> nothing: events that were put into the inbox once.
pub(super) const SEEN_EVENTS: &str = "seen_events";
/// room id -> the latest event id handled there, for reading up after an outage.
pub(super) const ROOM_MARKS: &str = "room_marks";
/// room 0 sender 0 session -> `SessionRecord`: the keys of our sessions, sealed.
pub(super) const SESSIONS: &str = "sessions";
/// room 0 user -> `ReaderRecord`: who is to have the keys of a room.
pub(super) const READERS: &str = "readers";
/// room 0 user 0 device 0 sender 0 session -> nothing: sessions that a device was given.
pub(super) const GIVEN: &str = "given";
/// sequence number -> `DeviceRow`: what came for a device of ours.
pub(super) const DEVICES: &str = "devices";
/// event id -> `UnreadRow`: events the bot has no key for yet.
pub(super) const UNREAD: &str = "unread";
