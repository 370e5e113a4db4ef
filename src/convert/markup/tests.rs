//! What people wrote, and how it must look.

use proptest::prelude::*;
use ruma::html::{Html, SanitizerConfig};

use super::*;
use crate::model::ids::ParticipantId;
use crate::model::text::{Markup, Span, Style, Text};

fn someone(id: &ParticipantId) -> Option<Named> {
    (id.as_str() == "p1").then(|| Named {
        name: "Zoé <Durand>".to_owned(),
        account: ruma::UserId::parse("@zoe:agent.example.org").ok(),
    })
}

fn shown(text: &Text) -> (String, Option<String>) {
    let rich = read(text, &someone);
    (rich.text().to_owned(), rich.html())
}

fn whatsapp(text: &str) -> (String, Option<String>) {
    shown(&Text::marked(text, Markup::Whatsapp))
}

fn markdown(text: &str) -> (String, Option<String>) {
    shown(&Text::marked(text, Markup::Markdown))
}

fn spans(text: &str, spans: &[(usize, usize, Style)]) -> (String, Option<String>) {
    let spans = spans.iter().map(|(start, end, style)| Span {
        start: *start,
        end: *end,
        style: style.clone(),
    });
    shown(&Text { plain: text.to_owned(), markup: Markup::None, spans: spans.collect() })
}

fn both(plain: &str, html: &str) -> (String, Option<String>) {
    (plain.to_owned(), Some(html.to_owned()))
}

fn only(plain: &str) -> (String, Option<String>) {
    (plain.to_owned(), None)
}

#[test]
fn whatsapp_styles() {
    assert_eq!(whatsapp("un *mot* fort"), both("un mot fort", "un <strong>mot</strong> fort"));
    assert_eq!(
        whatsapp("*_a b_* ~c~ `d`"),
        both("a b c d", "<strong><em>a b</em></strong> <del>c</del> <code>d</code>")
    );
    assert_eq!(
        whatsapp("(*a*), *b*!"),
        both("(a), b!", "(<strong>a</strong>), <strong>b</strong>!")
    );
}

#[test]
fn whatsapp_marks_that_are_none() {
    for text in [
        "2*3*4",
        "snake_case_name",
        "**",
        "*a\nb*",
        "**a**",
        "~a",
        "a_ b_",
        "`` ` ``",
        "https://example.org/_a_/*b*",
        "_",
        "> ",
        "- ",
        "1.a",
        "2024. Une année",
        "``````",
    ] {
        assert_eq!(whatsapp(text), only(text), "{text}");
    }
}

#[test]
fn whatsapp_blocks() {
    assert_eq!(
        whatsapp("avant\n> un\n> *deux*\naprès"),
        both(
            "avant\n> un\n> deux\naprès",
            "avant<blockquote>un<br>\u{2060}<strong>deux</strong></blockquote>après"
                .replace('\u{2060}', "")
                .as_str()
        )
    );
    assert_eq!(
        whatsapp("- a\n* b\n\n3. c\n4. d\n9. e"),
        both(
            "- a\n* b\n\n3. c\n4. d\n9. e",
            "<ul><li>a</li><li>b</li></ul><ol start=\"3\"><li>c</li><li>d</li></ol>\
             <ol start=\"9\"><li>e</li></ol>"
        )
    );
    assert_eq!(
        whatsapp("```\nlet *a* = 1;\n  b\n``` et ```c```"),
        both(
            "let *a* = 1;\n  b et c",
            "<pre><code>let *a* = 1;\n  b</code></pre> et <code>c</code>"
        )
    );
}

#[test]
fn everything_is_escaped() {
    assert_eq!(
        whatsapp("*<script>alert(\"1\")</script>* & 'x'"),
        both(
            "<script>alert(\"1\")</script> & 'x'",
            "<strong>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;</strong> &amp; &#39;x&#39;"
        )
    );
}

