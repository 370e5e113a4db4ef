//! Each fault of the wire that has a line in `docs/faults.md`: what befalls which request.

use std::time::Duration;

use super::table::{At, Row, Trouble};
use crate::support::proxy::{Action, Reply, Rule};

/// What a TLS server says to somebody who speaks plainly: a fatal alert, "unexpected message".
const TLS_ALERT: &[u8] = &[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x0a];

const CUT: Action = Action::CutResponse { after_bytes: 9 };

/// The table, in its order. Short rows run with every test.
pub fn rows() -> Vec<Row> {
    let mut rows = slow_and_cut();
    rows.extend(never_ending());
    rows.extend(garbled());
    rows.extend(refused());
    rows.extend(taking_back());
    rows.extend(off_the_wire());
    for (number, row) in rows.iter_mut().enumerate() {
        row.number = u64::try_from(number).unwrap();
    }
    rows
}

fn slow_and_cut() -> Vec<Row> {
    let once = |at: At| Row::wire("cut inside the answer, once", at, rule(at, CUT).times(1));
    vec![
        Row::wire(
            "answers take 1 s",
            At::Send,
            rule(At::Send, Action::DelayResponse(Duration::from_secs(1))).times(3),
        ),
        Row::wire(
            "answers take longer than the limit, for ever",
            At::Send,
            rule(At::Send, Action::DelayResponse(Duration::from_mins(1))),
        ),
        once(At::Register),
        once(At::CreateRoom).short(),
        once(At::Invite),
        once(At::Join),
        once(At::Upload),
        once(At::Send),
        once(At::ReadBack),
        once(At::Download),
        Row::wire("cut inside the answer, for ever", At::Send, rule(At::Send, CUT)),
        Row::wire(
            "connection reset, once",
            At::CreateRoom,
            rule(At::CreateRoom, Action::Reset).times(1),
        ),
        Row::wire("connection reset, once", At::Upload, rule(At::Upload, Action::Reset).times(1)),
        Row::wire("connection reset, for ever", At::Send, rule(At::Send, Action::Reset)).short(),
    ]
}

fn never_ending() -> Vec<Row> {
    let hang = |at: At| Row::wire("taken and never answered", at, rule(at, Action::Hang));
    let endless = |at: At| {
        Row::wire("answered and never ended", at, rule(at, Action::NeverEnd { after_bytes: 5 }))
    };
    vec![
        hang(At::Register),
        hang(At::CreateRoom),
        hang(At::Invite),
        hang(At::Upload),
        hang(At::Send),
        hang(At::ReadBack),
        endless(At::Send).short(),
        endless(At::Download),
    ]
}

fn garbled() -> Vec<Row> {
    let length = |fault: &'static str, at: At, by: isize| {
        Row::wire(fault, at, rule(at, Action::WrongLength(by)).times(1))
    };
    let instead = |fault: &'static str, at: At, reply: Reply| {
        Row::wire(fault, at, rule(at, Action::AnswerOver(reply)))
    };
    vec![
        length("announced shorter than it is, once", At::CreateRoom, -5),
        length("announced shorter than it is, once", At::Send, -5).short(),
        length("announced longer than it is, once", At::Upload, 40),
        length("announced longer than it is, once", At::Send, 40),
        instead("JSON cut short, for ever", At::Send, Reply::json(200, "{\"event_id\":\"$ab")),
        instead("other JSON than asked for, for ever", At::Upload, Reply::json(200, "[]")),
        instead("a web page with status 200, for ever", At::ReadBack, Reply::html(200)),
    ]
}

fn refused() -> Vec<Row> {
    let page = |status, at: At| rule(at, Action::Answer(Reply::html(status)));
    let after = |status, at: At| rule(at, Action::AnswerOver(Reply::html(status)));
    let limited = |wait_ms| Action::Answer(Reply::too_many_requests(wait_ms));
    let token = Reply::error(401, "M_UNKNOWN_TOKEN");
    vec![
        Row::wire("500 with a web page, for ever", At::Register, page(500, At::Register)),
        Row::wire(
            "502 with a web page after the homeserver has acted, once",
            At::CreateRoom,
            after(502, At::CreateRoom).times(1),
        ),
        Row::wire("503 with a web page, twice", At::Join, page(503, At::Join).times(2)),
        Row::wire("504 with a web page, for ever", At::Upload, page(504, At::Upload)),
        Row::wire("502 with a web page, twice", At::Send, page(502, At::Send).times(2)),
        Row::wire(
            "504 with a web page after the homeserver has acted, for ever",
            At::Send,
            after(504, At::Send),
        )
        .short(),
        Row::wire("503 with a web page, twice", At::ReadBack, page(503, At::ReadBack).times(2)),
        Row::wire(
            "429 without a wait, once",
            At::CreateRoom,
            rule(At::CreateRoom, limited(None)).times(1),
        ),
        Row::wire(
            "429 without a wait, three times",
            At::Send,
            rule(At::Send, limited(None)).times(3),
        ),
        Row::wire(
            "429 with a wait of 0.3 s, eight times",
            At::Send,
            rule(At::Send, limited(Some(300))).times(8),
        )
        .short(),
        Row::wire(
            "429 with a web page and `Retry-After`, once",
            At::Send,
            rule(At::Send, Action::Answer(Reply::html(429).retry_after(1))).times(1),
        ),
        Row::wire(
            "429 with a wait of 60 s, for ever",
            At::Send,
            rule(At::Send, limited(Some(60_000))),
        ),
        Row::wire("the service's token revoked", At::Send, rule(At::Send, Action::Answer(token)))
            .helped("the registration was installed again"),
    ]
}

fn off_the_wire() -> Vec<Row> {
    vec![
        Row::new("the witness's token revoked", At::ReadBack, Trouble::WitnessLoggedOut)
            .helped("another token in `witness.token_file`, daemon restarted"),
        Row::new("a host name that does not resolve", At::Everything, Trouble::NoSuchHost)
            .helped("`matrix.homeserver_url` corrected, daemon restarted"),
        Row::new("`https://` to a port without TLS", At::Everything, Trouble::TlsToPlain)
            .helped("`matrix.homeserver_url` corrected, daemon restarted"),
        Row::wire(
            "`http://` to a port with TLS",
            At::Everything,
            rule(At::Everything, Action::Raw(TLS_ALERT)),
        ),
        Row::new("the homeserver killed", At::Send, Trouble::HomeserverKilled)
            .helped("the homeserver was started again"),
        Row::new("the daemon's clock a year ahead", At::Send, Trouble::Clock("+1y")),
        Row::new("the daemon's clock a day back", At::Send, Trouble::Clock("-1d")),
        Row::new("callers that say nothing, or a byte a second", At::Send, Trouble::SlowCallers)
            .short(),
        Row::new("the disk of `daemon.state_dir` full", At::Send, Trouble::FullDisk)
            .helped("space freed, daemon started"),
    ]
}

fn taking_back() -> Vec<Row> {
    let undo = |fault, rule| Row::wire(fault, At::Redact, rule);
    vec![
        undo("cut inside the answer, once", rule(At::Redact, CUT).times(1)),
        undo(
            "502 with a web page, twice",
            rule(At::Redact, Action::Answer(Reply::html(502))).times(2),
        ),
        undo("taken and never answered", rule(At::Redact, Action::Hang)).short(),
    ]
}

/// The rule for a request of this kind, past those that come before the chat's own room.
fn rule(at: At, action: Action) -> Rule {
    let (pattern, skip) = at.requests();
    Rule::new(pattern, action).skip(skip)
}
