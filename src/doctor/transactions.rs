//! What the homeserver really pushes to us: each kind is caused on purpose and waited for.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::ask::Ask;
use super::devices;
use super::ear::Ear;
use super::service::{Standing, refused};
use super::sheet::{Seen, Sheet};
use super::stage::Stage;
use crate::matrix::{MatrixError, PROBE_MESSAGE, Question};

/// After an outage Synapse tries again in growing steps; a ping makes it try at once.
const FIRST_PATIENCE: Duration = Duration::from_secs(45);
/// It is known to be awake by then.
const PATIENCE: Duration = Duration::from_secs(15);
const REST: [&str; 3] =
    ["transactions.to_device", "transactions.key_counts", "transactions.device_lists"];

pub(super) async fn examine(
    sheet: &mut Sheet<'_>,
    stage: &Stage<'_>,
    ear: &Ear,
    standing: Standing,
) {
    if let Ear::Deaf(why) = ear {
        sheet.skip(&format!("nothing can be heard: {why}"), &["transactions.arrive"]);
        sheet.skip("nothing can be heard", &REST);
        return;
    }
    if !standing.pinged {
        sheet.skip("the homeserver does not reach us", &["transactions.arrive"]);
        sheet.skip("the homeserver does not reach us", &REST);
        return;
    }
    if sheet.run("transactions.arrive", arrive(stage, ear)).await.is_none() {
        sheet.skip("no transaction arrives", &REST);
        return;
    }
    if stage.cast.ghost.device_id.is_none() {
        sheet.skip("there is no device", &REST);
        return;
    }
    let before = ear.heard().await.unwrap_or_default();
    if sheet.run("transactions.to_device", to_device(stage, ear)).await.is_some() {
        let counted = async {
            let told = ear.has_heard(PATIENCE, |heard| heard.key_counts > before.key_counts).await;
            judge_extension(told, "the number of one-time keys comes with it")
        };
        sheet.look("transactions.key_counts", counted).await;
    } else {
        sheet.skip("the to-device message did not come", &["transactions.key_counts"]);
    }
    sheet.look("transactions.device_lists", device_lists(stage, ear)).await;
}

async fn arrive(stage: &Stage<'_>, ear: &Ear) -> (Seen, Option<()>) {
    match stage.say(&stage.ghost(), "arrive", None).await {
        Ok(event) => judge_arrival(
            ear.has_heard(FIRST_PATIENCE, |heard| heard.events.contains(&event)).await,
        ),
        Err(error) => (refused(&error), None),
    }
}

fn judge_arrival(arrived: bool) -> (Seen, Option<()>) {
    if arrived {
        return (Seen::ok("a transaction brought the ghost's message"), Some(()));
    }
    let seen = format!("no transaction brought it within {} s", FIRST_PATIENCE.as_secs());
    let change = "see the ping above; if that is well, the homeserver's log says what keeps it from pushing, and its appservice workers run";
    (Seen::error(seen, change), None)
}

async fn to_device(stage: &Stage<'_>, ear: &Ear) -> (Seen, Option<()>) {
    let id = format!("doctor-{}", stage.nonce);
    let ghost = &stage.cast.ghost;
    let device = ghost.device_id.as_ref().map_or("*", |device| device.as_str());
    let question = Question {
        name: "PUT sendToDevice",
        method: Method::PUT,
        path: &["_matrix", "client", "v3", "sendToDevice", PROBE_MESSAGE, &id],
        query: &[],
        body: Some(json!({ "messages": { ghost.user_id.as_str(): { device: { "id": id } } } })),
    };
    if let Err(error) = stage.homeserver.ask(Some(&stage.cast.bot), question).await {
        return (refused(&error), None);
    }
    judge_to_device(ear.has_heard(PATIENCE, |heard| heard.to_device.contains(&id)).await)
}

fn judge_to_device(arrived: bool) -> (Seen, Option<()>) {
    if arrived {
        return (Seen::ok("a transaction brought it"), Some(()));
    }
    let seen = format!("no transaction brought it within {} s", PATIENCE.as_secs());
    let change = "receive_ephemeral and de.sorunome.msc2409.push_ephemeral in the registration, msc2409_to_device_messages_enabled on the homeserver; only encrypted rooms need it";
    (Seen::warning(seen, change).asking(Ask::ToDevice).asking(Ask::Registration), None)
}

async fn device_lists(stage: &Stage<'_>, ear: &Ear) -> Seen {
    let before = ear.heard().await.unwrap_or_default().device_lists;
    let changed: Result<(), MatrixError> =
        devices::change_device_list(stage.homeserver, &stage.cast.ghost, stage.nonce).await;
    if let Err(error) = changed {
        return refused(&error);
    }
    let told = ear.has_heard(PATIENCE, |heard| heard.device_lists > before).await;
    judge_extension(told, "a transaction told of the ghost's new keys")
}

fn judge_extension(told: bool, good: &str) -> Seen {
    if told {
        return Seen::ok(good);
    }
    Seen::warning(
        format!("no transaction told it within {} s", PATIENCE.as_secs()),
        "org.matrix.msc3202 in the registration, msc3202_transaction_extensions on the homeserver; only encrypted rooms need it",
    )
    .asking(Ask::DeviceLists)
    .asking(Ask::Registration)
}

#[cfg(test)]
mod tests {
    use super::super::sheet::Verdict;
    use super::*;

    #[test]
    fn what_does_not_come_is_asked_for() {
        assert_eq!(judge_arrival(true).0.verdict, Verdict::Ok);
        assert_eq!(judge_arrival(false).0.verdict, Verdict::Error);
        let (seen, go_on) = judge_to_device(false);
        assert_eq!(seen.asks, [Ask::ToDevice, Ask::Registration]);
        assert_eq!((seen.verdict, go_on), (Verdict::Warning, None));
        assert_eq!(judge_extension(false, "").asks, [Ask::DeviceLists, Ask::Registration]);
        assert_eq!(judge_extension(true, "yes").text, "yes");
    }
}