#[test]
fn markdown_styles() {
    assert_eq!(
        markdown("**a** *b* __c__ ~~d~~ `e` ~f~"),
        both(
            "a b c d e ~f~",
            "<strong>a</strong> <em>b</em> <strong>c</strong> <del>d</del> <code>e</code> ~f~"
        )
    );
    assert_eq!(markdown("\\*a\\* &amp; <b>c</b>"), only("*a* & <b>c</b>"));
    assert_eq!(
        markdown("# Titre\n\ntexte\n\n> un\n> deux\n\n- a\n- b\n  1. c"),
        both(
            "Titre\n\ntexte\n\n> un\n> deux\n\n- a\n- b\n  1. c",
            "<h1>Titre</h1><br>texte<br><blockquote>un<br>deux</blockquote><br>\
             <ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>"
                .replace("</blockquote><br><ul>", "</blockquote><ul>")
                .as_str()
        )
    );
    assert_eq!(
        markdown("avant\n```rust\nfn a() {}\n\nb\n```\naprès"),
        both(
            "avant\nfn a() {}\n\nb\naprès",
            "avant<pre><code class=\"language-rust\">fn a() {}\n\nb</code></pre>après"
        )
    );
    assert_eq!(
        markdown("[ici](https://example.org/a?b=1&c=2) <https://example.org>"),
        both(
            "ici (https://example.org/a?b=1&c=2) https://example.org",
            "<a href=\"https://example.org/a?b=1&amp;c=2\">ici</a> \
             <a href=\"https://example.org\">https://example.org</a>"
        )
    );
    assert_eq!(markdown("[x](javascript:alert(1))"), only("x (javascript:alert(1))"));
}

#[test]
fn markdown_loses_no_words() {
    for text in [
        "[👍]:]",
        "[](a)*]*",
        "[a]: b",
        "[a]: https://example.org \"c\"",
        "~~~a",
        "``` a b\nc\n```",
    ] {
        let shown = markdown(text).0;
        assert!(
            text.chars().filter(|c| c.is_alphanumeric() || *c == '👍').all(|c| shown.contains(c)),
            "{text}"
        );
    }
}

#[test]
fn spans_nest_overlap_and_repeat() {
    assert_eq!(
        spans("abcdef", &[(0, 4, Style::Bold), (2, 6, Style::Italic)]),
        both("abcdef", "<strong>ab<em>cd</em></strong><em>ef</em>")
    );
    assert_eq!(
        spans("abc", &[(0, 3, Style::Bold), (0, 3, Style::Bold), (1, 2, Style::Spoiler)]),
        both(
            "abc",
            "<strong>a</strong><span data-mx-spoiler><strong>b</strong></span><strong>c</strong>"
        )
    );
    assert_eq!(
        spans("un\ndeux\nfin", &[(0, 7, Style::Quote)]),
        both("> un\n> deux\nfin", "<blockquote>un<br>deux</blockquote>fin")
    );
    // Offsets outside the text, or inside a character, are not followed.
    assert_eq!(spans("é", &[(0, 1, Style::Bold), (0, 9, Style::Bold)]), only("é"));
}

#[test]
fn people_and_links() {
    let id = ParticipantId::new("p1");
    assert_eq!(
        spans("hé @+33 6 12", &[(4, 13, Style::Mention { participant: Some(id.clone()) })]),
        both(
            "hé @Zoé <Durand>",
            "hé <a href=\"https://matrix.to/#/@zoe:agent.example.org\">@Zoé &lt;Durand&gt;</a>"
        )
    );
    assert_eq!(
        spans("Zoé viens", &[(0, 4, Style::Mention { participant: Some(id) })]).0,
        "Zoé viens"
    );
    let url = "https://example.org/\"><img src=x>".to_owned();
    assert_eq!(
        spans("ici", &[(0, 3, Style::Link { url })]),
        only("ici (https://example.org/\"><img src=x>)")
    );
    assert_eq!(
        spans("example.org", &[(0, 11, Style::Link { url: "http://example.org/".to_owned() })]),
        both("example.org", "<a href=\"http://example.org/\">example.org</a>")
    );
}

#[test]
fn right_to_left_and_joiners_are_kept() {
    let text = "\u{200f}مرحبا *بك* 👩‍👩‍👧";
    assert_eq!(whatsapp(text).0, "\u{200f}مرحبا بك 👩‍👩‍👧");
}

