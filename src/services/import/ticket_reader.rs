//! Reads tickets in batches, in the order of their ids, each with everything that belongs to it.

use super::Importer;
use super::ticket::{LegacyTicket, id_of};
use crate::repositories::legacy::{Fields, LegacyCollection, SortedByTicket};
use bson::{Bson, Document};
use std::collections::BTreeMap;

/// How many tickets a batch has.
const BATCH: usize = 128;

/// Tickets as read, with what has no index by ticket.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) last: Bson,
    pub(super) tickets: Vec<Document>,
    sorted: BTreeMap<LegacyCollection, Vec<Document>>,
}

/// Reads tickets in the order of their ids, beside what has no index by ticket.
pub(super) struct TicketReader {
    tickets: mongodb::Cursor<Document>,
    sorted: Vec<(LegacyCollection, SortedByTicket)>,
}

impl TicketReader {
    /// Begins after `after`.
    pub(super) async fn open(importer: &Importer, after: Option<&Bson>) -> anyhow::Result<Self> {
        let mut sorted = Vec::new();
        for collection in LegacyCollection::OF_TICKETS {
            if !importer.legacy.finds_by_ticket(collection).await? {
                sorted.push((
                    collection,
                    SortedByTicket::new(importer.legacy.clone(), collection),
                ));
            }
        }
        Ok(Self {
            tickets: importer.legacy.walk(LegacyCollection::Tickets, after).await?,
            sorted,
        })
    }

    /// The next tickets; none at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Chunk>> {
        let mut tickets = Vec::with_capacity(BATCH);
        while tickets.len() < BATCH && self.tickets.advance().await? {
            tickets.push(self.tickets.deserialize_current()?);
        }
        let Some(last) = tickets.last().and_then(|ticket| ticket.get("_id")).cloned() else {
            return Ok(None);
        };
        let ids = || tickets.iter().map(|ticket| id_of(Fields(ticket), "ticket_id"));
        let (first, newest) = (ids().min().unwrap_or_default(), ids().max().unwrap_or_default());
        let mut sorted = BTreeMap::new();
        for (collection, reader) in &mut self.sorted {
            sorted.insert(*collection, reader.of_range(first, newest).await?);
        }
        Ok(Some(Chunk {
            last,
            tickets,
            sorted,
        }))
    }
}

impl Importer {
    /// The tickets of a chunk, each with everything that belongs to it.
    pub(super) async fn with_all(&self, chunk: Chunk) -> anyhow::Result<Vec<LegacyTicket>> {
        let ids: Vec<String> = chunk
            .tickets
            .iter()
            .map(|ticket| id_of(Fields(ticket), "ticket_id").to_owned())
            .collect();
        let indexed: Vec<LegacyCollection> = LegacyCollection::OF_TICKETS
            .into_iter()
            .filter(|collection| !chunk.sorted.contains_key(collection))
            .collect();
        let read = indexed
            .iter()
            .map(|collection| self.legacy.of_tickets(*collection, &ids));
        let read = futures::future::try_join_all(read).await?;
        let mut tickets: Vec<LegacyTicket> = chunk
            .tickets
            .into_iter()
            .map(|ticket| LegacyTicket {
                ticket,
                of: BTreeMap::new(),
            })
            .collect();
        let places: BTreeMap<String, usize> = ids.into_iter().zip(0..).collect();
        for (collection, documents) in indexed.into_iter().zip(read).chain(chunk.sorted) {
            for document in documents {
                let owner = Fields(&document).text("ticket_id").and_then(|id| places.get(id));
                if let Some(ticket) = owner.and_then(|at| tickets.get_mut(*at)) {
                    ticket.of.entry(collection).or_default().push(document);
                }
            }
        }
        tickets.iter_mut().for_each(LegacyTicket::sort);
        Ok(tickets)
    }
}
