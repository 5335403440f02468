//! Administrators' HTML, reduced to harmless markup (contract http-admin-notifications 12.2 d).
//!
//! An allow-list of our own instead of a crate: the known one brings parts under a licence outside our list. Output is
//! written anew, with every tag and attribute from the list below and every text escaped. It is applied when a
//! wording is saved and again when it is filled, because only then is it known where a placeholder in a link leads.

use super::markup::{Piece, escaped, pieces};
use super::placeholders::replace;
use super::style::url_encoded;
use super::values::{Values, as_text};

/// Deepest nesting kept.
const MAX_DEPTH: usize = 64;

const ELEMENTS: [&str; 38] = [
    "a",
    "abbr",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "code",
    "col",
    "colgroup",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "u",
    "ul",
    "s",
];
const TABLE_ELEMENTS: [&str; 7] = ["table", "tbody", "td", "tfoot", "th", "thead", "tr"];
const VOID_ELEMENTS: [&str; 4] = ["br", "hr", "img", "col"];
const ATTRIBUTES: [&str; 18] = [
    "align",
    "alt",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "color",
    "colspan",
    "dir",
    "face",
    "height",
    "lang",
    "role",
    "rowspan",
    "size",
    "title",
    "valign",
    "width",
];
const STYLE_PROPERTIES: [&str; 34] = [
    "background",
    "background-color",
    "border",
    "border-bottom",
    "border-collapse",
    "border-color",
    "border-left",
    "border-radius",
    "border-right",
    "border-spacing",
    "border-style",
    "border-top",
    "border-width",
    "color",
    "display",
    "font",
    "font-family",
    "font-size",
    "font-style",
    "font-weight",
    "height",
    "letter-spacing",
    "line-height",
    "list-style",
    "max-width",
    "min-width",
    "text-align",
    "text-decoration",
    "text-transform",
    "vertical-align",
    "white-space",
    "width",
    "word-break",
    "table-layout",
];
const STYLE_PREFIXES: [&str; 2] = ["margin", "padding"];

/// The body with only harmless markup; `{{name}}` placeholders stay.
pub(super) fn clean(html: &str) -> String {
    write(html, None)
}

/// The body with its placeholders filled, and harmless whatever the values are.
pub(super) fn fill(html: &str, values: &Values) -> String {
    write(html, Some(values))
}

fn write(html: &str, values: Option<&Values>) -> String {
    let mut out = String::with_capacity(html.len());
    let mut open: Vec<String> = Vec::new();
    for piece in pieces(html) {
        match piece {
            Piece::Text(text) => out.push_str(&escaped(&filled_text(&text, values))),
            Piece::Open(name, attributes) if is_allowed(&name) => {
                let is_void = VOID_ELEMENTS.contains(&name.as_str());
                if !is_void && open.len() >= MAX_DEPTH {
                    continue;
                }
                write_tag(&mut out, &name, &attributes, values);
                if !is_void {
                    open.push(name);
                }
            }
            Piece::Open(..) => {}
            Piece::Close(name) => close(&mut out, &mut open, &name),
        }
    }
    for name in open.iter().rev() {
        write_end(&mut out, name);
    }
    out
}

fn is_allowed(name: &str) -> bool {
    ELEMENTS.contains(&name) || TABLE_ELEMENTS.contains(&name)
}

/// Closes the innermost element of this name and all within it; an end tag without a start is left out.
fn close(out: &mut String, open: &mut Vec<String>, name: &str) {
    if !open.iter().any(|candidate| candidate == name) {
        return;
    }
    while let Some(innermost) = open.pop() {
        write_end(out, &innermost);
        if innermost == name {
            return;
        }
    }
}

