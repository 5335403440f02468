//! Entries of objects, items of lists and variants of enums.

use super::{Fault, Node, Origin, Place, Slot};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Value, map};

/// The entries of an object; missing fields known from an earlier pass follow as stand-ins.
pub(super) struct Entries<'v, 'p> {
    node: Node<'v, 'p>,
    given: Option<map::Iter<'v>>,
    absent: Vec<String>,
    pending: Option<(Key<'v>, Slot<'v>)>,
}

enum Key<'v> {
    Given(&'v str),
    Absent(String),
}

impl Key<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Given(key) => key,
            Self::Absent(key) => key,
        }
    }
}

impl<'v, 'p> Entries<'v, 'p> {
    pub(super) fn new(node: Node<'v, 'p>, given: Option<&'v Map<String, Value>>) -> Self {
        let replaced = node.findings.replaced.borrow();
        let mut absent = Vec::new();
        if !replaced.is_empty() {
            let keys = node.place.keys();
            for known in replaced.iter() {
                let Some((last, parent)) = known.split_last() else {
                    continue;
                };
                if parent == keys && !given.is_some_and(|given| given.contains_key(last)) {
                    absent.push(last.clone());
                }
            }
        }
        Self {
            node,
            given: given.map(Map::iter),
            absent,
            pending: None,
        }
    }

    fn advance(&mut self) -> Option<(Key<'v>, Slot<'v>)> {
        if let Some((key, value)) = self.given.as_mut().and_then(Iterator::next) {
            return Some((Key::Given(key), Slot::Given(value)));
        }
        self.absent.pop().map(|key| (Key::Absent(key), Slot::StandIn))
    }
}

impl<'v> MapAccess<'v> for Entries<'v, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.pending = self.advance();
        let Some((key, _)) = &self.pending else {
            return Ok(None);
        };
        let text: StrDeserializer<'_, Fault> = key.as_str().into_deserializer();
        seed.deserialize(text).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'v>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, slot) = self.pending.take().unwrap_or((Key::Given(""), Slot::StandIn));
        let place = Place::Key(self.node.place, key.as_str());
        seed.deserialize(Node {
            slot,
            place: &place,
            findings: self.node.findings,
        })
    }
}

/// Path parameters in their order, for tuples.
impl<'v> SeqAccess<'v> for Entries<'v, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((key, slot)) = self.advance() else {
            return Ok(None);
        };
        let place = Place::Key(self.node.place, key.as_str());
        let node = Node {
            slot,
            place: &place,
            findings: self.node.findings,
        };
        seed.deserialize(node).map(Some)
    }
}

/// The items of a list.
pub(super) struct Items<'v, 'p> {
    node: Node<'v, 'p>,
    given: std::iter::Enumerate<std::slice::Iter<'v, Value>>,
}

impl<'v, 'p> Items<'v, 'p> {
    pub(super) fn new(node: Node<'v, 'p>, given: &'v [Value]) -> Self {
        Self {
            node,
            given: given.iter().enumerate(),
        }
    }
}

impl<'v> SeqAccess<'v> for Items<'v, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, value)) = self.given.next() else {
            return Ok(None);
        };
        let place = Place::Index(self.node.place, index);
        let node = Node {
            slot: Slot::Given(value),
            place: &place,
            findings: self.node.findings,
        };
        seed.deserialize(node).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.given.len())
    }
}

/// A variant and its content.
pub(super) struct Variant<'v, 'p> {
    name: &'v str,
    content: Node<'v, 'p>,
}

impl<'v, 'p> Variant<'v, 'p> {
    /// The named variant, or the first one as a stand-in after noting the fault.
    pub(super) fn choose(node: Node<'v, 'p>, variants: &'static [&'static str]) -> Self {
        let stand_in = Node {
            slot: Slot::StandIn,
            ..node
        };
        let named = match node.single() {
            Slot::Given(Value::String(name)) => Some((name.as_str(), stand_in)),
            Slot::Given(Value::Object(entries)) if node.findings.origin == Origin::Body => {
                single_entry(entries).map(|(name, content)| {
                    let slot = Slot::Given(content);
                    (name, Node { slot, ..node })
                })
            }
            Slot::Given(_) | Slot::StandIn => None,
        };
        let known = named.filter(|(name, _)| variants.contains(name));
        if let Some((name, content)) = known {
            return Self { name, content };
        }
        if matches!(node.single(), Slot::Given(_)) {
            let choices = variants
                .iter()
                .map(|variant| format!("'{variant}'"))
                .collect::<Vec<_>>()
                .join(", ");
            node.note("enum", format!("Input should be one of {choices}"));
        }
        Self {
            name: variants.first().copied().unwrap_or_default(),
            content: stand_in,
        }
    }
}

fn single_entry(entries: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut all = entries.iter();
    match (all.next(), all.next()) {
        (Some((name, content)), None) => Some((name.as_str(), content)),
        _ => None,
    }
}

impl<'v, 'p> EnumAccess<'v> for Variant<'v, 'p> {
    type Error = Fault;
    type Variant = Content<'v, 'p>;

    fn variant_seed<V: DeserializeSeed<'v>>(self, seed: V) -> Result<(V::Value, Content<'v, 'p>), Fault> {
        let name: StrDeserializer<'_, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Content(self.content)))
    }
}

/// What a variant carries.
pub(super) struct Content<'v, 'p>(Node<'v, 'p>);

impl<'v> VariantAccess<'v> for Content<'v, '_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'v>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'v>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        serde::Deserializer::deserialize_tuple(self.0, len, visitor)
    }

    fn struct_variant<V: Visitor<'v>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        serde::Deserializer::deserialize_struct(self.0, "", fields, visitor)
    }
}
