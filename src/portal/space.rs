//! Opens a finished room to the people of a space, and lists it there.

use ruma::{OwnedServerName, RoomId};
use serde_json::{Value, json};

use super::error::PortalError;
use super::room::Portals;
use crate::matrix::MatrixError;

const JOIN_RULES: &str = "m.room.join_rules";
const SPACE_CHILD: &str = "m.space.child";

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
    /// Anybody may enter the space, so the room was not opened to its members.
    Public,
}

impl Portals {
    /// Lets the members of a space into a room, and lists the room in the space where the bot
    /// may. Can be repeated. A space that anybody may enter would open the room to everybody:
    /// such a one always lets the bot in, which then sees what it is.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, or refuses to open the room itself.
    pub async fn place_in_space(
        &self,
        room: &RoomId,
        space: &RoomId,
    ) -> Result<Listed, PortalError> {
        let bot = self.bot();
        let entered = bot.join(space).await;
        if entered.is_ok() {
            let rules = bot.state(space, JOIN_RULES, "").await?.unwrap_or_default();
            if rules.get("join_rule").and_then(Value::as_str) == Some("public") {
                return Ok(Listed::Public);
            }
        }
        let via: [&OwnedServerName; 1] = [&self.namer().server];
        let allow = [json!({ "type": "m.room_membership", "room_id": space })];
        let members_may_join = json!({ "join_rule": "restricted", "allow": allow });
        bot.send_state(room, JOIN_RULES, "", &members_may_join).await?;
        let parent = json!({ "via": via, "canonical": true });
        bot.send_state(room, "m.space.parent", space.as_str(), &parent).await?;
        let child = json!({ "via": via });
        let listed = match entered {
            Ok(()) => bot.send_state(space, SPACE_CHILD, room.as_str(), &child).await,
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

    /// Closes a room to the members of a space again, and takes it out of the space's list, as
    /// far as the bot still may. Can be repeated.
    ///
    /// # Errors
    /// When the homeserver cannot be reached.
    pub async fn take_out_of_space(
        &self,
        room: &RoomId,
        space: &RoomId,
    ) -> Result<(), PortalError> {
        let bot = self.bot();
        let by_invitation = json!({ "join_rule": "invite" });
        let closed = bot.send_state(room, JOIN_RULES, "", &by_invitation).await;
        let unlisted = bot.send_state(space, SPACE_CHILD, room.as_str(), &json!({})).await;
        for answer in [closed, unlisted] {
            match answer {
                Ok(_) | Err(MatrixError::Refused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
