//! Messages that no reader would make, and all that readers could.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::model::text::{Span, Style};

/// Words of all sorts, now and then far too long for one event.
fn words() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "\\PC{0,40}",
        2 => "[*_~`> \\-<&\"'\n1.\\[\\]()#é👍a]{0,60}",
        1 => any::<Vec<char>>().prop_map(|chars| chars.into_iter().take(40).collect::<String>()),
        1 => ("[a-z<\"é👍 .]{1,12}", 0_usize..3_000).prop_map(|(word, n)| word.repeat(n)),
    ]
    .boxed()
}

fn text() -> BoxedStrategy<Text> {
    let markup = prop_oneof![Just(Markup::None), Just(Markup::Whatsapp), Just(Markup::Markdown)];
    let style = prop_oneof![
        Just(Style::Bold),
        Just(Style::Quote),
        Just(Style::Spoiler),
        words().prop_map(|url| Style::Link { url }),
        of(somebody()).prop_map(|p| Style::Mention { participant: p.map(|p| p.id) }),
        of(words()).prop_map(|language| Style::Pre { language }),
    ];
    let span = (0_usize..60, 0_usize..60, style).prop_map(|(start, end, style)| Span {
        start,
        end,
        style,
    });
    (words(), markup, vec(span, 0..5))
        .prop_map(|(plain, markup, spans)| Text { plain, markup, spans })
        .boxed()
}

fn somebody() -> BoxedStrategy<Author> {
    let id = prop_oneof![Just("alice".to_owned()), Just("bob".to_owned()), words()];
    (id, words()).prop_map(|(id, name)| Author { id: ParticipantId::new(id), name }).boxed()
}

fn moment() -> impl Strategy<Value = SentAt> {
    (any::<i64>(), of("[0-9T:\\-]{0,20}")).prop_map(|(ms, local)| SentAt {
        at: UnixMillis(ms),
        precision: Precision::Minute,
        zone: ZoneBasis::Assumed,
        local,
    })
}

fn attachment() -> BoxedStrategy<Attachment> {
    let kind = prop::sample::select(vec![
        MediaKind::Photo,
        MediaKind::Video,
        MediaKind::Gif,
        MediaKind::VideoNote,
        MediaKind::Voice,
        MediaKind::Audio,
        MediaKind::Sticker,
        MediaKind::Document,
        MediaKind::LinkPreview,
        MediaKind::Unknown,
    ]);
    let state = prop::sample::select(vec![
        AttachmentState::Present,
        AttachmentState::Omitted,
        AttachmentState::Missing,
        AttachmentState::TooLarge,
    ]);
    let entry =
        || of(prop::sample::select(vec!["jpg", "webp", "mp4", "ogg", "tgs", "pdf", "none"]));
    (kind, state, of(words()), entry(), entry(), any::<(Option<u64>, Option<u64>)>(), of(words()))
        .prop_map(|(kind, state, name, entry, still, (size_bytes, duration_ms), emoji)| {
            Attachment {
                name,
                entry: entry.map(ToOwned::to_owned),
                thumbnail_entry: still.map(ToOwned::to_owned),
                size_bytes,
                duration_ms,
                emoji,
                ..Attachment::new(kind, state)
            }
        })
        .boxed()
}

fn poll() -> BoxedStrategy<Body> {
    let vote = (somebody(), of(moment())).prop_map(|(by, at)| Vote { by, at });
    let option = (words(), any::<Option<u32>>(), vec(vote, 0..3))
        .prop_map(|(text, votes, voters)| PollOption { text, votes, voters });
    let flags = any::<(Option<bool>, Option<bool>, Option<u32>)>();
    (words(), vec(option, 0..22), flags)
        .prop_map(|(question, options, (multiple, closed, total_voters))| {
            Body::Poll(Poll { question, options, multiple, closed, total_voters })
        })
        .boxed()
}

fn place() -> BoxedStrategy<Body> {
    let degrees = || of(prop_oneof![any::<f64>(), -90.0..90.0_f64]);
    (degrees(), degrees(), of(words()), of(words()), any::<(bool, Option<u64>)>())
        .prop_map(|(latitude, longitude, label, url, (live, period_s))| {
            Body::Location(Location { latitude, longitude, label, url, live, period_s })
        })
        .boxed()
}

fn line() -> BoxedStrategy<Body> {
    let kind = prop_oneof![
        of(words()).prop_map(|title| SystemKind::Created { title }),
        of(words()).prop_map(|title| SystemKind::Renamed { title }),
        prop::sample::select(vec![
            SystemKind::DescriptionChanged,
            SystemKind::PhotoChanged,
            SystemKind::Joined,
            SystemKind::Added,
            SystemKind::Left,
            SystemKind::Removed,
            SystemKind::AdminChanged,
            SystemKind::NumberChanged,
            SystemKind::Encryption,
            SystemKind::Ephemeral,
            SystemKind::Pinned,
            SystemKind::Blocked,
            SystemKind::Other,
        ]),
    ];
    (kind, of(somebody()), vec(somebody(), 0..3), words())
        .prop_map(|(kind, actor, targets, text)| {
            Body::System(SystemEvent { kind, actor, targets, text })
        })
        .boxed()
}

fn body() -> BoxedStrategy<Body> {
    let card = (words(), of(words()), of(attachment()))
        .prop_map(|(name, phone, vcard)| ContactCard { name, phone, vcard });
    prop_oneof![
        3 => text().prop_map(Body::Text),
        3 => (vec(attachment(), 0..4), of(text()), any::<bool>()).prop_map(
            |(attachments, caption, view_once)| Body::Media { attachments, caption, view_once }
        ),
        1 => attachment().prop_map(|attachment| Body::Sticker { attachment }),
        1 => place(),
        1 => vec(card, 0..3).prop_map(|cards| Body::Contact { cards }),
        2 => poll(),
        1 => (any::<(bool, bool, Option<u64>)>(), words()).prop_map(
            |((video, missed, duration_s), text)| Body::Call(Call { video, missed, duration_s, text })
        ),
        1 => line(),
        1 => words().prop_map(|text| Body::Deleted { text }),
        1 => words().prop_map(|text| Body::Unknown { text }),
    ]
    .boxed()
}

pub(super) fn any_message() -> impl Strategy<Value = Message> {
    let reply = (of(prop::sample::select(vec!["m0", "gone"])), of(somebody()), of(words()))
        .prop_map(|(id, author, quote)| ReplyTo { id: id.map(MessageId::new), author, quote });
    let forwarded = (of(somebody()), of(moment())).prop_map(|(from, at)| Forwarded { from, at });
    let revision = (text(), moment()).prop_map(|(text, at)| Revision { text, at });
    let edited =
        (of(moment()), vec(revision, 0..3)).prop_map(|(at, history)| Edited { at, history });
    let reaction = (words(), of(somebody()), of(moment()), any::<u32>())
        .prop_map(|(emoji, by, at, count)| Reaction { emoji, by, at, count });
    (
        body(),
        of(somebody()),
        moment(),
        of(reply),
        of(forwarded),
        of(prop::sample::select(vec!["t1", "m1", "gone"])),
        of(edited),
        vec(reaction, 0..4),
        of(Just(UnixMillis(0))),
    )
        .prop_map(
            |(body, sender, sent_at, reply_to, forwarded, topic, edited, reactions, expires_at)| {
                Message {
                    sender,
                    sent_at,
                    reply_to,
                    forwarded,
                    topic: topic.map(TopicId::new),
                    edited,
                    reactions,
                    expires_at,
                    ..message(body)
                }
            },
        )
}
