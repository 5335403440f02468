//! What an import from the reference backend's database makes of a ticket: the aggregate as it was taken over, and the
//! named repairs of states that the reference's defects had left inconsistent.
//!
//! A repair says what it changed, field by field, so that a comparison of both databases can tell an explained
//! difference from a loss. The hazards that the rules name are those of the contract: `HZ-n` of engine-core 11, letters
//! with numbers of engine-actions 9, `admin n` of http-admin-notifications 21.

use super::ticket::Ticket;
use serde::{Deserialize, Serialize};

macro_rules! repair_rules {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $hazard:literal;)*) => {
        /// The rule by which a repair was made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum RepairRule {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl RepairRule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The rule's word in reports and audit trails.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The hazards that leave what the rule repairs.
            pub const fn hazard(self) -> &'static str {
                match self {
                    $(Self::$name => $hazard,)*
                }
            }

            /// Whether somebody must look at what it tells: at a ticket that nobody can bring on, at a document that was
            /// left behind or is not whole. The others are repairs that need nobody.
            pub const fn needs_people(self) -> bool {
                matches!(
                    self,
                    Self::NeedsAdministrator
                        | Self::FileMissing
                        | Self::FileOutsideFolder
                        | Self::VersionIsMissing
                        | Self::DefinitionDoesNotParse
                        | Self::TicketIsMissing
                        | Self::PersonTwice
                        | Self::WordingTwice
                        | Self::Unreadable
                )
            }
        }
    };
}

