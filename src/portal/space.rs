//! Opens a finished room to the people of a space, and lists it there.

use ruma::{OwnedServerName, RoomId};
use serde_json::json;

use super::error::PortalError;
use super::room::Portals;
use crate::matrix::MatrixError;

/// Whether a space lists a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It does.
    Yes,
    /// The bot may not put it there.
    No {
        /// What the homeserver said.
        reason: String,
    },
}

impl Portals {
    /// Lets the members of a space into a room, and lists the room in the space where the bot
    /// may. Can be repeated.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, or refuses to open the room itself.
    pub async fn place_in_space(
        &self,
        room: &RoomId,
        space: &RoomId,
    ) -> Result<Listed, PortalError> {
        let bot = self.bot();
        let via: [&OwnedServerName; 1] = [&self.namer().server];
        let allow = [json!({ "type": "m.room_membership", "room_id": space })];
        let members_may_join = json!({ "join_rule": "restricted", "allow": allow });
        bot.send_state(room, "m.room.join_rules", "", &members_may_join).await?;
        let parent = json!({ "via": via, "canonical": true });
        bot.send_state(room, "m.space.parent", space.as_str(), &parent).await?;
        let child = json!({ "via": via });
        let listed = match bot.join(space).await {
            Ok(()) => bot.send_state(space, "m.space.child", room.as_str(), &child).await,
            Err(error) => Err(error),
        };
        match listed {
            Ok(_) => Ok(Listed::Yes),
            Err(MatrixError::Refused { errcode, message, .. }) => {
                Ok(Listed::No { reason: format!("{errcode} {message}") })
            }
            Err(error) => Err(error.into()),
        }
    }
}
