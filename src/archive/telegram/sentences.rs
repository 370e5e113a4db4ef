//! Service messages that the neutral model has no kind for, as English sentences.
//!
//! JSON writes a keyword and fields; the sentence holds every field. Amounts of money stand in
//! the smallest unit of their currency, as the exporter writes them.

use super::action::Scene;
use super::fields::Fields;

pub(super) fn who(scene: &Scene<'_>, did: &str) -> String {
    match scene.actor {
        Some(actor) if !actor.name.is_empty() => format!("{} {did}", actor.name),
        Some(_) => format!("somebody {did}"),
        None => did.to_owned(),
    }
}

/// Everything else, as a sentence.
pub(super) fn sentence(action: &str, fields: &mut Fields, scene: &Scene<'_>) -> Option<String> {
    let did = |did: &str| who(scene, did);
    let mut f = |key: &str| fields.words(key).unwrap_or_else(|| "?".to_owned());
    Some(match action {
        "clear_history" => "the history was cleared".to_owned(),
        "take_screenshot" => did("took a screenshot"),
        "joined_telegram" => did("joined Telegram"),
        "migrate_to_supergroup" => did("converted this group to a supergroup"),
        "migrate_from_group" => {
            did(&format!("converted a basic group to this supergroup “{}”", f("title")))
        }
        "score_in_game" => {
            did(&format!("scored {} in the game of message {}", f("score"), f("game_message_id")))
        }
        "group_call_scheduled" => {
            did(&format!("scheduled a voice chat for {}", moment(&f("schedule_date"))))
        }
        "proximity_reached" => {
            let from = scene.from.unwrap_or("?");
            let (to, distance) = (f("to"), f("distance"));
            fields.take("to_id");
            format!("{from} is within {distance} m of {to}")
        }
        "requested_phone_number" => did("requested a phone number"),
        "edit_chat_theme" => match fields.words("emoticon") {
            Some(emoticon) => did(&format!("changed the chat theme to {emoticon}")),
            None => did("disabled the chat theme"),
        },
        "set_chat_wallpaper" => did("set a new background"),
        "set_same_chat_wallpaper" => {
            did(&format!("set the background of message {}", f("message_id")))
        }
        "suggest_profile_photo" => {
            did(&format!("suggested a profile photo: {}", scene.photo.unwrap_or("not included")))
        }
        "suggest_birthday" => {
            let (day, month) = (f("day"), f("month"));
            let year = fields.words("year").map(|year| format!("/{year}")).unwrap_or_default();
            did(&format!("suggested a date of birth: {day}/{month}{year}"))
        }
        "no_forwards_toggle" | "no_forwards_request" => {
            let change = if fields.flag("new_value") { "forbid" } else { "allow" };
            let expired = if fields.flag("expired") { " (expired)" } else { "" };
            match action {
                "no_forwards_toggle" => did(&format!("chose to {change} forwarding")),
                _ => did(&format!("asked to {change} forwarding{expired}")),
            }
        }
        "topic_created" => did(&format!("created the topic “{}”", f("title"))),
        "topic_edit" | "topic_title_edit" | "topic_icon_edit" => {
            let icon = fields.take("new_icon_emoji_id").or_else(|| fields.take("icon_emoji_id"));
            let title = fields.words("new_title").or_else(|| fields.words("title"));
            match (title, icon) {
                (Some(title), _) => did(&format!("renamed the topic to “{title}”")),
                (None, Some(_)) => did("changed the topic's icon"),
                (None, None) => did("edited the topic"),
            }
        }
        _ => return commerce(action, fields, scene).or_else(|| bots(action, fields, scene)),
    })
}

/// Payments, giveaways, suggested posts.
fn commerce(action: &str, fields: &mut Fields, scene: &Scene<'_>) -> Option<String> {
    let did = |did: &str| who(scene, did);
    let mut f = |key: &str| fields.words(key).unwrap_or_else(|| "?".to_owned());
    Some(match action {
        "send_payment" => {
            let text = format!(
                "a payment was made: {} {} (in the smallest unit), for message {}",
                f("amount"),
                f("currency"),
                f("invoice_message_id")
            );
            match fields.words("recurring") {
                Some(recurring) => format!("{text}; recurring: {recurring}"),
                None => text,
            }
        }
        "refunded_payment" => {
            let text = format!(
                "a payment was refunded: {} {} (in the smallest unit) by {}, reference {}",
                f("amount"),
                f("currency"),
                f("peer_name"),
                f("charge_id")
            );
            fields.take("peer_id");
            text
        }
        "giveaway_launch" => "a giveaway began".to_owned(),
        "giveaway_results" => {
            let text =
                format!("a giveaway ended: {} winners, {} unclaimed", f("winners"), f("unclaimed"));
            if fields.flag("stars") { format!("{text}, for stars") } else { text }
        }
        "boost_apply" => did(&format!("boosted the group {} times", f("boosts"))),
        "paid_messages_refund" => did(&format!(
            "refunded {} stars for {} messages",
            f("stars_count"),
            f("messages_count")
        )),
        "paid_messages_price_change" | "send_paid_message" => {
            let text = format!("set the price of a message to {} stars", f("price_stars"));
            if fields.flag("is_broadcast_messages_allowed") {
                did(&format!("{text}; direct messages are allowed"))
            } else {
                did(&text)
            }
        }
        "process_suggested_post" | "suggested_post_success" => {
            let rejected = fields.flag("rejected");
            let comment = fields.words("comment").map(|c| format!(": {c}")).unwrap_or_default();
            let price = price(fields);
            let date = fields.words("scheduled_date").map(|d| format!(", for {}", moment(&d)));
            match (action, rejected) {
                ("suggested_post_success", _) => did(&format!("published a suggested post{price}")),
                (_, true) => did(&format!("rejected a suggested post{comment}")),
                (_, false) => did(&format!(
                    "accepted a suggested post{price}{}{comment}",
                    date.unwrap_or_default()
                )),
            }
        }
        "suggested_post_refund" => {
            let by = if fields.flag("user_initiated") { " by the user" } else { "" };
            format!("a suggested post was refunded{by}")
        }
        _ => return gifts(action, fields, scene),
    })
}

