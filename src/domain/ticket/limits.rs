//! How many of each thing one ticket may hold; beyond, a command is refused with 409 and nothing changes (design 3, size).

/// Step instances, all rounds and embedded runs together.
pub const STEPS: usize = 2_000;
/// Rounds of one step.
pub const ROUNDS: u32 = 100;
/// Fork activations.
pub const FORKS: usize = 500;
/// Approval tasks.
pub const APPROVAL_TASKS: usize = 2_000;
/// Assignments, past ones included.
pub const ASSIGNMENTS: usize = 1_000;
/// Questions.
pub const INFO_REQUESTS: usize = 500;
/// Handover requests.
pub const HANDOVERS: usize = 500;
/// Acknowledgements of overdue steps.
pub const SLA_ACKNOWLEDGEMENTS: usize = 500;
/// Change requests.
pub const CHANGE_REQUESTS: usize = 100;
/// Files of one ticket's forms.
pub const ATTACHMENTS: usize = 500;
/// Notes, of steps and requester together.
pub const NOTES: u32 = 100_000;
/// Fingerprints of recent notes kept to recognise repeats.
pub const RECENT_NOTES: usize = 64;
/// People told through lookup fields.
pub const WATCHERS: usize = 500;
/// The JSON text of one submission's values, in bytes.
pub const SUBMISSION_BYTES: usize = 256 * 1024;
/// Steps that pass without a person within one command, against runaway automatic cycles.
pub const AUTOMATIC_STEPS: usize = 2_000;
/// The stored document of a ticket, in bytes.
pub const DOCUMENT_BYTES: usize = 4 * 1024 * 1024;