repair_rules! {
    /// A step of an ended ticket was still open: it ends with the ticket (HZ-15b, S5).
    StepOutlivedTicket = "step_outlived_ticket", "HZ-15b, HZ-41, S5, T11";
    /// A question was open on an ended step or ticket: it is withdrawn (HZ-15b, HZ-15d, S1, S2).
    QuestionOutlivedStep = "question_outlived_step", "HZ-15b, HZ-15d, S1, S2";
    /// A vote was pending on an ended step: it is cancelled (HZ-16).
    VoteOutlivedStep = "vote_outlived_step", "HZ-16, A8";
    /// An assignment was active on an ended step: it ends with the step (HZ-23, S15).
    AssignmentOutlivedStep = "assignment_outlived_step", "HZ-23, S15";
    /// A handover was pending on an ended step or ticket: it is cancelled (S6, S11).
    HandoverOutlivedStep = "handover_outlived_step", "S6, S11";
    /// A change request was pending on an ended ticket: it is cancelled (S4, S6, T6).
    ChangeRequestOutlivedTicket = "change_request_outlived_ticket", "S4, S6, T6";
    /// A branch of an ended ticket was active: it ends with the ticket (S6).
    BranchOutlivedTicket = "branch_outlived_ticket", "S6, HZ-7, HZ-27";
    /// An ended ticket had been set back to a live status: it gets its end back (HZ-15c, S1, S4).
    RevivedTicket = "revived_ticket", "HZ-15c, S1, S4";
    /// A ticket was inserted by a creation that failed and was answered with an error: it is cancelled (HZ-4b).
    OrphanOfFailedCreation = "orphan_of_failed_creation", "HZ-4b";
    /// A step had several open questions: the newest stays (T1).
    SecondOpenQuestion = "second_open_question", "T1";
    /// A question was open on a step that did not wait for it: it is withdrawn (T1, S10, HZ-15).
    QuestionNobodyWaitsFor = "question_nobody_waits_for", "T1, S10, HZ-15";
    /// A step waited for an answer although no question was open: its work goes on (S3, S8).
    WaitWithoutQuestion = "wait_without_question", "S3, S8, S10";
    /// A step waited for somebody else than its open question asks: it waits for who was asked (S9, C9).
    WaitForSomebodyElse = "wait_for_somebody_else", "S9, C9";
    /// A task had several active assignments: the one of its present agent stays (S14, T2).
    SecondActiveAssignment = "second_active_assignment", "S14, T2";
    /// An assignment was active on a task that it never reached: it is ended (T2).
    AssignmentNeverTookEffect = "assignment_never_took_effect", "T2";
    /// A task had several pending handovers: the newest stays (T3).
    SecondPendingHandover = "second_pending_handover", "T3";
    /// A handover was pending although its requester no longer has the task: it is cancelled (S11, T4).
    HandoverOfFormerAgent = "handover_of_former_agent", "S11, T4";
    /// A handover was pending on a step that is no task: it is cancelled (A8).
    HandoverOfNoTask = "handover_of_no_task", "A8";
    /// Several change requests were pending: the one the ticket names, else the newest, stays (T5, T7).
    SecondPendingChangeRequest = "second_pending_change_request", "T5, T7";
    /// A step was paused although no change request is pending: its work goes on (S3, T6, T9).
    PauseWithoutChangeRequest = "pause_without_change_request", "S3, T6, T7, T9";
    /// A live step was not paused although a change request is pending: it is paused (T6, T9).
    WorkThatEscapedThePause = "work_that_escaped_the_pause", "S3, T6, T9";
    /// A form or an approval was on hold, which nobody could end: its work goes on (S17).
    HoldOfNoTask = "hold_of_no_task", "S17";
    /// A person had several votes on one step: the decided one, else the oldest, stays (HZ-6, S25, A7).
    SameApproverTwice = "same_approver_twice", "HZ-6, S25, A7";
    /// A step had a state that steps of its type cannot have: it gets its type's (S8).
    StateOfAnotherType = "state_of_another_type", "S8";
    /// A join was marked as waiting: joins wait by themselves (engine-core 3).
    JoinThatWaits = "join_that_waits", "HZ-5, HZ-9";
    /// A live ticket's status did not follow from its steps: it is computed (HZ-15, S9).
    StatusRecomputed = "status_recomputed", "HZ-15, S9, S10";
    /// A branch's state did not follow from its steps and its join: it is computed (HZ-7, HZ-9b).
    BranchRecomputed = "branch_recomputed", "HZ-7, HZ-9b, HZ-27";
    /// A change request's status or data was half written: the ticket's data counts (T8).
    ChangeRequestHalfApplied = "change_request_half_applied", "T8";
    /// A person carried an object id that the directory never gave: it is dropped (A17).
    FabricatedObjectId = "fabricated_object_id", "A17, HZ-13";
    /// A person was recorded without an address: one is made up that reaches nobody.
    PersonWithoutAddress = "person_without_address", "A17";
    /// A ticket names a file that was linked nowhere: it becomes the ticket's (HZ-20, C14).
    UnlinkedFile = "unlinked_file", "HZ-20, C14";
    /// The version a ticket runs is not there: one is made of the ticket's own steps, for reading.
    VersionIsMissing = "version_is_missing", "HZ-51";
    /// An event has a word that the contract does not know: the word is kept in its details.
    UnknownAuditEvent = "unknown_audit_event", "C8";

    /// All votes that an approval needs had been cast, but it waited for ever: it is decided (HZ-36, HZ-38).
    ApprovalDecidedButOpen = "approval_decided_but_open", "HZ-36, HZ-37, HZ-38";
    /// An approval was open without any approver: its approvers are asked (HZ-4, HZ-39).
    ApprovalWithoutApprovers = "approval_without_approvers", "HZ-4, HZ-39";
    /// A step that passes by itself was left in the middle: it passes (HZ-4, HZ-7).
    StepCutShort = "step_cut_short", "HZ-4, HZ-7";
    /// Nothing of a live ticket was open: its flow goes on behind the last step that ended (HZ-3, HZ-4, HZ-8, HZ-33).
    FlowStopped = "flow_stopped", "HZ-2, HZ-3, HZ-4, HZ-8, HZ-33";
    /// Nothing of an active branch was open: it goes on, or ends (HZ-7, HZ-9).
    BranchStopped = "branch_stopped", "HZ-7, HZ-9, HZ-9c";
    /// A join had been refused although its branches had decided it (HZ-5, HZ-25, HZ-38).
    JoinRefused = "join_refused", "HZ-5, HZ-9, HZ-25, HZ-38";
    /// Nothing of an embedded run was open: it goes on, or ends (HZ-4c, HZ-9, HZ-31b, HZ-35).
    EmbeddedRunStopped = "embedded_run_stopped", "HZ-4c, HZ-4d, HZ-9, HZ-31b, HZ-35";
    /// The end of a ticket waited for branches that had all ended: it comes (HZ-5, engine-core 8.5).
    EndForgotten = "end_forgotten", "HZ-5";
    /// Nothing above helps: the ticket is imported as it was, and an administrator must look at it.
    NeedsAdministrator = "needs_administrator", "";

    /// A workflow without a current version number gets that of its newest version.
    CurrentVersionRecomputed = "current_version_recomputed", "http-workflows 2.3";
    /// Two versions of a workflow had one number: the later one is numbered behind the newest.
    VersionNumberTwice = "version_number_twice", "http-workflows 2.3";
    /// A workflow was deleted while its versions stayed: it is archived instead (http-workflows 2.2).
    WorkflowWasDeleted = "workflow_was_deleted", "http-workflows 2.2";
    /// A definition cannot be read as meant: it is kept as it is.
    DefinitionDoesNotParse = "definition_does_not_parse", "HZ-22, HZ-51";
    /// Two active tables were bound to one field: the older one is unbound.
    TableBoundTwice = "table_bound_twice", "http-workflows 4";
    /// One person had several records that differ in letter case: the newest counts (admin 63).
    PersonTwice = "person_twice", "admin 63";
    /// A record granted nothing although it was active: it is inactive (http-admin 7).
    EmptyAccess = "empty_access", "admin 28";
    /// A revoked record still had its flags: nothing gives them back but an administrator (A13).
    RevokedAccess = "revoked_access", "A13, admin 28";
    /// A mail had several visible recipients: each gets a row of its own (admin 35).
    SharedRecipients = "shared_recipients", "admin 35";
    /// A mail was still waiting when it was imported: it is kept as failed, to be sent again on purpose (admin 29, 30).
    PendingMailHeld = "pending_mail_held", "admin 29, 30, 38";
    /// A notice was stored where nobody reads it: it comes into the bell (admin 51, C6).
    NoticeNobodySaw = "notice_nobody_saw", "admin 51, C6";
    /// A notice had long expired: it is left behind (admin 40).
    NoticeExpired = "notice_expired", "admin 40";
    /// A wording was stored unsanitised: it is sanitised (admin 18, 19).
    WordingSanitised = "wording_sanitised", "admin 18, 19, 20";
    /// Several wordings were stored for one message: the newest counts (admin 48).
    WordingTwice = "wording_twice", "admin 48";
    /// The bytes of a file were not found: its record says so.
    FileMissing = "file_missing", "http-workflows 6.3";
    /// A file's path leads out of the folder: its bytes are not taken (http-workflows 6.2).
    FileOutsideFolder = "file_outside_folder", "http-workflows 6.2";
    /// A setting is one that cannot be, or administrators have set others here: it is not taken (http-admin 15).
    ConfigNotTaken = "config_not_taken", "http-admin 15";
    /// A file's name held what no name may hold, such as a path: what is left is its name (http-workflows 6.2).
    FileNameCleaned = "file_name_cleaned", "http-workflows 6.2";
    /// People of a table's entry were repeated, or not exactly one answered first: the first that is flagged, else the
    /// first, does (http-workflows 4.1).
    LookupUsersSettled = "lookup_users_settled", "http-workflows 4.1";
    /// Several conversations of one person differ in letter case: the newest counts (http-workflows 8.1).
    ConversationTwice = "conversation_twice", "http-workflows 8.1";
    /// A conversation's messages were no pairs of a question and its answer, or held what the assistant may not say: what
    /// can be read stays (http-workflows 8.1).
    ConversationCleaned = "conversation_cleaned", "http-workflows 8.1";
    /// A conversation had rested longer than one is kept: it is left behind (http-workflows 8.1).
    ConversationExpired = "conversation_expired", "http-workflows 8.1";
    /// A record belongs to a ticket that does not exist.
    TicketIsMissing = "ticket_is_missing", "HZ-4b";
    /// A document cannot be read as what it should be: it is set aside as it is.
    Unreadable = "unreadable", "admin 33, 48";
}

/// One field that a repair changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairedField {
    /// The id of what was changed: a step, a question, a vote, the ticket itself.
    pub subject: String,
    /// The field, named as in the reference's documents.
    pub field: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
}

/// One repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// By which rule.
    pub rule: RepairRule,
    /// What it changed; empty for what only needs to be told.
    pub fields: Vec<RepairedField>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// A ticket as it was taken over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportedTicket {
    /// The aggregate, repaired.
    pub ticket: Ticket,
    /// The repairs, at most one a rule.
    pub repairs: Vec<Repair>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_stored_under_its_own_word() {
        let mut words = std::collections::BTreeSet::new();
        for rule in RepairRule::ALL {
            assert!(words.insert(rule.as_str()));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        }
    }
}
