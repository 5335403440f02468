//! Text of people and of the model, made harmless and short: for data that is sent, and for words that are shown.

use super::reply::ReplyCleaner;
use crate::domain::id::TicketId;
use std::collections::BTreeSet;

/// `text` without control and direction characters, at most `longest` characters; what is cut is marked.
pub(super) fn clipped(text: &str, longest: usize) -> String {
    let mut kept = text.chars().filter(|letter| is_harmless(*letter));
    let mut short: String = kept.by_ref().take(longest).collect();
    if kept.next().is_some() {
        short.pop();
        short.push('…');
    }
    short
}

/// One line of the model's words as it may be shown: without line breaks, links, markup and unknown tickets.
pub(super) fn line(text: &str, longest: usize, known: BTreeSet<TicketId>) -> String {
    let mut cleaner = ReplyCleaner::naming(known);
    let mut cleaned = cleaner.push(text);
    cleaned.push_str(&cleaner.finish());
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    clipped(&words.join(" "), longest)
}

/// Everything but control characters, marks of direction, and characters that nobody sees.
pub(super) fn is_harmless(letter: char) -> bool {
    let is_hidden = matches!(letter,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    !is_hidden && (!letter.is_control() || matches!(letter, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_and_marked() {
        assert_eq!(clipped("abcdef", 4), "abc…");
        assert_eq!(clipped("abcd", 4), "abcd");
        assert_eq!(clipped("", 4), "");
    }

    #[test]
    fn what_nobody_sees_is_left_out() {
        assert_eq!(clipped("a\u{202e}b\u{0}c\u{e0041}d", 10), "abcd");
    }

    #[test]
    fn a_line_has_no_breaks_and_no_links() {
        assert_eq!(
            line(" one\n two https://evil.example/x ", 100, BTreeSet::new()),
            "one two (link removed)"
        );
    }
}