fn write_end(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn write_tag(out: &mut String, name: &str, attributes: &[(String, String)], values: Option<&Values>) {
    out.push('<');
    out.push_str(name);
    let mut written: Vec<&str> = Vec::new();
    for (attribute, value) in attributes {
        if written.contains(&attribute.as_str()) {
            continue;
        }
        if let Some(value) = allowed_value(name, attribute, value, values) {
            written.push(attribute);
            out.push(' ');
            out.push_str(attribute);
            out.push_str("=\"");
            out.push_str(&escaped(&value));
            out.push('"');
        }
    }
    out.push('>');
}

fn allowed_value(element: &str, attribute: &str, value: &str, values: Option<&Values>) -> Option<String> {
    match (element, attribute) {
        ("a", "href") => Some(filled_url(value, values)).filter(|url| is_safe_link(url, values.is_none())),
        ("img", "src") => Some(filled_url(value, values)).filter(|url| is_safe_image(url, values.is_none())),
        (_, "style") => safe_style(value),
        _ if ATTRIBUTES.contains(&attribute) => Some(filled_text(value, values)),
        _ => None,
    }
}

fn filled_text(text: &str, values: Option<&Values>) -> String {
    match values {
        None => text.to_owned(),
        Some(values) => replace(text, |name, _| values.get(name).map(as_text).unwrap_or_default()),
    }
}

/// A value at the start of a link is the address itself; anywhere else it is a part of one and encoded.
fn filled_url(url: &str, values: Option<&Values>) -> String {
    let url: String = url
        .chars()
        .filter(|c| !c.is_control() && !c.is_whitespace())
        .collect();
    let Some(values) = values else {
        return url;
    };
    replace(&url, |name, start| {
        let text = values.get(name).map(as_text).unwrap_or_default();
        if start == 0 { text } else { url_encoded(&text) }
    })
}

fn is_safe_link(url: &str, may_hold_placeholders: bool) -> bool {
    let lower = url.trim().to_ascii_lowercase();
    ["https://", "http://", "mailto:", "#"]
        .iter()
        .any(|start| lower.starts_with(start))
        || (lower.starts_with('/') && !lower.starts_with("//") && !lower.starts_with("/\\"))
        || (may_hold_placeholders && lower.starts_with("{{"))
}

fn is_safe_image(url: &str, may_hold_placeholders: bool) -> bool {
    let lower = url.trim().to_ascii_lowercase();
    lower.starts_with("https://") || (may_hold_placeholders && lower.starts_with("{{"))
}

fn safe_style(style: &str) -> Option<String> {
    let kept: Vec<String> = style
        .split(';')
        .filter_map(|declaration| declaration.split_once(':'))
        .map(|(property, value)| (property.trim().to_ascii_lowercase(), value.trim()))
        .filter(|(property, value)| is_safe_property(property) && is_safe_style_value(value))
        .map(|(property, value)| format!("{property}: {value}"))
        .collect();
    (!kept.is_empty()).then(|| kept.join("; "))
}

fn is_safe_property(property: &str) -> bool {
    let of_box = STYLE_PREFIXES.iter().any(|prefix| {
        property
            .strip_prefix(prefix)
            .is_some_and(|side| side.is_empty() || side.starts_with('-'))
    });
    of_box || STYLE_PROPERTIES.contains(&property)
}

/// Words, numbers, colours; functions only for colours, so nothing can be loaded or run.
fn is_safe_style_value(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let functions_are_colours = lower.match_indices('(').all(|(at, _)| {
        let before = lower.get(..at).unwrap_or_default();
        ["rgb", "rgba", "hsl", "hsla"]
            .iter()
            .any(|name| before.ends_with(name))
    });
    let plain = lower.chars().all(|c| {
        c.is_ascii_alphanumeric()
            || matches!(
                c,
                ' ' | '#' | '%' | '.' | ',' | '-' | '(' | ')' | '"' | '\'' | '!'
            )
    });
    !value.is_empty() && functions_are_colours && plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn filled(html: &str, values: Value) -> String {
        let Value::Object(values) = values else {
            panic!("an object")
        };
        fill(html, &values)
    }

    #[test]
    fn nothing_that_runs_or_loads_survives() {
        let hostile = r#"<p onclick="x()" style="color:red;background:url(http://e.example)">a</p>
<script>alert(1)</script><iframe src="https://e.example"></iframe><form action="/x"><input name="a"></form>
<a href="java&#115;cript:alert(1)">b</a><a href="java	script:x">c</a><img src="data:image/png;base64,x" onerror="x">
<a href="//e.example">d</a><svg onload="x"><a>e</a></svg><style>p{}</style><base href="https://e.example">"#;
        insta::assert_snapshot!(clean(hostile), @r#"
        <p style="color: red">a</p>

        <a>b</a><a>c</a><img>
        <a>d</a>
        "#);
    }

    #[test]
    fn placeholders_survive_even_in_links() {
        let body = r#"<p>Dear {{requester_name}},</p><a href="{{app_url}}/tickets/{{ticket_id}}">open</a>"#;
        assert_eq!(clean(body), body);
    }

    #[test]
    fn a_value_can_neither_become_markup_nor_change_where_a_link_leads() {
        let values = json!({"t": "<b>\"x\"</b>", "u": "javascript:alert(1)", "id": "a/b?c#d", "app": "https://ops.example"});
        let body = r#"<p title="{{t}}">{{t}}</p><a href="{{u}}">u</a><a href="{{app}}/t/{{id}}">t</a>"#;
        assert_eq!(
            filled(body, values),
            "<p title=\"&lt;b&gt;&quot;x&quot;&lt;/b&gt;\">&lt;b&gt;&quot;x&quot;&lt;/b&gt;</p><a>u</a>\
             <a href=\"https://ops.example/t/a%2Fb%3Fc%23d\">t</a>"
        );
    }

    #[test]
    fn what_is_left_open_is_closed_and_what_was_never_opened_is_not() {
        assert_eq!(clean("<div><b>x</div></p><i>y"), "<div><b>x</b></div><i>y</i>");
    }

    proptest! {
        #[test]
        fn any_input_comes_out_clean_and_stays_as_it_is_when_cleaned_again(html in "[a-z<>/\"'=&;:! {}-]{0,80}") {
            let once = clean(&html);
            prop_assert!(!once.contains("<script") && (!once.contains("javascript:") || !once.contains("href")));
            prop_assert_eq!(clean(&once), once);
        }
    }
}
