//! What generated tickets are examples of: every state of a sound ticket, and each state that a defect of the reference
//! leaves inconsistent.

use clap::ValueEnum;
use workflow_ops::domain::import::RepairRule;

/// What a generated ticket is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    // Sound and live.
    AtForm,
    AtApproval,
    AtParallelApproval,
    AtTask,
    AtAssignedTask,
    HeldTask,
    QuestionToRequester,
    QuestionToAgent,
    HandoverPending,
    ChangePending,
    InBranches,
    InNestedBranches,
    LateBranch,
    InEmbedded,
    // Sound and ended.
    Completed,
    CompletedThroughBranches,
    CompletedAfterChange,
    Rejected,
    Skipped,
    Cancelled,
    // Inconsistent, by the rule that repairs it.
    RejectedBesideQuestion,
    CancelledWhileHeld,
    VoteOutlivedStep,
    ChangeOutlivedTicket,
    RevivedTicket,
    OrphanOfFailedCreation,
    SecondOpenQuestion,
    QuestionNobodyWaitsFor,
    WaitWithoutQuestion,
    WaitForSomebodyElse,
    SecondActiveAssignment,
    AssignmentNeverTookEffect,
    SecondPendingHandover,
    HandoverOfFormerAgent,
    HandoverOfNoTask,
    SecondPendingChangeRequest,
    PauseWithoutChangeRequest,
    WorkThatEscapedThePause,
    HoldOfNoTask,
    SameApproverTwice,
    StateOfAnotherType,
    JoinThatWaits,
    StatusRecomputed,
    BranchRecomputed,
    ChangeRequestHalfApplied,
    FabricatedObjectId,
    PersonWithoutAddress,
    UnlinkedFile,
    SharedLooseFile,
    VersionIsMissing,
    UnknownAuditEvent,
    ApprovalDecidedButOpen,
    ApprovalWithoutApprovers,
    StepCutShort,
    FlowStopped,
    FlowStoppedBehindWizard,
    BranchStopped,
    JoinRefused,
    EmbeddedRunStopped,
    EmbeddedRunRejected,
    EmbeddedRunCancelled,
    EndForgotten,
    NothingEntered,
    NeedsAdministrator,
}

impl Scenario {
    /// Every scenario in order; two tickets name the file that they share.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Self::value_variants().to_vec();
        all.push(Self::SharedLooseFile);
        all
    }

    /// The rule that repairs what it leaves; none for a sound one.
    pub(crate) fn repaired_by(self) -> Option<RepairRule> {
        use RepairRule as R;
        use Scenario as S;
        Some(match self {
            S::RejectedBesideQuestion => R::QuestionOutlivedStep,
            S::CancelledWhileHeld => R::StepOutlivedTicket,
            S::VoteOutlivedStep => R::VoteOutlivedStep,
            S::ChangeOutlivedTicket => R::ChangeRequestOutlivedTicket,
            S::RevivedTicket => R::RevivedTicket,
            S::OrphanOfFailedCreation => R::OrphanOfFailedCreation,
            S::SecondOpenQuestion => R::SecondOpenQuestion,
            S::QuestionNobodyWaitsFor => R::QuestionNobodyWaitsFor,
            S::WaitWithoutQuestion => R::WaitWithoutQuestion,
            S::WaitForSomebodyElse => R::WaitForSomebodyElse,
            S::SecondActiveAssignment => R::SecondActiveAssignment,
            S::AssignmentNeverTookEffect => R::AssignmentNeverTookEffect,
            S::SecondPendingHandover => R::SecondPendingHandover,
            S::HandoverOfFormerAgent => R::HandoverOfFormerAgent,
            S::HandoverOfNoTask => R::HandoverOfNoTask,
            S::SecondPendingChangeRequest => R::SecondPendingChangeRequest,
            S::PauseWithoutChangeRequest => R::PauseWithoutChangeRequest,
            S::WorkThatEscapedThePause => R::WorkThatEscapedThePause,
            S::HoldOfNoTask => R::HoldOfNoTask,
            S::SameApproverTwice => R::SameApproverTwice,
            S::StateOfAnotherType => R::StateOfAnotherType,
            S::JoinThatWaits => R::JoinThatWaits,
            S::StatusRecomputed => R::StatusRecomputed,
            S::BranchRecomputed => R::BranchRecomputed,
            S::ChangeRequestHalfApplied => R::ChangeRequestHalfApplied,
            S::FabricatedObjectId => R::FabricatedObjectId,
            S::PersonWithoutAddress => R::PersonWithoutAddress,
            S::UnlinkedFile | S::SharedLooseFile => R::UnlinkedFile,
            S::VersionIsMissing => R::VersionIsMissing,
            S::UnknownAuditEvent => R::UnknownAuditEvent,
            S::ApprovalDecidedButOpen => R::ApprovalDecidedButOpen,
            S::ApprovalWithoutApprovers => R::ApprovalWithoutApprovers,
            S::StepCutShort => R::StepCutShort,
            S::FlowStopped | S::FlowStoppedBehindWizard | S::NothingEntered => R::FlowStopped,
            S::BranchStopped => R::BranchStopped,
            S::JoinRefused => R::JoinRefused,
            S::EmbeddedRunStopped | S::EmbeddedRunRejected | S::EmbeddedRunCancelled => R::EmbeddedRunStopped,
            S::EndForgotten => R::EndForgotten,
            S::NeedsAdministrator => R::NeedsAdministrator,
            S::AtForm
            | S::AtApproval
            | S::AtParallelApproval
            | S::AtTask
            | S::AtAssignedTask
            | S::HeldTask
            | S::QuestionToRequester
            | S::QuestionToAgent
            | S::HandoverPending
            | S::ChangePending
            | S::InBranches
            | S::InNestedBranches
            | S::LateBranch
            | S::InEmbedded
            | S::Completed
            | S::CompletedThroughBranches
            | S::CompletedAfterChange
            | S::Rejected
            | S::Skipped
            | S::Cancelled => return None,
        })
    }
}