/// Presents and prizes.
fn gifts(action: &str, fields: &mut Fields, scene: &Scene<'_>) -> Option<String> {
    let did = |did: &str| who(scene, did);
    // Until 6.3 months were written, since then days.
    let months_or_days = |fields: &mut Fields| match fields.words("days") {
        Some(days) => format!("{days} days"),
        None => format!("{} months", fields.words("months").unwrap_or_default()),
    };
    let mut f = |key: &str| fields.words(key).unwrap_or_else(|| "?".to_owned());
    Some(match action {
        "send_premium_gift" => {
            let cost = f("cost");
            did(&format!("gave Telegram Premium for {}, {cost}", months_or_days(fields)))
        }
        "send_stars_gift" | "send_ton_gift" => {
            let what = if action == "send_ton_gift" { "TON" } else { "stars" };
            let (cost, whole) = (f("cost"), f("amount_whole"));
            let nano = fields.number("amount_nano").unwrap_or_default();
            let part = if nano == 0 { String::new() } else { format!(".{nano:09}") };
            did(&format!("gave {whole}{part} {what}, {cost}"))
        }
        "send_star_gift" => {
            let (gift, stars) = (f("gift_id"), f("stars"));
            let limited = if fields.flag("is_limited") { ", limited" } else { "" };
            let hidden = if fields.flag("is_anonymous") { ", anonymous" } else { "" };
            let words = fields.words("gift_text").map(|w| format!(": {w}")).unwrap_or_default();
            did(&format!("gave the gift {gift} of {stars} stars{limited}{hidden}{words}"))
        }
        "stars_prize" => {
            let text = format!(
                "{} stars won in the giveaway {} of {} (transaction {})",
                f("stars"),
                f("giveaway_msg_id"),
                f("boost_peer_name"),
                f("transaction_id")
            );
            fields.take("boost_peer_id");
            let unclaimed = if fields.flag("is_unclaimed") { ", unclaimed" } else { "" };
            format!("{text}{unclaimed}")
        }
        "gift_code_prize" => {
            let (code, peer) = (f("gift_code"), f("boost_peer_id"));
            let time = months_or_days(fields);
            let unclaimed = if fields.flag("unclaimed") { ", unclaimed" } else { "" };
            let giveaway = if fields.flag("via_giveaway") { ", won in a giveaway" } else { "" };
            format!("gift code {code} for {time} from {peer}{giveaway}{unclaimed}")
        }
        _ => return None,
    })
}

fn price(fields: &mut Fields) -> String {
    let whole = fields.words("price_amount_whole");
    let nano = fields.number("price_amount_nano").filter(|nano| *nano != 0);
    let currency = fields.words("price_currency").unwrap_or_default();
    let part = nano.map(|nano| format!(".{nano:09}")).unwrap_or_default();
    whole.map(|whole| format!(", {whole}{part} {currency}")).unwrap_or_default()
}

/// Bots, polls and lists.
fn bots(action: &str, fields: &mut Fields, scene: &Scene<'_>) -> Option<String> {
    let did = |did: &str| who(scene, did);
    let mut f = |key: &str| fields.words(key).unwrap_or_else(|| "?".to_owned());
    Some(match action {
        "send_webview_data" => format!("data was sent to the bot by the button “{}”", scene.words),
        "allow_sending_messages" => {
            let (domain, app) = (fields.words("reason_domain"), fields.words("reason_app_name"));
            let id = fields.words("reason_app_id").unwrap_or_default();
            match (domain, app) {
                (Some(domain), _) => {
                    format!("the bot may write, because of a login on {domain}")
                }
                (None, Some(app)) => {
                    format!("the bot may write, because of the app {app} ({id})")
                }
                (None, None) => "the bot may write".to_owned(),
            }
        }
        "attach_menu_bot_allowed" => "the bot was added to the attachment menu".to_owned(),
        "web_app_bot_allowed" => "the web app of the bot was opened".to_owned(),
        "send_passport_values" => {
            let values: Vec<_> = fields.names("values").into_iter().flatten().collect();
            format!("Telegram Passport values were sent: {}", values.join(", "))
        }
        "requested_peer" => {
            // A text that holds a JSON array of peers.
            let peers: String = f("peers").split_whitespace().collect();
            did(&format!("shared peers with the bot (button {}): {peers}", f("button_id")))
        }
        "managed_bot_created" => did(&format!("created the bot {}", f("bot"))),
        "poll_append_answer" => did(&format!("added an answer to the poll: {}", f("option"))),
        "poll_delete_answer" => did(&format!("removed an answer of the poll: {}", f("option"))),
        "todo_completions" => did(&format!(
            "ticked [{}], unticked [{}] in a list",
            list(fields, "completed"),
            list(fields, "incompleted")
        )),
        "todo_append_tasks" => did(&format!("added to a list: {}", list(fields, "items"))),
        _ => return None,
    })
}

fn list(fields: &mut Fields, key: &str) -> String {
    fields.names(key).into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn moment(seconds: &str) -> String {
    seconds
        .parse::<i64>()
        .ok()
        .and_then(|second| jiff::Timestamp::from_second(second).ok())
        .map_or_else(|| seconds.to_owned(), |at| at.to_string())
}
