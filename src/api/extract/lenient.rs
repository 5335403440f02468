//! Reads request data into typed values and finds *every* fault, not only the first.
//!
//! Serde stops at the first error. This deserializer records a fault, supplies a stand-in of the wanted type and goes
//! on; where a visitor insists (a missing field, a custom check) the place is remembered as faulty and reading starts
//! again. Coercions follow contract http-tickets 1.6: booleans accept the usual words, integers accept integral
//! floats and strings, strings are never made from numbers.

mod access;
mod coerce;
mod fault;
mod findings;

use access::{Entries, Items, Variant};
use fault::Fault;
use findings::{Findings, Place};

use crate::domain::error::FieldError;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde_json::{Map, Value};

/// Faults reported for one request at most.
const MAX_FAULTS: usize = 64;
/// Above this number of values a request is read again only a few times.
const MANY_VALUES: usize = 20_000;

/// Where request data comes from; the first part of every location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Body,
    Query,
    Path,
}

impl Origin {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
        }
    }
}

/// Reads `value` as a `T`. The value is there whenever stand-ins could complete it, so that further checks can add
/// their findings; it may be used only if there are no faults.
pub(super) fn read<T: DeserializeOwned>(origin: Origin, value: &Value) -> (Option<T>, Vec<FieldError>) {
    let findings = Findings::new(origin);
    let passes = if count(value, MANY_VALUES) < MANY_VALUES {
        MAX_FAULTS
    } else {
        4
    };
    for _ in 0..passes {
        findings.of_pass.borrow_mut().clear();
        let root = Node {
            slot: Slot::Given(value),
            place: &Place::Root,
            findings: &findings,
        };
        match T::deserialize(root) {
            Ok(read) => return (Some(read), findings.into_faults()),
            Err(fault) => {
                if !findings.remember(fault) {
                    break;
                }
            }
        }
    }
    (None, findings.into_faults())
}

/// How many values `value` holds, counted up to `limit`.
fn count(value: &Value, limit: usize) -> usize {
    let mut seen = 0;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        seen += 1;
        if seen >= limit {
            break;
        }
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(entries) => open.extend(entries.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    seen
}

/// A given value, or a stand-in for a faulty one.
#[derive(Clone, Copy)]
enum Slot<'v> {
    Given(&'v Value),
    StandIn,
}

/// One value at its place.
#[derive(Clone, Copy)]
struct Node<'v, 'p> {
    slot: Slot<'v>,
    place: &'p Place<'p>,
    findings: &'p Findings,
}

impl<'v, 'p> Node<'v, 'p> {
    /// The slot to read: a stand-in where a fault is known; of repeated query keys the last.
    fn effective(&self) -> Slot<'v> {
        let replaced = self.findings.replaced.borrow();
        if !replaced.is_empty() && replaced.contains(&self.place.keys()) {
            return Slot::StandIn;
        }
        self.slot
    }

    /// Like [`Self::effective`] for everything but lists: of repeated query keys the last counts.
    fn single(&self) -> Slot<'v> {
        match (self.effective(), self.findings.origin) {
            (Slot::Given(Value::Array(values)), Origin::Query) => {
                values.last().map_or(Slot::StandIn, Slot::Given)
            }
            (Slot::Given(Value::Object(values)), Origin::Path) if matches!(self.place, Place::Root) => {
                values.values().next().map_or(Slot::StandIn, Slot::Given)
            }
            (slot, _) => slot,
        }
    }

    fn note(&self, kind: &'static str, message: impl Into<String>) {
        self.findings.note(self.place, kind, message);
    }

    fn at(&self, fault: Fault) -> Fault {
        fault.at(self.place, matches!(self.effective(), Slot::StandIn))
    }

    fn entries(self, given: Option<&'v Map<String, Value>>) -> Entries<'v, 'p> {
        Entries::new(self, given)
    }

    fn items(self, given: &'v [Value]) -> Items<'v, 'p> {
        Items::new(self, given)
    }
}

