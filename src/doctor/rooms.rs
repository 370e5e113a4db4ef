//! Whether the homeserver makes the room an import needs, and lets our people in.

use http::Method;
use ruma::OwnedRoomId;
use serde_json::Value;

use super::ask::Ask;
use super::means::Means;
use super::service::refused;
use super::sheet::{Seen, Sheet};
use super::stage::{Stage, wish};
use super::witness::Witness;
use crate::config::{AccessRules, RoomProfile, RoomsSection};
use crate::matrix::{Flavour, Homeserver, Intent, MatrixError, Question, RoomRules};
use crate::portal::{RoomDifference, difference};

pub(super) async fn version(means: &Means<'_>, homeserver: &Homeserver) -> Seen {
    let question = Question {
        name: "GET capabilities",
        method: Method::GET,
        path: &["_matrix", "client", "v3", "capabilities"],
        query: &[],
        body: None,
    };
    let bot = crate::matrix::Actor { user_id: means.bot(), device_id: None };
    match homeserver.ask(Some(&bot), question).await {
        Ok(answer) => judge_version(
            means.config.rooms.version.as_str(),
            answer.body.pointer("/capabilities/m.room_versions/available"),
        ),
        Err(error) => refused(&error),
    }
}

fn judge_version(wanted: &str, available: Option<&Value>) -> Seen {
    let Some(available) = available.and_then(Value::as_object) else {
        return Seen::skipped("skipped because the homeserver does not list its room versions");
    };
    match available.get(wanted).and_then(Value::as_str) {
        Some("stable") => Seen::ok(format!("version {wanted} is stable there")),
        Some(other) => Seen::warning(
            format!("version {wanted} is {other} there"),
            "rooms.version: a stable one, \"11\" unless you know better",
        ),
        None => Seen::error(
            format!("the homeserver does not make rooms of version {wanted}"),
            "rooms.version: a version it makes, \"11\" unless you know better",
        ),
    }
}

/// The room, made as an import makes it.
pub(super) async fn create(
    sheet: &mut Sheet<'_>,
    means: &Means<'_>,
    bot: &Intent,
) -> Option<OwnedRoomId> {
    let section = &means.config.rooms;
    let flavour = sheet.run("room.rules", flavour(section, bot)).await;
    let wish = wish(means, rules(section, flavour));
    let making = async {
        match bot.create_room(&wish).await {
            Ok(room) => match bot.whole_state(&room).await {
                Ok(state) => (judge_room(difference(&wish, &state)), Some((room, Some(state)))),
                Err(error) => (refused(&error), Some((room, None))),
            },
            Err(error) => (judge_creation(&error, section.version.as_str()), None),
        }
    };
    let made = sheet.run("room.create", making).await;
    match &made {
        Some((_, Some(state))) => {
            let encrypted = state.content("m.room.encryption").is_some();
            sheet.note("room.encryption", judge_encryption(encrypted));
        }
        Some((_, None)) => sheet.skip("the room cannot be looked at", &["room.encryption"]),
        None => sheet.skip("there is no room", &["room.encryption"]),
    }
    made.map(|(room, _)| room)
}

/// The flavour of Tchap's module, found out by its deeds.
async fn flavour(section: &RoomsSection, bot: &Intent) -> (Seen, Option<Flavour>) {
    match bot.detect_flavour(&section.version).await {
        Ok(found) => (judge_flavour(section.profile, section.access_rules, found), Some(found)),
        // The next check says what is wrong.
        Err(_) => (Seen::skipped("skipped because the homeserver makes no room to look at"), None),
    }
}

/// The rules of the room to be made: as configured, else as found.
fn rules(section: &RoomsSection, found: Option<Flavour>) -> RoomRules {
    match (section.profile, section.access_rules) {
        (RoomProfile::Generic, _) => RoomRules::Plain,
        (RoomProfile::Tchap, AccessRules::V1) => RoomRules::Tchap(Flavour::V1),
        (RoomProfile::Tchap, AccessRules::V2) => RoomRules::Tchap(Flavour::V2),
        (RoomProfile::Tchap, AccessRules::None) => RoomRules::Tchap(Flavour::Absent),
        (RoomProfile::Tchap, AccessRules::Auto) => {
            RoomRules::Tchap(found.unwrap_or(Flavour::Absent))
        }
    }
}

fn judge_flavour(profile: RoomProfile, configured: AccessRules, found: Flavour) -> Seen {
    let told = match found {
        Flavour::V1 => "the published access-rules module acts (v1)",
        Flavour::V2 => "the newer access-rules module acts (v2)",
        Flavour::Absent => "no access-rules module acts for the bot",
    };
    let as_configured = match configured {
        AccessRules::Auto => true,
        AccessRules::V1 => found == Flavour::V1,
        AccessRules::V2 => found == Flavour::V2,
        AccessRules::None => found == Flavour::Absent,
    };
    match (profile, found) {
        (RoomProfile::Tchap, _) if !as_configured => Seen::error(
            format!("{told}, the configuration says another"),
            format!("rooms.access_rules = \"{}\", or \"auto\"", found.word()),
        ),
        (RoomProfile::Tchap, Flavour::Absent) if configured == AccessRules::Auto => Seen::warning(
            format!("{told}: this is no Tchap homeserver, or it lets the bot pass"),
            "rooms.profile = \"generic\" in the first case, rooms.access_rules = \"none\" in the second",
        ),
        (RoomProfile::Generic, Flavour::V1 | Flavour::V2) => Seen::warning(
            format!("{told}: this is a Tchap homeserver"),
            "rooms.profile = \"tchap\"",
        ),
        (RoomProfile::Tchap, _) | (RoomProfile::Generic, Flavour::Absent) => Seen::ok(told),
    }
}

