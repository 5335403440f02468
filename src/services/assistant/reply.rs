//! The model's words on their way to a person.
//!
//! Whoever writes a ticket's title may have written the model's answer. So an answer holds no link, no image and no
//! markup that a browser would follow by itself, and names no ticket that this conversation has not shown. It is cleaned
//! word by word, so that it can be streamed.

use super::plain_text::is_harmless;
use crate::domain::id::TicketId;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Longest answer, in characters.
const LONGEST_ANSWER: usize = 12_000;
/// A longer run without a blank is no word of an answer.
const LONGEST_WORD: usize = 2_000;
/// What stands for a link.
const NO_LINK: &str = "(link removed)";
/// What stands for a ticket that nobody has shown.
const NO_TICKET: &str = "an unknown ticket";

#[expect(clippy::unwrap_used, reason = "the patterns are fixed, and a test uses them")]
static TICKET: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?i)TKT-[0-9a-f]{12}").unwrap());
#[expect(clippy::unwrap_used, reason = "the patterns are fixed, and a test uses them")]
static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)//[\w\[]|/\\|www\.").unwrap());
/// Markdown's links, images and definitions of links, HTML, and addresses in angle brackets.
#[expect(clippy::unwrap_used, reason = "the patterns are fixed, and a test uses them")]
static MARKUP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]([(:])|<([A-Za-z/!?])").unwrap());

/// The tickets that a text names, in order, each once.
pub(super) fn tickets_named_in(text: &str) -> Vec<TicketId> {
    let mut named = Vec::new();
    for found in TICKET.find_iter(text) {
        let id = ticket_of(found.as_str());
        if !named.contains(&id) {
            named.push(id);
        }
    }
    named
}

fn ticket_of(text: &str) -> TicketId {
    let digits = text.get(TicketId::PREFIX.len()..).unwrap_or_default();
    TicketId::from_stored(format!("{}{}", TicketId::PREFIX, digits.to_lowercase()))
}

/// Cleans an answer as it comes.
#[derive(Debug, Default)]
pub(super) struct ReplyCleaner {
    /// Tickets that may be named.
    known: BTreeSet<TicketId>,
    /// The beginning of a word whose end has not come yet.
    open: String,
    shown: usize,
}

impl ReplyCleaner {
    /// A cleaner that lets these tickets be named.
    pub(super) fn naming(known: BTreeSet<TicketId>) -> Self {
        Self {
            known,
            ..Self::default()
        }
    }

    /// Takes more text in; answers what of it can be shown already.
    pub(super) fn push(&mut self, text: &str) -> String {
        let mut ready = String::new();
        for letter in text.chars().filter(|letter| is_harmless(*letter)) {
            if letter.is_whitespace() {
                let word = std::mem::take(&mut self.open);
                self.show(&self.cleaned(&word), &mut ready);
                self.show(letter.encode_utf8(&mut [0; 4]), &mut ready);
            } else if self.open.len() < LONGEST_WORD {
                self.open.push(letter);
            }
        }
        ready
    }

    /// The end of the text.
    pub(super) fn finish(mut self) -> String {
        let mut ready = String::new();
        let word = std::mem::take(&mut self.open);
        self.show(&self.cleaned(&word), &mut ready);
        if self.shown > LONGEST_ANSWER {
            ready.push('…');
        }
        ready
    }

    fn show(&mut self, text: &str, ready: &mut String) {
        for letter in text.chars() {
            self.shown = self.shown.saturating_add(1);
            if self.shown <= LONGEST_ANSWER {
                ready.push(letter);
            }
        }
    }

    fn cleaned(&self, word: &str) -> String {
        if LINK.is_match(word) {
            return NO_LINK.to_owned();
        }
        let inert = MARKUP.replace_all(word, |found: &regex::Captures<'_>| {
            match (found.get(1), found.get(2)) {
                (Some(mark), _) => format!("] {}", mark.as_str()),
                (None, Some(mark)) => format!("< {}", mark.as_str()),
                (None, None) => String::new(),
            }
        });
        let named = TICKET.replace_all(&inert, |found: &regex::Captures<'_>| {
            let text = found.get(0).map_or("", |whole| whole.as_str());
            let id = ticket_of(text);
            if self.known.contains(&id) {
                id.to_string()
            } else {
                NO_TICKET.to_owned()
            }
        });
        named.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn clean(text: &str) -> String {
        let known = BTreeSet::from([TicketId::from_stored("TKT-0123456789ab")]);
        let mut cleaner = ReplyCleaner::naming(known);
        let mut cleaned = cleaner.push(text);
        cleaned.push_str(&cleaner.finish());
        cleaned
    }

    #[rstest]
    #[case::plain("**Done** by `Ivan`, 1/2 of a/b.", "**Done** by `Ivan`, 1/2 of a/b.")]
    #[case::link("see [this](https://evil.example/?q=1) now", "see (link removed) now")]
    #[case::image("![x](//evil.example/a.png)", "(link removed)")]
    #[case::blank_before_the_address("![x]( //evil.example/a.png )", "![x] ( (link removed) )")]
    #[case::entities(
        "![x](https&#58;&#47;&#47;evil.example)",
        "![x] (https&#58;&#47;&#47;evil.example)"
    )]
    #[case::definition("![x][1]\n[1]: /path", "![x][1]\n[1] : /path")]
    #[case::html("<img src=x onerror=y>", "< img src=x onerror=y>")]
    #[case::script("[x](javascript:alert(1))", "[x] (javascript:alert(1))")]
    #[case::bare("www.evil.example", "(link removed)")]
    #[case::backslash("[x](/\\evil.example)", "(link removed)")]
    #[case::known_ticket("tkt-0123456789AB, yes", "TKT-0123456789ab, yes")]
    #[case::invented_ticket("(TKT-ffffffffffff)", "(an unknown ticket)")]
    #[case::comparison("1 < 2 and 3 > 2", "1 < 2 and 3 > 2")]
    fn an_answer_holds_nothing_that_a_browser_follows(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(clean(text), shown);
    }

    #[test]
    fn it_makes_no_difference_how_an_answer_is_cut() {
        let text =
            "See [x](https://evil.example/y) and TKT-0123456789ab or\nTKT-aaaaaaaaaaaa <b>now</b> ![a][b]";
        let whole = clean(text);
        for size in 1..12 {
            let known = BTreeSet::from([TicketId::from_stored("TKT-0123456789ab")]);
            let mut cleaner = ReplyCleaner::naming(known);
            let letters: Vec<char> = text.chars().collect();
            let mut cleaned = String::new();
            for part in letters.chunks(size) {
                cleaned.push_str(&cleaner.push(&part.iter().collect::<String>()));
            }
            cleaned.push_str(&cleaner.finish());
            assert_eq!(cleaned, whole, "{size}");
        }
    }

    #[test]
    fn an_endless_answer_ends() {
        let cleaned = clean(&"word ".repeat(10_000));
        assert_eq!(cleaned.chars().count(), LONGEST_ANSWER + 1);
        assert!(clean(&"x".repeat(100_000)).len() <= LONGEST_WORD);
    }

    #[test]
    fn tickets_are_found_in_text_whatever_their_case() {
        let text = "TKT-0123456789ab, tkt-0123456789AB and TKT-ffffffffffff; TKT-1 is none";
        let found: Vec<String> = tickets_named_in(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["TKT-0123456789ab", "TKT-ffffffffffff"]);
    }
}