/// Numbers of all widths are read the same way; the visitor checks the range.
macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
            let read: Result<V::Value, Fault> = match self.single() {
                Slot::StandIn => visitor.visit_u64(0),
                Slot::Given(value) => match coerce::integer(value) {
                    Ok(coerce::Integer::Unsigned(number)) => visitor.visit_u64(number),
                    Ok(coerce::Integer::Signed(number)) => visitor.visit_i64(number),
                    Err((kind, message)) => {
                        self.note(kind, message);
                        visitor.visit_u64(0)
                    }
                },
            };
            read.map_err(|fault| self.at(fault.of_kind("int_parsing", "Input should be a whole number in range")))
        }
    )*};
}

impl<'v> Deserializer<'v> for Node<'v, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        // Query values without a wanted type are texts, of repeated ones the last.
        let is_query_value = self.findings.origin == Origin::Query && !matches!(self.place, Place::Root);
        let slot = if is_query_value {
            self.single()
        } else {
            self.effective()
        };
        let Slot::Given(value) = slot else {
            return visitor.visit_unit().map_err(|fault| self.at(fault));
        };
        match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (_, _, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => visitor.visit_unit(),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(items) => visitor.visit_seq(self.items(items)),
            Value::Object(entries) => visitor.visit_map(self.entries(Some(entries))),
        }
        .map_err(|fault| self.at(fault))
    }

    fn deserialize_bool<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        let flag = match self.single() {
            Slot::StandIn => false,
            Slot::Given(value) => coerce::boolean(value).unwrap_or_else(|| {
                self.note("bool_parsing", "Input should be a boolean");
                false
            }),
        };
        visitor.visit_bool(flag).map_err(|fault| self.at(fault))
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_f32<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = match self.single() {
            Slot::StandIn => 0.0,
            Slot::Given(value) => coerce::float(value).unwrap_or_else(|| {
                self.note("float_parsing", "Input should be a number");
                0.0
            }),
        };
        visitor.visit_f64(number).map_err(|fault| self.at(fault))
    }

    fn deserialize_char<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = match self.single() {
            Slot::Given(Value::String(text)) => text.as_str(),
            Slot::Given(_) => {
                self.note("string_type", "Input should be a text");
                ""
            }
            Slot::StandIn => "",
        };
        visitor.visit_str(text).map_err(|fault| self.at(fault))
    }

    fn deserialize_string<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.effective() {
            Slot::StandIn | Slot::Given(Value::Null) => visitor.visit_none(),
            Slot::Given(_) => visitor.visit_some(self),
        }
        .map_err(|fault| self.at(fault))
    }

    fn deserialize_unit<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit().map_err(|fault| self.at(fault))
    }

    fn deserialize_unit_struct<V: Visitor<'v>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self).map_err(|fault| self.at(fault))
    }

    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        let given = match self.effective() {
            Slot::StandIn => &[],
            Slot::Given(Value::Array(items)) => items.as_slice(),
            // One query key is a list of one.
            Slot::Given(value @ Value::String(_)) if self.findings.origin == Origin::Query => {
                std::slice::from_ref(value)
            }
            Slot::Given(_) => {
                self.note("list_type", "Input should be a list");
                &[]
            }
        };
        visitor
            .visit_seq(self.items(given))
            .map_err(|fault| self.at(fault))
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        if let (Origin::Path, Slot::Given(Value::Object(values))) = (self.findings.origin, self.effective()) {
            return visitor
                .visit_seq(self.entries(Some(values)))
                .map_err(|fault| self.at(fault));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        let given = match self.effective() {
            Slot::Given(Value::Object(entries)) => Some(entries),
            Slot::Given(_) => {
                self.note("dict_type", "Input should be an object");
                None
            }
            Slot::StandIn => None,
        };
        visitor
            .visit_map(self.entries(given))
            .map_err(|fault| self.at(fault))
    }

    fn deserialize_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (given, node) = match self.effective() {
            Slot::Given(Value::Object(entries)) => (Some(entries), self),
            Slot::Given(_) => {
                self.note("model_attributes_type", "Input should be an object");
                (
                    None,
                    Node {
                        slot: Slot::StandIn,
                        ..self
                    },
                )
            }
            Slot::StandIn => (None, self),
        };
        visitor
            .visit_map(node.entries(given))
            .map_err(|fault| node.at(fault))
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor
            .visit_enum(Variant::choose(self, variants))
            .map_err(|fault| self.at(fault))
    }

    fn deserialize_identifier<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit().map_err(|fault| self.at(fault))
    }
}

#[cfg(test)]
mod tests;