#[test]
fn splits_at_sentences_and_keeps_clusters() {
    let text = "Une phrase. ".repeat(50);
    let pieces = split(&Rich::plain(text.clone()), &Rich::default(), 100);
    assert!(pieces.iter().all(|piece| piece.text().ends_with('.') || piece.text().ends_with(". ")));
    let family = "👩‍👩‍👧".repeat(40);
    for piece in split(&Rich::plain(family), &Rich::default(), 100) {
        assert!(!piece.text().starts_with('\u{200d}') && !piece.text().ends_with('\u{200d}'));
    }
}

/// Text made mostly of what formatting is made of.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[*_~`> \\-<&\"'\n1.\\[\\]()#é👍a]{0,80}",
        "\\PC{0,60}",
        any::<Vec<char>>().prop_map(|chars| chars.into_iter().take(60).collect()),
    ]
}

fn style() -> impl Strategy<Value = Style> {
    prop_oneof![
        Just(Style::Bold),
        Just(Style::Italic),
        Just(Style::Underline),
        Just(Style::Strike),
        Just(Style::Spoiler),
        Just(Style::Code),
        "\\PC{0,12}".prop_map(|l| Style::Pre { language: Some(l) }),
        Just(Style::Quote),
        hostile().prop_map(|url| Style::Link { url }),
        hostile().prop_map(|rest| Style::Link { url: format!("https://{rest}") }),
        Just(Style::Mention { participant: Some(ParticipantId::new("p1")) }),
        Just(Style::CustomEmoji),
    ]
}

fn any_text() -> impl Strategy<Value = Text> {
    let markup = prop_oneof![Just(Markup::None), Just(Markup::Whatsapp), Just(Markup::Markdown)];
    let spans = prop::collection::vec((0_usize..90, 0_usize..90, style()), 0..12);
    (hostile(), markup, spans).prop_map(|(plain, markup, spans)| {
        let spans =
            spans.into_iter().map(|(start, end, style)| Span { start, end, style }).collect();
        Text { plain, markup, spans }
    })
}

/// What an HTML parser sees, and the same after everything Matrix does not allow is removed.
fn seen_and_allowed(html: &str) -> (String, String) {
    let seen = Html::parse(html);
    let allowed = Html::parse(html);
    allowed.sanitize_with(&SanitizerConfig::strict());
    (seen.to_string(), allowed.to_string())
}

proptest! {

    /// No text in any markup, with any spans, yields an element or attribute that is not ours.
    #[test]
    fn html_stays_in_the_allowed_subset(text in any_text()) {
        let rich = read(&text, &someone);
        if let Some(html) = rich.html() {
            let (seen, allowed) = seen_and_allowed(&html);
            prop_assert_eq!(&seen, &allowed);
        }
    }

    /// Characters that are no syntax are all still there, in order.
    #[test]
    fn words_are_kept(text in "[a-z*_~` \n>é👍#\\[\\]()\\-1\\.:<\"]{0,80}") {
        let words = |s: &str| s.chars().filter(|c| c.is_alphabetic() || *c == '👍').collect::<String>();
        for markup in [Markup::None, Markup::Whatsapp, Markup::Markdown] {
            let rich = read(&Text::marked(text.clone(), markup), &someone);
            prop_assert_eq!(words(rich.text()), words(&text));
        }
    }

    /// Pieces respect the budget and together hold everything but blanks at the cuts.
    #[test]
    fn pieces_fit_and_lose_nothing(text in any_text(), budget in 200_usize..400) {
        let rich = read(&text, &someone);
        let mut long = Rich::default();
        for _ in 0..8 {
            long.push(rich.clone());
        }
        let pieces = split(&long, &Rich::default(), budget);
        let bare = |s: &str| s.split_whitespace().collect::<String>();
        let joined: String = pieces.iter().map(|piece| bare(piece.text())).collect();
        prop_assert_eq!(joined, bare(long.text()));
        for piece in pieces {
            // One character inside many elements may cost more by itself.
            prop_assert!(cost(&piece) <= budget || piece.text().chars().count() == 1);
        }
    }
}
