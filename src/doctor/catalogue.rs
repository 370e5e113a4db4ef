//! Every check there is. `docs/doctor.md` shows this list; a test compares the two.

use std::time::Duration;

/// One check.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Its id; stable, for those who read the JSON.
    pub id: &'static str,
    /// What it tries.
    pub tries: &'static str,
    /// What usually has to change when it does not say ok.
    pub mends: &'static str,
    /// How long it may take.
    pub limit: Duration,
}

const fn quick(id: &'static str, tries: &'static str, mends: &'static str) -> Check {
    Check { id, tries, mends, limit: Duration::from_secs(20) }
}

/// For what waits for the homeserver to call back: after an outage it lets us wait for a while.
const fn patient(id: &'static str, tries: &'static str, mends: &'static str) -> Check {
    Check { id, tries, mends, limit: Duration::from_mins(1) }
}

/// All checks, in the order of the documentation.
pub static CHECKS: [Check; 41] = [
    quick(
        "config",
        "reads the configuration file and the environment",
        "the key that is named; `passerelle config init` writes a file in which every key is explained",
    ),
    quick(
        "secrets",
        "looks at who may read the tokens, the registration and a configuration that holds a token",
        "chmod 600 on the file that is named",
    ),
    quick(
        "state",
        "looks at who may open daemon.state_dir and the command socket",
        "chmod 700 on the folder, chmod 600 on the socket",
    ),
    quick(
        "listen",
        "looks at the addresses of appservice.listen and operator.listen",
        "loopback, or a reverse proxy with TLS and a firewall before it",
    ),
    quick(
        "disk",
        "compares the free space below daemon.state_dir with what an import needs",
        "free space, or move daemon.state_dir to a larger disk",
    ),
    quick(
        "files",
        "reads the limit of open files",
        "LimitNOFILE=65536 in the service's unit, or `ulimit -n`",
    ),
    quick(
        "daemon",
        "asks the command socket whether the daemon runs",
        "stop what holds the socket, or start `passerelle run` of this version",
    ),
    quick(
        "store",
        "opens the records, or has the daemon that owns them, writes everything to disk, and counts",
        "the disk of daemon.state_dir, or a backup of it",
    ),
    quick(
        "spool",
        "looks for working copies of archives that no job wants",
        "start the daemon: it removes them",
    ),
    quick(
        "homeserver.reach",
        "GET /_matrix/client/versions at matrix.homeserver_url, without a token",
        "matrix.homeserver_url, the network, or the homeserver",
    ),
    quick(
        "homeserver.versions",
        "looks for what imports need among the versions the homeserver speaks",
        "a newer homeserver",
    ),
    quick(
        "homeserver.address",
        "looks whether the way to the homeserver is encrypted or stays on this machine",
        "an https:// address in matrix.homeserver_url",
    ),
    quick(
        "homeserver.name",
        "GET https://SERVER_NAME/.well-known/matrix/client, and compares it with matrix.homeserver_url",
        "matrix.server_name or matrix.homeserver_url, if they are two different servers",
    ),
    quick(
        "clock",
        "compares this machine's clock with the Date of the homeserver's answer",
        "time synchronisation on both machines",
    ),
    quick(
        "token",
        "GET whoami with the service's token: is it known, and whose is it",
        "install the registration on the homeserver and restart it; matrix.server_name, appservice.sender_localpart",
    ),
    quick(
        "bot",
        "registers the bot, or finds it registered",
        "the namespace of the registration, or appservice.bot_localpart",
    ),
    quick(
        "registration.file",
        "compares the registration file with the configuration",
        "`passerelle registration generate --force`, then install the file and restart the homeserver",
    ),
    quick(
        "registration.exclusive",
        "asks whether anybody could register a name of our namespace",
        "exclusive: true in the registration",
    ),
    patient(
        "ping",
        "has the homeserver ping us",
        "appservice.url as seen from the homeserver, appservice.listen, or the installed hs_token",
    ),
    quick(
        "device.create",
        "makes a device for a throw-away ghost, without a login",
        "io.element.msc4190: true in the registration, Synapse 1.121 or later",
    ),
    quick(
        "device.speaks",
        "speaks as the ghost's device and asks the homeserver whom it hears",
        "a homeserver that knows `device_id` of application services (Synapse 1.141 or later)",
    ),
    quick(
        "device.keys",
        "uploads a one-time key for the device",
        "a homeserver that knows `device_id` of application services (Synapse 1.141 or later)",
    ),
    quick(
        "witness.token",
        "GET whoami with the witness's token",
        "witness.token_file: the access token of an ordinary account",
    ),
    quick(
        "witness.ordinary",
        "looks whether the witness is an account like any other",
        "another account: not of our namespace, not an administrator, on this homeserver",
    ),
    quick(
        "room.version",
        "looks for rooms.version among the versions the homeserver makes",
        "rooms.version",
    ),
    quick(
        "room.create",
        "makes a throw-away room as an import would, and reads its state back",
        "rooms.version, rooms.profile, or the homeserver's module that refuses",
    ),
    quick(
        "room.rules",
        "makes a room that says nothing of access rules, and looks which module wrote some into it",
        "rooms.profile, or rooms.access_rules",
    ),
    quick(
        "room.encryption",
        "looks whether the homeserver encrypted a room that did not ask for it",
        "encryption_enabled_by_default_for_room_type: off on the homeserver",
    ),
    quick(
        "ghost.enters",
        "invites the ghost and has it join",
        "whatever keeps an account of ours out of a room: access rules, or invitation filters",
    ),
    quick(
        "witness.reads",
        "invites the witness, has it join, and has it read what the ghost says",
        "whatever keeps an ordinary account out of a room it was invited to",
    ),
    quick(
        "room.timestamp",
        "sends a message dated an hour ago and reads its date back",
        "a homeserver that honours `ts` of application services",
    ),
    quick(
        "room.repeats",
        "sends a message twice under one transaction id, and looks whether the homeserver keeps that id for the device",
        "a homeserver that knows `device_id` of application services (Synapse 1.141 or later)",
    ),
    patient(
        "transactions.arrive",
        "waits for the transaction that brings the ghost's message",
        "url in the installed registration, and the homeserver's log",
    ),
    patient(
        "transactions.to_device",
        "sends the ghost's device a to-device message and waits for the transaction that brings it",
        "receive_ephemeral in the registration, msc2409_to_device_messages_enabled on the homeserver",
    ),
    patient(
        "transactions.key_counts",
        "looks in that transaction for the number of one-time keys left",
        "org.matrix.msc3202 in the registration, msc3202_transaction_extensions on the homeserver",
    ),
    patient(
        "transactions.device_lists",
        "waits for the transaction that tells that the ghost's device is new",
        "org.matrix.msc3202 in the registration, msc3202_transaction_extensions on the homeserver",
    ),
    patient(
        "room.retention",
        "sends a message of the oldest date and has the witness read it",
        "the homeserver's retention policy, or leave out older messages in the plan",
    ),
    quick(
        "rate.limits",
        "sends fifteen messages at once",
        "rate_limited: false in the registration",
    ),
    quick(
        "media.limit",
        "compares the homeserver's upload limit with import.max_file_bytes",
        "max_upload_size on the homeserver, or import.max_file_bytes",
    ),
    quick(
        "media.download",
        "uploads a few bytes and downloads them as the witness, by the authenticated way",
        "the media repository, or the antivirus before it",
    ),
    quick(
        "accounts.expiry",
        "nothing: whether accounts expire cannot be seen from outside",
        "ask for exclude_user_id_patterns with the prefix of our accounts",
    ),
];

/// The check of this id.
pub(super) fn check(id: &str) -> &'static Check {
    CHECKS
        .iter()
        .find(|check| check.id == id)
        .expect("every id that is used stands in the catalogue")
}
