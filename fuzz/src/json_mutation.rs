//! Changes JSON as JSON, so that inputs reach the code behind the parser: values move, double, vanish and get the names
//! that other values have. One time in eight the bytes are changed instead, which is what the parser sees of it.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// Most changes at a time.
const CHANGES: usize = 4;

/// The keys and words of definitions: libFuzzer's dictionary, one `"\"word\""` a line.
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let lines = include_str!("../words.dict").lines();
    lines
        .filter_map(|line| line.strip_prefix(r#""\""#)?.strip_suffix(r#"\"""#))
        .collect()
});

/// Changes the input of `size` bytes at the beginning of `data`; the new size, at most `max_size`.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut rng = SmallRng::seed_from_u64(seed.into());
    let parsed = data
        .get(..size)
        .and_then(|text| serde_json::from_slice::<Value>(text).ok());
    if let Some(mut value) = parsed.filter(|_| !rng.random_ratio(1, 8)) {
        for _ in 0..rng.random_range(1..=CHANGES) {
            change(&mut value, &mut rng);
        }
        let text = value.to_string();
        if let Some(place) = data.get_mut(..text.len()).filter(|_| text.len() <= max_size) {
            place.copy_from_slice(text.as_bytes());
            return text.len();
        }
    }
    libfuzzer_sys::fuzzer_mutate(data, size, max_size)
}

fn change(root: &mut Value, rng: &mut SmallRng) {
    // Somewhere else in the text is the likeliest place to find what fits here.
    let borrowed = nth(root, rng.random_range(0..count(root))).clone();
    let at = rng.random_range(0..count(root));
    let place = nth(root, at);
    match place {
        Value::Object(map) if rng.random_ratio(3, 4) => change_object(map, borrowed, rng),
        Value::Array(list) if rng.random_ratio(3, 4) => change_list(list, borrowed, rng),
        Value::String(text) if rng.random_ratio(1, 4) => change_text(text, rng),
        Value::Number(_) | Value::Bool(_) | Value::Null | Value::String(_) if rng.random_ratio(1, 2) => {
            *place = plain(rng);
        }
        _ => *place = borrowed,
    }
}

fn change_object(map: &mut Map<String, Value>, borrowed: Value, rng: &mut SmallRng) {
    let keys: Vec<String> = map.keys().cloned().collect();
    let key = keys.choose(rng).cloned();
    match (rng.random_range(0..5), key) {
        (0, Some(key)) => drop(map.shift_remove(&key)),
        (1, Some(key)) => {
            if let Some(value) = map.shift_remove(&key) {
                map.insert(word(rng), value);
            }
        }
        (2, Some(key)) => drop(map.insert(key, borrowed)),
        (3, _) => drop(map.insert(word(rng), plain(rng))),
        _ => drop(map.insert(word(rng), borrowed)),
    }
}

fn change_list(list: &mut Vec<Value>, borrowed: Value, rng: &mut SmallRng) {
    let at = rng.random_range(0..=list.len());
    let other = rng.random_range(0..=list.len());
    match rng.random_range(0..5) {
        0 if at < list.len() => drop(list.remove(at)),
        1 if at < list.len() => {
            let double = list[at].clone();
            list.insert(other, double);
        }
        2 if at < list.len() && other < list.len() => list.swap(at, other),
        3 => list.insert(at, plain(rng)),
        _ => list.insert(at, borrowed),
    }
}

fn change_text(text: &mut String, rng: &mut SmallRng) {
    let cut = text
        .char_indices()
        .map(|(at, _)| at)
        .nth(rng.random_range(0..=text.chars().count()));
    match (rng.random_range(0..3), cut) {
        (0, Some(at)) => text.truncate(at),
        (1, Some(at)) => text.insert(
            at,
            *[' ', '.', '\u{0}', 'é', '9', '-'].choose(rng).unwrap_or(&' '),
        ),
        _ => text.push_str(&text.clone()),
    }
}

/// A word of definitions.
fn word(rng: &mut SmallRng) -> String {
    WORDS.choose(rng).copied().unwrap_or_default().to_owned()
}

/// A value without parts, at the edges of what is meant.
fn plain(rng: &mut SmallRng) -> Value {
    let edges = [
        json!(null),
        json!(true),
        json!(false),
        json!(""),
        json!([]),
        json!({}),
        json!(0),
        json!(1),
        json!(-1),
        json!(2),
        json!(100),
        json!(-0.0),
        json!(0.1),
        json!(1e308),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!("2026-01-05"),
        json!("2026-01-06T10:00:00Z"),
        json!("9999-12-31"),
        json!("10"),
        json!(" 1e3 "),
        json!("ann@example.com"),
        json!("mia@example.com"),
        json!("(a|b)*c{2,}"),
        json!("a.b"),
        json!("\u{0}"),
    ];
    match rng.random_range(0..4) {
        0 => Value::from(word(rng)),
        1 => Value::from(rng.random_range(-1_000..100_000)),
        _ => edges.choose(rng).cloned().unwrap_or_default(),
    }
}

/// How many values there are in a value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum::<usize>(),
        Value::Object(map) => map.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The value that comes after `at` others; there are more than that.
fn nth(value: &mut Value, at: usize) -> &mut Value {
    if at == 0 {
        return value;
    }
    let mut left = at - 1;
    let parts: Vec<&mut Value> = match value {
        Value::Array(list) => list.iter_mut().collect(),
        Value::Object(map) => map.values_mut().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for part in parts {
        let here = count(part);
        if left < here {
            return nth(part, left);
        }
        left -= here;
    }
    unreachable!("there are more values than that")
}
