//! Reading HTML as a stream of pieces, and writing text so that it is never markup.
//!
//! The reader is forgiving; safety does not rest on it. Whatever comes out is written anew by the sanitiser with every
//! text and attribute escaped, so a piece read differently from a browser is at worst shown as text.

/// A piece of HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text with character references resolved, but for names not known here, which stay as written.
    Text(String),
    /// A start tag: its lower-case name and its attributes in order, values resolved.
    Open(String, Vec<(String, String)>),
    /// An end tag's lower-case name.
    Close(String),
}

/// Elements whose content is not HTML or not meant to be read; they vanish with their content.
const OPAQUE: [&str; 16] = [
    "script", "style", "title", "textarea", "iframe", "object", "noscript", "template", "svg", "math", "xmp",
    "noembed", "noframes", "select", "audio", "video",
];

/// Splits HTML into its pieces; comments, declarations and opaque elements are left out.
pub(super) fn pieces(html: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (text, markup) = rest.split_at(at);
        push_text(&mut pieces, text);
        rest = read_markup(&mut pieces, markup);
    }
    push_text(&mut pieces, rest);
    pieces
}

/// `text` as HTML text or attribute value.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\0' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(resolved(text)));
    }
}

/// Reads one piece of markup at the start of `markup`; returns what follows it.
fn read_markup<'a>(pieces: &mut Vec<Piece>, markup: &'a str) -> &'a str {
    if let Some(comment) = markup.strip_prefix("<!--") {
        return after(comment, "-->");
    }
    if markup.starts_with("<!") || markup.starts_with("<?") {
        return after(markup, ">");
    }
    let (closes, inside) = match markup.strip_prefix("</") {
        Some(inside) => (true, inside),
        None => (false, markup.get(1..).unwrap_or_default()),
    };
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
        pieces.push(Piece::Text("<".to_owned()));
        return markup.get(1..).unwrap_or_default();
    }
    let end = inside
        .find(|c: char| c.is_whitespace() || c == '/' || c == '>')
        .unwrap_or(inside.len());
    let (name, tail) = inside.split_at(end);
    let name = name.to_ascii_lowercase();
    let (attributes, rest) = read_attributes(tail);
    if closes {
        pieces.push(Piece::Close(name));
        return rest;
    }
    if OPAQUE.contains(&name.as_str()) {
        return after_element(rest, &name);
    }
    pieces.push(Piece::Open(name, attributes));
    rest
}

fn read_attributes(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (attributes, rest);
        }
        if let Some(after_tag) = rest.strip_prefix('>') {
            return (attributes, after_tag);
        }
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| c.is_whitespace() || matches!(c, '=' | '>' | '/'))
            .map_or(rest.len(), |(at, _)| at);
        let (name, tail) = rest.split_at(end);
        let (value, tail) = read_value(tail);
        attributes.push((name.to_ascii_lowercase(), resolved(value)));
        rest = tail;
    }
}

fn read_value(tail: &str) -> (&str, &str) {
    let Some(value) = tail.trim_start().strip_prefix('=') else {
        return ("", tail);
    };
    let value = value.trim_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    let end = value
        .find(|c: char| c.is_whitespace() || c == '>')
        .unwrap_or(value.len());
    value.split_at(end)
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// What follows the end tag of `name`; nothing when it is never closed.
fn after_element<'a>(text: &'a str, name: &str) -> &'a str {
    let lower = text.to_ascii_lowercase();
    let Some(at) = lower.find(&format!("</{name}")) else {
        return "";
    };
    after(text.get(at..).unwrap_or_default(), ">")
}

/// Character references resolved once.
fn resolved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        out.push_str(before);
        let length = reference.find(';').filter(|length| *length <= 32);
        let known = length
            .and_then(|length| reference.get(1..length))
            .and_then(character);
        if let (Some(c), Some(length)) = (known, length) {
            out.push(c);
            rest = reference.get(length + 1..).unwrap_or_default();
        } else {
            out.push('&');
            rest = reference.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => number.parse().ok(),
        };
        return code.and_then(char::from_u32);
    }
    let named = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", '\u{a0}'),
        ("copy", '©'),
        ("reg", '®'),
        ("trade", '™'),
        ("hellip", '…'),
        ("mdash", '—'),
        ("ndash", '–'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("bull", '•'),
        ("middot", '·'),
        ("rarr", '→'),
        ("larr", '←'),
        ("euro", '€'),
        ("pound", '£'),
        ("deg", '°'),
        ("times", '×'),
        ("auml", 'ä'),
        ("ouml", 'ö'),
        ("uuml", 'ü'),
        ("Auml", 'Ä'),
        ("Ouml", 'Ö'),
        ("Uuml", 'Ü'),
        ("szlig", 'ß'),
        ("eacute", 'é'),
        ("egrave", 'è'),
        ("agrave", 'à'),
        ("ccedil", 'ç'),
        ("ntilde", 'ñ'),
        ("laquo", '«'),
        ("raquo", '»'),
        ("sect", '§'),
        ("colon", ':'),
        ("Tab", '\t'),
        ("NewLine", '\n'),
    ];
    named.iter().find(|(known, _)| *known == name).map(|(_, c)| *c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_elements_vanish_with_their_content() {
        let read = pieces("a<script>if (1 < 2) { }</SCRIPT >b<!-- c -->d<svg><a>x</a></svg>");
        let text: String = read
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Open(..) | Piece::Close(_) => "?",
            })
            .collect();
        assert_eq!(text, "abd");
    }

    #[test]
    fn attributes_are_read_in_every_spelling() {
        let read = pieces("<A HREF=x title = 'a&quot;b' disabled data-x=\"1>2\" / >");
        let expected = [
            ("href", "x"),
            ("title", "a\"b"),
            ("disabled", ""),
            ("data-x", "1>2"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read, [Piece::Open("a".to_owned(), expected.to_vec())]);
    }

    #[test]
    fn a_lonely_angle_bracket_is_text() {
        assert_eq!(
            pieces("1 < 2"),
            [
                Piece::Text("1 ".to_owned()),
                Piece::Text("<".to_owned()),
                Piece::Text(" 2".to_owned())
            ]
        );
    }
}
