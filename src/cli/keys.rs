//! `passerelle keys`

use clap::Subcommand;
use ruma::{OwnedRoomId, OwnedUserId};

use super::client::Daemon;
use super::{Exit, output};
use crate::config::Config;
use crate::web::{Resend, Resent};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Give somebody every key of an encrypted room again.
    Resend {
        /// The room.
        room: OwnedRoomId,
        /// The person, who must be in it.
        user: OwnedUserId,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Exit> {
    let Command::Resend { room, user } = command;
    let daemon = Daemon::new(config)?;
    let Resent { keys, served, unserved } =
        daemon.post("/v1/keys/resend", Some(&Resend { room, user })).await?;
    output::data(&format!("{keys} keys given; {served} devices have every key of the room"));
    if unserved > 0 {
        output::say(&format!(
            "{unserved} devices could not be reached; they are tried again every five minutes"
        ));
        return Ok(Exit::CheckWarned);
    }
    Ok(Exit::Done)
}
