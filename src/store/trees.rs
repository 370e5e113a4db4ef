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
