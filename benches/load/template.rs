//! Documents as the service wrote them, to be written again under other ids.
//!
//! A template is the bytes of a BSON document with the places where ids and the current time stand. All of them have a
//! fixed length, so another document of the same shape is a copy with these places overwritten: the bare driver pays
//! for its bytes and for nothing else.

use bson::{Document, RawDocumentBuf};
use rand::Rng;
use std::sync::Arc;
use workflow_ops::domain::id::TicketId;
use workflow_ops::domain::time::Timestamp;

/// What stands in a title in place of the words that make it unique; as long as the hexadecimal digits of an id.
pub(crate) const TITLE_MARK: &str = "#0000000000#";

/// Where something stands in the bytes.
#[derive(Debug, Clone)]
enum Place {
    /// The ticket's id.
    Ticket(usize),
    /// The unique word of the title.
    Title(usize),
    /// The 12 digits of another id, numbered by what they were, so that equal ones stay equal.
    Other(usize, usize),
    /// The instant.
    Now(usize),
}

/// A document to be written again under other ids.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    bytes: Arc<[u8]>,
    places: Arc<[Place]>,
    others: usize,
}

/// What makes a copy differ from its template.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    /// The ticket's id.
    pub(crate) ticket: TicketId,
    /// The time that stands in place of the template's.
    pub(crate) now: Timestamp,
}

impl Template {
    /// The template of a document about `ticket` that was written at `at`.
    pub(crate) fn of(document: &Document, ticket: &TicketId, at: Timestamp) -> anyhow::Result<Self> {
        let bytes = bson::serialize_to_vec(document)?;
        let mut places = Vec::new();
        let mut others: Vec<Vec<u8>> = Vec::new();
        for start in find_all(&bytes, ticket.as_str().as_bytes()) {
            places.push(Place::Ticket(start));
        }
        for start in find_all(&bytes, TITLE_MARK.as_bytes()) {
            places.push(Place::Title(start));
        }
        for prefix in ["AUD-", "NTF-"] {
            for start in find_all(&bytes, prefix.as_bytes()) {
                let Some(digits) = bytes.get(start + 4..start + 16) else {
                    continue;
                };
                let number = others
                    .iter()
                    .position(|known| known == digits)
                    .unwrap_or_else(|| {
                        others.push(digits.to_vec());
                        others.len() - 1
                    });
                places.push(Place::Other(start + 4, number));
            }
        }
        for start in find_all(&bytes, &at.millis().to_le_bytes()) {
            places.push(Place::Now(start));
        }
        Ok(Self {
            bytes: bytes.into(),
            places: places.into(),
            others: others.len(),
        })
    }

    /// A document of the same shape.
    pub(crate) fn copy(&self, copy: &Copy) -> anyhow::Result<RawDocumentBuf> {
        let mut bytes = self.bytes.to_vec();
        let mut random = rand::rng();
        let others: Vec<String> = (0..self.others)
            .map(|_| format!("{:012x}", random.random::<u64>() & 0xffff_ffff_ffff))
            .collect();
        let id = copy.ticket.as_str().as_bytes();
        for place in self.places.iter() {
            let (start, new) = match place {
                Place::Ticket(start) => (*start, id),
                Place::Title(start) => (*start, id.get(4..16).unwrap_or(id)),
                Place::Other(start, number) => (
                    *start,
                    others.get(*number).map_or(&[][..], |digits| digits.as_bytes()),
                ),
                Place::Now(start) => {
                    let now = copy.now.millis().to_le_bytes();
                    if let Some(target) = bytes.get_mut(*start..*start + now.len()) {
                        target.copy_from_slice(&now);
                    }
                    continue;
                }
            };
            if let Some(target) = bytes.get_mut(start..start + new.len()) {
                target.copy_from_slice(new);
            }
        }
        Ok(RawDocumentBuf::from_bytes(bytes)?)
    }
}

fn find_all(bytes: &[u8], word: &[u8]) -> Vec<usize> {
    let starts = bytes.windows(word.len()).enumerate();
    starts
        .filter(|(_, window)| *window == word)
        .map(|(start, _)| start)
        .collect()
}

/// A new id.
pub(crate) fn new_ticket_id() -> TicketId {
    TicketId::derived(&workflow_ops::domain::id::random_key())
}
