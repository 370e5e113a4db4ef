//! The right to act in Matrix as the bot or as a ghost.

use ruma::api::Direction;
use ruma::api::client::{
    account::register, device::update_device, membership, message, profile, redact, room, state,
};
use ruma::events::{MessageLikeEventType, StateEventType};
use ruma::serde::Raw;
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedTransactionId, OwnedUserId, RoomId,
    UInt, UserId, uint,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::actor::Actor;
use super::error::MatrixError;
use super::homeserver::Homeserver;
use super::room_state::RoomState;
use super::rooms::RoomWish;
use super::timeline::{Page, RawPage, RoomEvent};
use crate::model::time::UnixMillis;

/// Acts as one account of ours.
#[derive(Clone, Debug)]
pub struct Intent {
    homeserver: Homeserver,
    actor: Actor,
}

/// An event ready to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Its type.
    pub event_type: &'a str,
    /// Its exact content.
    pub content: &'a RawValue,
    /// The transaction id.
    pub txn_id: &'a str,
    /// Its `origin_server_ts`; `None` for now.
    pub at: Option<UnixMillis>,
}

impl Intent {
    /// Acts as `actor`.
    pub fn new(homeserver: Homeserver, actor: Actor) -> Self {
        Self { homeserver, actor }
    }

    /// Who this acts as.
    pub fn user_id(&self) -> &UserId {
        &self.actor.user_id
    }

    /// Makes the account exist. Having it already is success.
    ///
    /// # Errors
    /// When the homeserver refuses the name or cannot be reached.
    pub async fn register(&self) -> Result<(), MatrixError> {
        let mut request = register::v3::Request::new();
        request.username = Some(self.actor.user_id.localpart().to_owned());
        request.login_type = Some(register::LoginType::ApplicationService);
        request.inhibit_login = true;
        match self.homeserver.call(None, request).await {
            Err(error) if error.errcode() == Some("M_USER_IN_USE") => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Makes the account's device exist.
    ///
    /// # Errors
    /// When the homeserver does not let application services make devices (MSC4190).
    pub async fn create_device(&self, name: &str) -> Result<(), MatrixError> {
        let Some(device) = self.actor.device_id.clone() else { return Ok(()) };
        let mut request = update_device::v3::Request::new(device);
        request.display_name = Some(name.to_owned());
        let bare = Actor { user_id: self.actor.user_id.clone(), device_id: None };
        self.homeserver.call(Some(&bare), request).await.map(|_| ())
    }

    /// Sets the account's display name.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn set_display_name(&self, name: &str) -> Result<(), MatrixError> {
        let value = ruma::profile::ProfileFieldValue::DisplayName(name.to_owned());
        let request =
            profile::set_profile_field::v3::Request::new(self.actor.user_id.clone(), value);
        self.call(request).await.map(|_| ())
    }

    /// Sends an event. Repeating it with the same transaction id is harmless.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn send(
        &self,
        room: &RoomId,
        event: Outgoing<'_>,
    ) -> Result<OwnedEventId, MatrixError> {
        let mut request = message::send_message_event::v3::Request::new_raw(
            room.to_owned(),
            OwnedTransactionId::from(event.txn_id),
            MessageLikeEventType::from(event.event_type),
            Raw::from_json(event.content.to_owned()),
        );
        request.timestamp = event.at.map(server_time);
        Ok(self.call(request).await?.event_id)
    }

