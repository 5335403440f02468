//! The plain-text part of a message, made from its HTML.

use super::markup::{Piece, pieces};

/// The message as text: paragraphs apart, cells side by side, links with their address.
pub(super) fn of(html: &str) -> String {
    let mut text = Text::default();
    for piece in pieces(html) {
        match piece {
            Piece::Text(words) => text.words(&words),
            Piece::Open(name, attributes) => text.open(&name, &attributes),
            Piece::Close(name) => text.close(&name),
        }
    }
    text.finished()
}

#[derive(Default)]
struct Text {
    lines: Vec<String>,
    line: String,
    /// The address and the start of the words of the link that is open.
    link: Option<(String, usize)>,
}

impl Text {
    fn words(&mut self, words: &str) {
        for (index, word) in words.split(char::is_whitespace).enumerate() {
            if index > 0 && !self.line.is_empty() && !self.line.ends_with(' ') {
                self.line.push(' ');
            }
            self.line.push_str(word);
        }
    }

    fn open(&mut self, name: &str, attributes: &[(String, String)]) {
        match name {
            "br" | "tr" => self.end_line(),
            "p" | "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" | "ul" | "ol" | "blockquote"
            | "hr" => {
                self.end_paragraph();
            }
            "li" => {
                self.end_line();
                self.line.push_str("- ");
            }
            "a" => {
                let address = attributes.iter().find(|(attribute, _)| attribute == "href");
                self.link = address.map(|(_, value)| (value.clone(), self.line.len()));
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "tr" | "li" => self.end_line(),
            "td" | "th" => self.words(" "),
            "p" | "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" | "ul" | "ol" | "blockquote" => {
                self.end_paragraph();
            }
            "a" => self.end_link(),
            _ => {}
        }
    }

    fn end_link(&mut self) {
        let Some((address, start)) = self.link.take() else {
            return;
        };
        let words = self.line.get(start..).unwrap_or_default().trim();
        if !address.is_empty() && words != address {
            self.line.push_str(": ");
            self.line.push_str(&address);
        }
    }

    fn end_line(&mut self) {
        let line = self.line.trim_end().to_owned();
        self.line.clear();
        if !line.is_empty() {
            self.lines.push(line);
        }
    }

    fn end_paragraph(&mut self) {
        self.end_line();
        if self.lines.last().is_some_and(|last| !last.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn finished(mut self) -> String {
        self.end_paragraph();
        self.lines.join("\n").trim_end().to_owned() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lists_and_links_stay_readable() {
        let html = "<h1>Hi</h1><p>a<br>b &lt;c&gt;</p><table><tr><td>Step:</td><td>One</td></tr></table>\
                    <ul><li>x</li><li>y</li></ul><a href=\"https://ops.example/t\">Open</a>";
        assert_eq!(
            of(html),
            "Hi\n\na\nb <c>\n\nStep: One\n\n- x\n- y\n\nOpen: https://ops.example/t\n"
        );
    }
}
