//! What was corrected in an answer of the model, for the people who look at the draft.

/// Most corrections that are told.
const MOST: usize = 50;

/// The corrections in the order in which they were made, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    pub(super) fn add(&mut self, note: impl Into<String>) {
        let note = note.into();
        if self.0.len() < MOST && !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    pub(super) fn into_list(self) -> Vec<String> {
        self.0
    }
}