    /// Sends a state event.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn send_state(
        &self,
        room: &RoomId,
        event_type: &str,
        state_key: &str,
        content: &Value,
    ) -> Result<OwnedEventId, MatrixError> {
        let raw = serde_json::value::to_raw_value(content)
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        let request = state::send_state_event::v3::Request::new_raw(
            room.to_owned(),
            StateEventType::from(event_type),
            state_key.to_owned(),
            Raw::from_json(raw),
        );
        Ok(self.call(request).await?.event_id)
    }

    /// Redacts an event.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn redact(
        &self,
        room: &RoomId,
        event: &ruma::EventId,
        txn_id: &str,
        reason: &str,
    ) -> Result<(), MatrixError> {
        let mut request = redact::redact_event::v3::Request::new(
            room.to_owned(),
            event.to_owned(),
            OwnedTransactionId::from(txn_id),
        );
        request.reason = Some(reason.to_owned());
        self.call(request).await.map(|_| ())
    }

    /// Makes a room, once: a lost answer is for the caller to settle, since repeating would
    /// make a second room. Only a request for a pause is waited out.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn create_room(&self, wish: &RoomWish) -> Result<OwnedRoomId, MatrixError> {
        self.make_room(wish.to_request()?).await
    }

    pub(super) async fn make_room(
        &self,
        request: room::create_room::v3::Request,
    ) -> Result<OwnedRoomId, MatrixError> {
        Ok(self.homeserver.call_unrepeated(Some(&self.actor), request).await?.room_id)
    }

    /// Joins a room this account was invited to. Being in it already is success.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn join(&self, room: &RoomId) -> Result<(), MatrixError> {
        let request = membership::join_room_by_id::v3::Request::new(room.to_owned());
        self.call(request).await.map(|_| ())
    }

    /// Leaves a room.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn leave(&self, room: &RoomId) -> Result<(), MatrixError> {
        let request = membership::leave_room::v3::Request::new(room.to_owned());
        self.call(request).await.map(|_| ())
    }

    /// Invites somebody. Their being invited or joined already is success.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn invite(&self, room: &RoomId, who: &UserId) -> Result<(), MatrixError> {
        let member = self.state(room, "m.room.member", who.as_str()).await?;
        let membership = member.as_ref().and_then(|content| content.get("membership"));
        if matches!(membership.and_then(Value::as_str), Some("invite" | "join")) {
            return Ok(());
        }
        let recipient = membership::invite_user::v3::InvitationRecipient::UserId(
            membership::invite_user::v3::InviteUserId::new(who.to_owned()),
        );
        let request = membership::invite_user::v3::Request::new(room.to_owned(), recipient);
        self.call(request).await.map(|_| ())
    }

    /// The content of a state event, `None` when there is none.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn state(
        &self,
        room: &RoomId,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<Map<String, Value>>, MatrixError> {
        let request = state::get_state_event_for_key::v3::Request::new(
            room.to_owned(),
            StateEventType::from(event_type),
            state_key.to_owned(),
        );
        match self.call(request).await {
            Ok(answer) => serde_json::from_str(answer.event_or_content.get())
                .map(Some)
                .map_err(|error| malformed("GET state", &error)),
            Err(error) if error.errcode() == Some("M_NOT_FOUND") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The content of every current state event, by type and state key.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn whole_state(&self, room: &RoomId) -> Result<RoomState, MatrixError> {
        let answer = self.call(state::get_state_events::v3::Request::new(room.to_owned())).await?;
        let mut whole = RoomState::default();
        for raw in &answer.room_state {
            let event: StateHead = serde_json::from_str(raw.json().get())
                .map_err(|error| malformed("GET state", &error))?;
            whole.put(event.kind, event.state_key, event.content);
        }
        Ok(whole)
    }

    /// The rooms this account is in.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn joined_rooms(&self) -> Result<Vec<OwnedRoomId>, MatrixError> {
        Ok(self.call(membership::joined_rooms::v3::Request::new()).await?.joined_rooms)
    }

    /// The accounts that are in a room.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn joined_members(&self, room: &RoomId) -> Result<Vec<OwnedUserId>, MatrixError> {
        let request = membership::joined_members::v3::Request::new(room.to_owned());
        Ok(self.call(request).await?.joined.into_keys().collect())
    }

    /// A page of a room's timeline, newest first.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn page_back(
        &self,
        room: &RoomId,
        from: Option<String>,
    ) -> Result<Page, MatrixError> {
        page(&self.homeserver, Some(&self.actor), room, Direction::Backward, from).await
    }

    /// The same, with events exactly as the homeserver tells them, the room id added.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn page_back_raw(
        &self,
        room: &RoomId,
        from: Option<String>,
    ) -> Result<RawPage, MatrixError> {
        page_raw(&self.homeserver, Some(&self.actor), room, Direction::Backward, from).await
    }

    async fn call<R>(&self, request: R) -> Result<R::IncomingResponse, MatrixError>
    where
        R: ruma::api::OutgoingRequest + Clone,
        for<'a> R::Authentication: ruma::api::auth_scheme::AuthScheme<
                Input<'a> = ruma::api::auth_scheme::SendAccessToken<'a>,
            >,
        for<'a> R::PathBuilder: ruma::api::path_builder::PathBuilder<
                Input<'a> = std::borrow::Cow<'a, ruma::api::SupportedVersions>,
            >,
    {
        self.homeserver.call(Some(&self.actor), request).await
    }
}

/// One page of `/messages`, a hundred events at most.
pub(super) async fn page(
    homeserver: &Homeserver,
    actor: Option<&Actor>,
    room: &RoomId,
    direction: Direction,
    from: Option<String>,
) -> Result<Page, MatrixError> {
    let RawPage { events, next } = page_raw(homeserver, actor, room, direction, from).await?;
    let events = events
        .iter()
        .map(|(_, raw)| serde_json::from_str::<RoomEvent>(raw.get()))
        .collect::<Result<_, _>>()
        .map_err(|error| malformed("GET messages", &error))?;
    Ok(Page { events, next })
}

/// The same, with events exactly as the homeserver tells them.
pub(super) async fn page_raw(
    homeserver: &Homeserver,
    actor: Option<&Actor>,
    room: &RoomId,
    direction: Direction,
    from: Option<String>,
) -> Result<RawPage, MatrixError> {
    let mut request = message::get_message_events::v3::Request::new(room.to_owned(), direction);
    request.from = from;
    request.limit = uint!(100);
    let answer = homeserver.call(actor, request).await?;
    let events = answer
        .chunk
        .iter()
        .map(|raw| {
            let head: EventHead = serde_json::from_str(raw.json().get())?;
            Ok((head.event_id, raw.json().to_owned()))
        })
        .collect::<Result<_, serde_json::Error>>()
        .map_err(|error| malformed("GET messages", &error))?;
    Ok(RawPage { events, next: answer.end })
}

#[derive(serde::Deserialize)]
struct StateHead {
    #[serde(rename = "type")]
    kind: String,
    state_key: String,
    content: Map<String, Value>,
}

#[derive(serde::Deserialize)]
struct EventHead {
    event_id: OwnedEventId,
}

fn malformed(endpoint: &str, error: &serde_json::Error) -> MatrixError {
    MatrixError::Malformed { endpoint: endpoint.to_owned(), reason: error.to_string() }
}

/// Matrix knows no time before 1970.
fn server_time(at: UnixMillis) -> MilliSecondsSinceUnixEpoch {
    MilliSecondsSinceUnixEpoch(UInt::new_saturating(u64::try_from(at.0).unwrap_or(0)))
}
