//! Questions that a persona may begin with (contract http-workflows 8.5, C9).

use crate::domain::conversation::Persona;

/// Five questions; each is answered without a model, too.
pub const fn suggested(persona: Persona) -> [&'static str; 5] {
    match persona {
        Persona::Requester => [
            "What is the status of my tickets?",
            "Which of my tickets wait for me?",
            "Are there questions that I have to answer?",
            "Which workflows can I raise a ticket with?",
            "What has changed since yesterday?",
        ],
        Persona::Agent => [
            "Which tasks are assigned to me?",
            "Which of my tasks are overdue?",
            "Are there questions that I have to answer?",
            "What should I work on first?",
            "What have I completed lately?",
        ],
        Persona::Manager => [
            "Which approvals wait for me?",
            "Which tasks have no agent yet?",
            "Which steps of my team are overdue?",
            "How is the workload of my agents?",
            "What have I decided lately?",
        ],
        Persona::Designer => [
            "Which workflows are published?",
            "Which drafts have never been published?",
            "Which steps does a workflow have?",
            "What can people request at the moment?",
            "What changed last?",
        ],
        Persona::Admin => [
            "How many tickets are open?",
            "How many tickets are overdue or stuck?",
            "How many approvals are pending?",
            "Are mails being delivered?",
            "Which workflows are published?",
        ],
    }
}