fn judge_room(difference: Option<RoomDifference>) -> Seen {
    match difference {
        None => Seen::ok("made, and its state is what was asked for"),
        Some(RoomDifference::Encrypted) => Seen::ok("made"),
        Some(other) => Seen::error(format!("it is not what was asked for: {other}"), other.hint()),
    }
}

fn judge_creation(error: &MatrixError, version: &str) -> Seen {
    let MatrixError::Refused { errcode, message, .. } = error else { return refused(error) };
    // The access-rules module writes the creator into the power levels, where version 12 forbids it.
    let creator_in_levels = message.contains("content.users");
    if errcode == "M_UNSUPPORTED_ROOM_VERSION" || creator_in_levels {
        return Seen::error(
            format!("the homeserver makes no such room of version {version}: {message}"),
            "rooms.version = \"11\": Tchap's access-rules module refuses 12",
        );
    }
    Seen::error(
        error.to_string(),
        "rooms.profile: \"tchap\" on a Tchap homeserver, \"generic\" elsewhere; else see the homeserver's log for the module that refuses",
    )
}

fn judge_encryption(encrypted: bool) -> Seen {
    if encrypted {
        return Seen::error(
            "the homeserver encrypts every private room, asked or not; an import stops before its first message",
            "ask for encryption_enabled_by_default_for_room_type: off, or for an exception for the bot",
        )
        .asking(Ask::NoForcedEncryption);
    }
    Seen::ok("a room that does not ask for encryption stays unencrypted")
}

/// Brings the ghost in.
pub(super) async fn ghost_enters(stage: &Stage<'_>) -> (Seen, Option<()>) {
    let ghost = stage.ghost();
    let entered = async {
        stage.bot().invite(&stage.room, ghost.user_id()).await?;
        ghost.join(&stage.room).await
    };
    match entered.await {
        Ok(()) => (Seen::ok("it is in"), Some(())),
        Err(error) => (refused(&error), None),
    }
}

/// Brings the witness in and has it read.
pub(super) async fn witness_reads(stage: &Stage<'_>, witness: &Witness) -> (Seen, Option<()>) {
    let read = async {
        stage.bot().invite(&stage.room, &witness.user).await?;
        witness.account.join(&stage.room).await?;
        let event = stage.say(&stage.ghost(), "witness", None).await?;
        witness.account.event(&stage.room, &event).await
    };
    match read.await {
        Ok(Some(_)) => (Seen::ok("it was let in and reads what the ghost says"), Some(())),
        Ok(None) => {
            let change = "see the homeserver's log: a member is not shown a message of today";
            (Seen::error("it was let in and does not see the message", change), None)
        }
        Err(error) => {
            let change = "let the witness be invited to rooms and join them: look at the access rules, at invitation filters, and at whether the account expired";
            (Seen { change: change.to_owned(), ..refused(&error) }, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::super::sheet::Verdict;
    use super::*;

    fn refusal(errcode: &str, message: &str) -> MatrixError {
        MatrixError::Refused {
            endpoint: "POST create_room".to_owned(),
            status: StatusCode::BAD_REQUEST,
            errcode: errcode.to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn a_refused_room_says_whose_fault_it_is() {
        let twelve =
            "Creator user @_p_bot:a.test must not appear in content.users of the power levels";
        for error in [refusal("M_BAD_JSON", twelve), refusal("M_UNSUPPORTED_ROOM_VERSION", "")] {
            assert!(judge_creation(&error, "12").change.starts_with("rooms.version = \"11\""));
        }
        assert!(judge_creation(&refusal("M_FORBIDDEN", "no"), "11").change.contains("profile"));
        let available = json!({ "11": "stable", "12": "unstable" });
        assert_eq!(judge_version("11", Some(&available)).verdict, Verdict::Ok);
        assert_eq!(judge_version("12", Some(&available)).verdict, Verdict::Warning);
        assert_eq!(judge_version("99", Some(&available)).verdict, Verdict::Error);
        assert_eq!(judge_version("11", None).verdict, Verdict::Skipped);
    }

    #[test]
    fn what_is_configured_is_compared_with_what_acts() {
        use AccessRules as A;
        use Flavour as F;
        let (tchap, generic) = (RoomProfile::Tchap, RoomProfile::Generic);
        for (profile, configured, found, verdict) in [
            (tchap, A::Auto, F::V1, Verdict::Ok),
            (tchap, A::Auto, F::V2, Verdict::Ok),
            (tchap, A::Auto, F::Absent, Verdict::Warning),
            (tchap, A::None, F::Absent, Verdict::Ok),
            (tchap, A::V2, F::V1, Verdict::Error),
            (generic, A::Auto, F::Absent, Verdict::Ok),
            (generic, A::Auto, F::V1, Verdict::Warning),
        ] {
            let seen = judge_flavour(profile, configured, found);
            assert_eq!(seen.verdict, verdict, "{profile:?} {configured:?} {found:?}");
        }
        assert_eq!(judge_room(None).verdict, Verdict::Ok);
        let hidden = judge_room(Some(RoomDifference::HistoryHidden));
        assert!(hidden.change.contains("docs/tchap.md"), "{hidden:?}");
        assert_eq!(judge_encryption(true).asks, [Ask::NoForcedEncryption]);
    }
}
