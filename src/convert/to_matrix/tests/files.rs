//! Files, places and contacts.

use super::*;

#[test]
fn a_photo_carries_its_caption_and_facts() {
    let parts = said(&message(media(vec![file(MediaKind::Photo, "jpg")], Some("la mairie"))));
    assert_eq!(parts.len(), 1);
    let content = Value::Object(parts[0].content.clone());
    assert_eq!(content["msgtype"], "m.image");
    assert_eq!(content["body"], "la mairie");
    assert_eq!(content["filename"], "IMG.jpg");
    assert_eq!(content["url"], "mxc://example.org/abc");
    assert_eq!(content["info"]["w"], 1200);
    assert_eq!(content["info"]["mimetype"], "image/jpeg");
    assert_eq!(content["info"]["thumbnail_info"]["w"], 800);
    assert_eq!(content["info"]["thumbnail_url"], "mxc://example.org/thumb");
    assert_eq!(content["info"]["xyz.amorgan.blurhash"], "LEHV6nWB2yk8pyo0adR*.7kCMdnj");
    let read: RoomMessageEventContent = serde_json::from_value(content).expect("a message");
    let MessageType::Image(image) = read.msgtype else { panic!("no image") };
    assert_eq!(image.caption(), Some("la mairie"));
    assert_eq!(image.filename(), "IMG.jpg");
}

#[test]
fn a_voice_note_is_one_and_keeps_its_words() {
    let parts = said(&message(media(vec![file(MediaKind::Voice, "ogg")], Some("écoute"))));
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].content["org.matrix.msc3245.voice"], json!({}));
    assert_eq!(
        parts[0].content["org.matrix.msc1767.audio"],
        json!({ "duration": 4200, "waveform": [0, 512, 1024] })
    );
    assert_eq!(parts[0].content["info"]["duration"], 4200);
    assert_eq!((msgtype(&parts[1]), body(&parts[1])), ("m.text", "écoute"));
}

/// matrix-sdk, under Element X, refuses the details of a voice without a duration.
#[test]
fn a_voice_of_unknown_length_has_no_details() {
    let entry_without_time = |entry: &str| {
        upload(entry).map(|mut upload| {
            upload.facts.duration_ms = None;
            upload
        })
    };
    let resolved = Resolved { person: &person, event: &event, upload: &entry_without_time };
    let voice = message(media(vec![file(MediaKind::Voice, "ogg")], None));
    let made = parts(&voice, &resolved, &Policy::default());
    check(&made.parts[0], &Policy::default());
    assert!(made.parts[0].content.contains_key("org.matrix.msc3245.voice"));
    assert!(!made.parts[0].content.contains_key("org.matrix.msc1767.audio"));
}

#[test]
fn albums_keep_their_order_and_name_what_is_not_there() {
    let mut lost = Attachment::new(MediaKind::Photo, AttachmentState::Omitted);
    lost.name = Some("../../IMG\u{202e}_2.jpg".to_owned());
    lost.size_bytes = Some(2_340_000);
    let album = vec![lost, file(MediaKind::Video, "mp4"), file(MediaKind::Document, "pdf")];
    let (parts, _, made) = convert(&message(media(album, Some("vacances"))), &Policy::default());
    let kinds: Vec<&str> = parts.iter().map(msgtype).collect();
    assert_eq!(kinds, ["m.notice", "m.video", "m.file"]);
    assert_eq!(
        body(&parts[0]),
        "📎 Photo «\u{a0}IMG_2.jpg\u{a0}» (2,3\u{a0}Mo)\u{a0}: non inclus dans l’export"
    );
    assert_eq!(body(&parts[1]), "vacances");
    assert_eq!(made.losses[0].kind, FindingKind::AttachmentMissing);
    // In the container, but not on the homeserver.
    let refused = message(media(vec![file(MediaKind::Document, "exe")], None));
    let (parts, _, made) = convert(&refused, &Policy::default());
    assert!(body(&parts[0]).ends_with("non importé"));
    assert_eq!(made.losses[0].kind, FindingKind::NotCarried);
}

#[test]
fn kinds_and_bytes_decide_together() {
    for (kind, entry, shown) in [
        (MediaKind::Photo, "pdf", "m.file"),
        (MediaKind::Document, "jpg", "m.file"),
        (MediaKind::Unknown, "jpg", "m.image"),
        (MediaKind::Gif, "mp4", "m.video"),
        (MediaKind::Gif, "webp", "m.image"),
        (MediaKind::VideoNote, "mp4", "m.video"),
        (MediaKind::Audio, "ogg", "m.audio"),
    ] {
        let parts = said(&message(media(vec![file(kind, entry)], None)));
        assert_eq!(msgtype(&parts[0]), shown, "{kind:?} {entry}");
        assert_eq!(body(&parts[0]), format!("IMG.{entry}"));
    }
}

#[test]
fn stickers_are_pictures() {
    let mut sticker = file(MediaKind::Sticker, "webp");
    sticker.emoji = Some("😀".to_owned());
    let parts = said(&message(Body::Sticker { attachment: sticker.clone() }));
    assert_eq!((msgtype(&parts[0]), body(&parts[0])), ("m.image", "Autocollant 😀"));
    sticker.entry = Some("tgs".to_owned());
    sticker.thumbnail_entry = Some("webp".to_owned());
    let parts = said(&message(Body::Sticker { attachment: sticker }));
    assert_eq!(parts.iter().map(msgtype).collect::<Vec<_>>(), ["m.image", "m.file"]);
}

#[test]
fn places_are_points_or_lines() {
    let mut place = Location {
        latitude: Some(48.936_181),
        longitude: Some(2.357_444_12),
        label: Some("Mairie".to_owned()),
        url: None,
        live: false,
        period_s: None,
    };
    let parts = said(&message(Body::Location(place.clone())));
    assert_eq!(parts[0].content["geo_uri"], "geo:48.936181,2.3574441");
    assert_eq!(body(&parts[0]), "📍 Mairie\ngeo:48.936181,2.3574441");
    assert_eq!(parts[0].content["org.matrix.msc3488.location"]["description"], "Mairie");
    for nowhere in [None, Some(f64::NAN), Some(1e300)] {
        place.latitude = nowhere;
        let parts = said(&message(Body::Location(place.clone())));
        assert_eq!((msgtype(&parts[0]), body(&parts[0])), ("m.notice", "📍 Mairie"));
    }
}

#[test]
fn contacts_are_files_with_a_line() {
    let mut sent = ContactCard {
        name: "Paul / Durand".to_owned(),
        phone: Some("+33 6 12 34 56 78".to_owned()),
        vcard: Some(Attachment::new(MediaKind::Document, AttachmentState::Present)),
    };
    sent.vcard.as_mut().expect("a card").entry = Some("vcf".to_owned());
    let parts = said(&message(Body::Contact { cards: vec![sent.clone()] }));
    assert_eq!(msgtype(&parts[0]), "m.file");
    assert_eq!(body(&parts[0]), "👤 Contact\u{a0}: Paul / Durand\n+33 6 12 34 56 78");
    assert_eq!(parts[0].content["filename"], "Paul - Durand.vcf");
    sent.vcard = None;
    assert_eq!(msgtype(&said(&message(Body::Contact { cards: vec![sent] }))[0]), "m.notice");
}
