//! One ticket as the reference stores it: a document with its steps, votes and records in collections beside it.

use bson::{Bson, Document, doc};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use workflow_ops::domain::time::Timestamp;

/// A person of the development directory.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) aad_id: String,
    pub(crate) email: String,
    pub(crate) name: String,
}

impl Known {
    /// As documents record a person.
    pub(crate) fn snapshot(&self) -> Document {
        doc! {"aad_id": &self.aad_id, "email": &self.email, "display_name": &self.name, "role_at_time": Bson::Null, "manager_email": Bson::Null}
    }
}

/// The people of `config/people.json`, the requester first.
pub(crate) fn people() -> Vec<Known> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/people.json");
    let all: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut people: Vec<Known> = all
        .iter()
        .map(|person| Known {
            aad_id: person["aad_id"].as_str().unwrap().to_owned(),
            email: person["email"].as_str().unwrap().to_owned(),
            name: person["display_name"].as_str().unwrap().to_owned(),
        })
        .collect();
    people.sort_by_key(|person| person.email != "ann.lee@example.com");
    people
}

fn person(local: &str) -> Document {
    thread_local! {
        static PEOPLE: Vec<Known> = people();
    }
    PEOPLE.with(|people| {
        let email = format!("{local}@example.com");
        people
            .iter()
            .find(|person| person.email == email)
            .unwrap()
            .snapshot()
    })
}

/// An instant as the reference writes text.
pub(crate) fn iso(at: Timestamp) -> String {
    at.to_chrono().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// A workflow with its one version.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    pub(crate) workflow_id: String,
    pub(crate) version_id: String,
    pub(crate) number: i32,
    pub(crate) name: String,
    pub(crate) definition: Value,
}

impl Drawn {
    fn definition(&self) -> Bson {
        bson::serialize_to_bson(&self.definition).unwrap()
    }

    pub(crate) fn template(&self, now: Timestamp) -> Document {
        doc! {"_id": &self.workflow_id, "workflow_id": &self.workflow_id, "name": &self.name, "description": "d", "category": "IT", "tags": ["t"],
        "status": "PUBLISHED", "definition": self.definition(), "created_by": person("dana.wolf"), "created_at": iso(now.plus_minutes(-200_000)),
        "updated_at": Bson::DateTime(now.plus_minutes(-190_000).to_bson()), "published_version": self.number, "current_version": self.number, "version": 2}
    }

    pub(crate) fn version(&self, now: Timestamp) -> Document {
        doc! {"_id": &self.version_id, "workflow_version_id": &self.version_id, "version_id": Bson::Null, "workflow_id": &self.workflow_id,
        "version_number": self.number, "name": &self.name, "description": "d", "category": "IT", "tags": ["t"], "definition": self.definition(),
        "published_by": person("dana.wolf"), "published_at": iso(now.plus_minutes(-190_000)), "change_summary": Bson::Null}
    }

    fn steps(&self) -> &[Value] {
        self.definition["steps"].as_array().unwrap()
    }
}

/// A ticket while it is made.
pub(crate) struct TicketBuilder {
    pub(crate) id: String,
    ticket: Document,
    steps: Vec<Document>,
    beside: Vec<(&'static str, Document)>,
    at: Timestamp,
    seed: u64,
    drawn: u64,
}

impl TicketBuilder {
    /// A ticket with all steps of its workflow, none of which is reached.
    pub(crate) fn begin(drawn: &Drawn, random: &mut StdRng, began: Timestamp) -> Self {
        let seed: u64 = random.random::<u64>() & 0xffff_ffff;
        let id = format!("TKT-{:012x}", random.random::<u64>() & 0xffff_ffff_ffff);
        let mut requester = person("ann.lee");
        requester.insert("role_at_time", "requester");
        let amount = random.random_range(1..5_000);
        let ticket = doc! {
            "_id": &id, "ticket_id": &id, "workflow_id": &drawn.workflow_id, "workflow_version_id": &drawn.version_id, "workflow_version": drawn.number,
            "workflow_name": &drawn.name, "title": format!("Request {seed:x}"), "description": "Because", "status": "IN_PROGRESS",
            "current_step_id": drawn.definition["start_step_id"].as_str().unwrap(), "workflow_start_step_id": drawn.definition["start_step_id"].as_str().unwrap(),
            "requester": requester, "manager_snapshot": person("mark.stone"),
            "form_values": {"item": format!("Item {seed}"), "amount": amount, "ratio": 0.25, "__section_rows": [{"sku": "A", "qty": 2, "odd.key": Bson::Null}]},
            "attachment_ids": Bson::Array(Vec::new()), "created_at": began.to_bson(), "updated_at": began.to_bson(), "completed_at": Bson::Null, "due_at": Bson::Null,
            "version": 1, "active_branches": Bson::Array(Vec::new()), "current_step_ids": Bson::Array(Vec::new()), "join_proceeded": false, "pending_end_step_id": Bson::Null,
            "requester_notes": Bson::Array(Vec::new()), "form_version": 1, "form_versions": Bson::Null, "pending_change_request_id": Bson::Null,
        };
        let mut made = Self {
            id,
            ticket,
            steps: Vec::new(),
            beside: Vec::new(),
            at: began,
            seed,
            drawn: 0,
        };
        for step in drawn.steps() {
            made.materialise(step, "STEP");
        }
        made
    }

    fn materialise(&mut self, step: &Value, prefix: &str) {
        let id = self.draw(prefix);
        let mut data = Document::new();
        for key in [
            "fields",
            "sections",
            "instructions",
            "execution_notes_required",
            "branches",
            "failure_policy",
            "source_fork_step_id",
            "join_mode",
        ] {
            if let Some(value) = step.get(key) {
                data.insert(key, bson::serialize_to_bson(value).unwrap());
            }
        }
        let text = |key: &str| step[key].as_str().unwrap().to_owned();
        self.steps.push(doc! {
            "_id": &id, "ticket_step_id": &id, "ticket_id": &self.id, "step_id": text("step_id"), "step_name": text("step_name"), "step_type": text("step_type"),
            "state": "NOT_STARTED", "assigned_to": Bson::Null, "data": data, "outcome": Bson::Null, "started_at": Bson::Null, "completed_at": Bson::Null,
            "due_at": Bson::Null, "previous_state": Bson::Null, "version": 1, "parallel_pending_approvers": Bson::Null, "parallel_completed_approvers": Bson::Null,
            "parallel_approval_rule": Bson::Null, "primary_approver_email": Bson::Null, "branch_id": Bson::Null, "branch_name": Bson::Null,
            "parent_fork_step_id": Bson::Null, "branch_order": Bson::Null, "parent_sub_workflow_step_id": Bson::Null, "sub_workflow_step_order": Bson::Null,
        });
    }

    fn draw(&mut self, prefix: &str) -> String {
        self.drawn += 1;
        format!("{prefix}-{:08x}{:04x}", self.seed, self.drawn)
    }

    /// Time goes on by a minute.
    fn tick(&mut self) -> bson::DateTime {
        self.at = self.at.plus_minutes(1).plus_millis(7);
        self.ticket.insert("updated_at", self.at.to_bson());
        self.at.to_bson()
    }

    fn step(&mut self, key: &str) -> &mut Document {
        self.steps
            .iter_mut()
            .find(|step| step.get_str("step_id").ok() == Some(key))
            .unwrap()
    }

    pub(crate) fn step_id(&mut self, key: &str) -> String {
        self.step(key).get_str("ticket_step_id").unwrap().to_owned()
    }

    pub(crate) fn edit(&mut self, key: &str, change: impl FnOnce(&mut Document)) {
        change(self.step(key));
    }

    pub(crate) fn edit_ticket(&mut self, change: impl FnOnce(&mut Document)) {
        change(&mut self.ticket);
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Bson>) {
        self.ticket.insert(key, value);
    }

    pub(crate) fn state(&mut self, key: &str, state: &str) {
        let step = self.step(key);
        let before = step.get_str("state").unwrap().to_owned();
        if state.starts_with("WAITING") || state == "ON_HOLD" {
            step.insert("previous_state", before);
        }
        step.insert("state", state);
    }

    pub(crate) fn audit(&mut self, event: &str, step: Option<&str>, details: Document) {
        let id = self.draw("AUD");
        let step = step.map_or(Bson::Null, |key| Bson::from(self.step_id(key)));
        self.beside.push(("audit_events", doc! {"_id": &id, "audit_event_id": &id, "ticket_id": &self.id, "ticket_step_id": step, "event_type": event,
            "actor": person("ann.lee"), "details": details, "timestamp": iso(self.at), "correlation_id": format!("COR-{}", self.seed)}));
    }

    /// The last thing a creation records.
    pub(crate) fn created(&mut self) {
        let name = self.ticket.get_str("workflow_name").unwrap().to_owned();
        self.audit("CREATE_TICKET", None, doc! {"workflow_name": name});
    }

    pub(crate) fn wizard(&mut self, key: &str) {
        let at = self.tick();
        let step = self.step(key);
        step.insert("state", "COMPLETED");
        step.insert("assigned_to", person("ann.lee"));
        step.insert("started_at", at);
        step.insert("completed_at", at);
        self.audit(
            "SUBMIT_FORM",
            Some(key),
            doc! {"form_values_summary": {"item": "x"}},
        );
    }

    pub(crate) fn activate(&mut self, key: &str, state: &str) {
        let at = self.tick();
        let step = self.step(key);
        step.insert("state", state);
        step.insert("started_at", at);
        if step.get_str("step_type").ok() == Some("FORM_STEP") {
            step.insert("assigned_to", person("ann.lee"));
        }
        self.ticket.insert("current_step_id", key);
        self.audit("STEP_ACTIVATED", Some(key), doc! {"step_name": key});
    }

    pub(crate) fn ask(&mut self, key: &str, approvers: &[&str], rule: Option<&str>) {
        self.activate(key, "WAITING_FOR_APPROVAL");
        let due = self.at.plus_minutes(2880).to_bson();
        let step = self.step(key);
        step.insert("assigned_to", person(approvers[0]));
        step.insert("due_at", due);
        if let Some(rule) = rule {
            step.insert("parallel_approval_rule", rule);
            step.insert("primary_approver_email", format!("{}@example.com", approvers[0]));
            let all: Vec<String> = approvers
                .iter()
                .map(|name| format!("{name}@example.com"))
                .collect();
            step.insert("parallel_pending_approvers", all);
            step.insert("parallel_completed_approvers", Bson::Array(Vec::new()));
        }
        for approver in approvers {
            self.one_more_vote(key, approver);
        }
    }

    pub(crate) fn one_more_vote(&mut self, key: &str, approver: &str) {
        let (id, step) = (self.draw("APR"), self.step_id(key));
        self.beside.push(("approval_tasks", doc! {"_id": &id, "approval_task_id": &id, "ticket_id": &self.id, "ticket_step_id": step, "approver": person(approver),
            "decision": "PENDING", "comment": Bson::Null, "decided_at": Bson::Null, "created_at": self.at.to_bson(), "updated_at": Bson::Null, "version": 1}));
    }

    pub(crate) fn forget_votes(&mut self) {
        self.beside
            .retain(|(collection, _)| *collection != "approval_tasks");
    }

    /// The `nth` vote on a step is cast.
    pub(crate) fn vote(&mut self, key: &str, nth: usize, decision: &str) {
        let (at, step) = (self.tick(), self.step_id(key));
        let mut votes = self.beside.iter_mut().filter(|(collection, vote)| {
            *collection == "approval_tasks" && vote.get_str("ticket_step_id").ok() == Some(step.as_str())
        });
        let (_, vote) = votes.nth(nth).unwrap();
        vote.insert("decision", decision);
        vote.insert("decided_at", at);
        vote.insert("comment", "Fine");
        if decision == "APPROVED" {
            self.audit("APPROVE", Some(key), doc! {"comment": "Fine"});
        }
    }

    pub(crate) fn complete(&mut self, key: &str, outcome: Option<&str>) {
        let at = self.tick();
        let step = self.step(key);
        step.insert("state", "COMPLETED");
        step.insert("completed_at", at);
        step.insert("outcome", outcome.map_or(Bson::Null, Bson::from));
    }

    pub(crate) fn assignment(&mut self, key: &str, agent: &str, status: &str) {
        let (at, id, step) = (self.tick(), self.draw("ASGN"), self.step_id(key));
        self.beside.push(("assignments", doc! {"_id": &id, "assignment_id": &id, "ticket_id": &self.id, "ticket_step_id": step, "assigned_to": person(agent),
            "assigned_by": person("mark.stone"), "status": status, "reason": Bson::Null, "assigned_at": at, "ended_at": Bson::Null}));
    }

    pub(crate) fn assign(&mut self, key: &str, agent: &str) {
        self.assignment(key, agent, "ACTIVE");
        self.step(key).insert("assigned_to", person(agent));
        self.audit(
            "ASSIGN_AGENT",
            Some(key),
            doc! {"agent_email": format!("{agent}@example.com")},
        );
    }

    /// As the target does and the reference does not.
    pub(crate) fn end_assignments(&mut self) {
        let at = self.tick();
        for (collection, assignment) in &mut self.beside {
            if *collection == "assignments" {
                assignment.insert("status", "REASSIGNED");
                assignment.insert("ended_at", at);
            }
        }
    }

    /// The assignment stays active, as the reference leaves it (HZ-23).
    pub(crate) fn complete_task(&mut self, key: &str) {
        self.complete(key, None);
        let seed = self.seed;
        let data = self.step(key).get_document_mut("data").unwrap();
        data.insert("execution_notes", "Done");
        data.insert("output_values", doc! {"serial": format!("SN-{seed}")});
        self.audit("COMPLETE_TASK", Some(key), doc! {});
    }

    pub(crate) fn note(&mut self, key: &str, author: &str, text: &str) {
        let at = iso(self.at);
        let mut actor = person(author);
        actor.remove("role_at_time");
        actor.remove("manager_email");
        let data = self.step(key).get_document_mut("data").unwrap();
        data.insert("notes", vec![doc! {"content": text, "actor": actor, "timestamp": at, "attachment_ids": Bson::Array(Vec::new())}]);
        self.audit("NOTE_ADDED", Some(key), doc! {"note_preview": text});
        let note = doc! {"note_id": self.draw("RN"), "content": "Any news?", "actor": person("ann.lee"), "created_at": iso(self.at), "attachment_ids": Bson::Array(Vec::new())};
        self.set("requester_notes", vec![note]);
    }

    pub(crate) fn hold(&mut self, key: &str, by: &str) {
        self.state(key, "ON_HOLD");
        let at = iso(self.at).replace('Z', "+00:00");
        let data = self.step(key).get_document_mut("data").unwrap();
        data.insert("hold_reason", "Out of stock");
        data.insert("held_at", at);
        data.insert("held_by", format!("{by}@example.com"));
        self.audit("PUT_ON_HOLD", Some(key), doc! {"reason": "Out of stock"});
    }

    pub(crate) fn question(&mut self, key: &str, from: &str, to: Option<&str>, role: &str) {
        let (at, id, step) = (self.tick(), self.draw("INFO"), self.step_id(key));
        let asked = person(to.unwrap_or("ann.lee"));
        self.beside.push(("info_requests", doc! {"_id": &id, "info_request_id": &id, "ticket_id": &self.id, "ticket_step_id": step, "requested_by": person(from),
            "requested_from": asked, "requested_from_step_type": role, "subject": Bson::Null, "question_text": "Which one?", "request_attachment_ids": Bson::Array(Vec::new()),
            "status": "OPEN", "response_text": Bson::Null, "response_attachment_ids": Bson::Array(Vec::new()), "responded_by": Bson::Null, "requested_at": at, "responded_at": Bson::Null}));
        self.audit("REQUEST_INFO", Some(key), doc! {"question": "Which one?"});
    }

    pub(crate) fn answer_last_question(&mut self) {
        let at = iso(self.at);
        let (_, question) = self
            .beside
            .iter_mut()
            .rfind(|(collection, _)| *collection == "info_requests")
            .unwrap();
        question.insert("status", "RESPONDED");
        question.insert("response_text", "This one");
        question.insert("responded_by", person("ann.lee"));
        question.insert("responded_at", at);
    }

    pub(crate) fn handover(&mut self, key: &str, by: &str, status: &str) {
        let (at, id, step) = (self.tick(), self.draw("HND"), self.step_id(key));
        self.beside.push(("handover_requests", doc! {"_id": &id, "handover_request_id": &id, "ticket_id": &self.id, "ticket_step_id": step, "requested_by": person(by),
            "requested_to": Bson::Null, "reason": "Holidays", "status": status, "decided_by": Bson::Null, "decision_comment": Bson::Null, "new_assignee": Bson::Null,
            "requested_at": at, "decided_at": Bson::Null}));
    }

    pub(crate) fn change(&mut self, status: &str, item: &str) -> String {
        let (at, id) = (self.tick(), self.draw("CR"));
        let original = doc! {"form_values": self.ticket.get_document("form_values").unwrap().clone(), "attachment_ids": Bson::Array(Vec::new())};
        let mut proposed = original.clone();
        proposed
            .get_document_mut("form_values")
            .unwrap()
            .insert("item", item);
        self.beside.push(("change_requests", doc! {"_id": &id, "change_request_id": &id, "ticket_id": &self.id, "workflow_id": self.ticket.get_str("workflow_id").unwrap(),
            "status": status, "from_version": 1, "to_version": if status == "APPROVED" { Bson::from(2) } else { Bson::Null }, "original_data": original, "proposed_data": proposed,
            "field_changes": [{"form_name": "item", "step_id": "item", "field_key": "_section_data", "field_label": "Data", "old_value": {}, "new_value": item}],
            "attachment_changes": Bson::Array(Vec::new()), "requested_by": person("ann.lee"), "reason": "Wrong", "requested_at": at, "assigned_to": person("mark.stone"),
            "reviewed_by": if status == "APPROVED" { Bson::from(person("mark.stone")) } else { Bson::Null }, "reviewed_at": if status == "APPROVED" { Bson::from(iso(self.at)) } else { Bson::Null },
            "review_notes": Bson::Null, "created_at": at, "updated_at": at}));
        id
    }

    /// The history that an approved change leaves; a crash and a retry add its second version twice (T8).
    pub(crate) fn form_versions(&mut self, twice: bool) {
        let values = self.ticket.get_document("form_values").unwrap().clone();
        let mut changed = values.clone();
        changed.insert("item", "changed");
        let at = iso(self.at);
        let version = |number: i32, values: &Document, source: &str| {
            doc! {"version": number, "form_values": values.clone(), "attachment_ids": Bson::Array(Vec::new()), "created_at": &at, "created_by": person("ann.lee"), "source": source}
        };
        let mut versions = vec![
            version(1, &values, "ORIGINAL"),
            version(2, &changed, "CHANGE_REQUEST"),
        ];
        if twice {
            versions.push(version(2, &changed, "CHANGE_REQUEST"));
        }
        self.set("form_versions", versions);
        self.set("form_version", 2);
        self.set("form_values", changed);
    }

    pub(crate) fn fork(&mut self, key: &str, branches: &[(&str, &str, &str)]) {
        let at = self.tick();
        let step = self.step(key);
        step.insert("state", "COMPLETED");
        step.insert("completed_at", at);
        let mut listed = Vec::new();
        for (order, (id, name, start)) in (0_i32..).zip(branches) {
            let step = self.step(start);
            step.insert("branch_id", *id);
            step.insert("branch_name", *name);
            step.insert("parent_fork_step_id", key);
            step.insert("branch_order", order);
            listed.push(doc! {"branch_id": *id, "branch_name": *name, "parent_fork_step_id": key, "state": "ACTIVE", "current_step_id": *start,
                "started_at": iso(self.at), "completed_at": Bson::Null, "outcome": Bson::Null});
        }
        self.set("active_branches", listed);
        self.audit(
            "FORK_ACTIVATED",
            Some(key),
            doc! {"fork_step_id": key, "branches_activated": 2},
        );
    }

    pub(crate) fn branch(&mut self, id: &str, state: &str) {
        let at = iso(self.at);
        let branches = self.ticket.get_array_mut("active_branches").unwrap();
        let branch = branches
            .iter_mut()
            .filter_map(Bson::as_document_mut)
            .find(|branch| branch.get_str("branch_id").ok() == Some(id))
            .unwrap();
        branch.insert("state", state);
        branch.insert("outcome", state);
        branch.insert("current_step_id", Bson::Null);
        branch.insert("completed_at", at);
    }

    /// The steps of an embedded version are added when their container is activated.
    pub(crate) fn embed(&mut self, key: &str, embedded: &Drawn) {
        self.activate(key, "ACTIVE");
        let container = self.step_id(key);
        let first = self.steps.len();
        for step in embedded.steps() {
            self.materialise(step, "TS");
        }
        for (order, step) in (0_i32..).zip(self.steps.iter_mut().skip(first)) {
            step.insert("parent_sub_workflow_step_id", &container);
            step.insert("from_sub_workflow_id", &embedded.workflow_id);
            step.insert("from_sub_workflow_version", embedded.number);
            step.insert("from_sub_workflow_name", &embedded.name);
            step.insert("sub_workflow_step_order", order);
        }
        let start = embedded.definition["start_step_id"].as_str().unwrap();
        let data = self.step(key).get_document_mut("data").unwrap();
        data.extend(doc! {"sub_workflow_id": &embedded.workflow_id, "sub_workflow_version": embedded.number, "sub_workflow_name": &embedded.name,
            "sub_workflow_step_count": i32::try_from(embedded.steps().len()).unwrap(), "sub_workflow_start_step_id": start});
        self.audit(
            "SUB_WORKFLOW_STARTED",
            Some(key),
            doc! {"sub_workflow_name": &embedded.name},
        );
    }

    /// A file that the form names and that was linked nowhere (HZ-20).
    pub(crate) fn loose_file(&mut self) {
        let id = self.draw("ATT");
        self.name_file(&id);
        self.beside.push(("attachments", doc! {"_id": &id, "attachment_id": &id, "ticket_id": "", "context": "form_field", "original_filename": "plan.txt",
            "stored_filename": "plan.txt", "mime_type": "text/plain", "size_bytes": 5_i64, "uploaded_by": person("ann.lee"), "uploaded_at": iso(self.at),
            "storage_path": "temp/plan.txt"}));
    }

    /// The form names a file.
    pub(crate) fn name_file(&mut self, id: &str) {
        let values = self.ticket.get_document_mut("form_values").unwrap();
        values.insert("__section_files", vec![doc! {"file": [id]}]);
    }

    pub(crate) fn finish(&mut self, status: &str, event: &str) {
        let at = self.tick();
        self.set("status", status);
        self.set("completed_at", at);
        for step in &mut self.steps {
            let open = matches!(
                step.get_str("state").unwrap(),
                "NOT_STARTED" | "ACTIVE" | "WAITING_FOR_APPROVAL"
            );
            if open && status != "CANCELLED" {
                step.insert("state", "CANCELLED");
                step.insert("outcome", "CANCELLED");
                step.insert("completed_at", at);
            }
        }
        self.audit(event, None, doc! {});
    }

    /// All documents with their collections.
    pub(crate) fn into_documents(self) -> Vec<(&'static str, Document)> {
        let mut documents = vec![("tickets", self.ticket)];
        documents.extend(self.steps.into_iter().map(|step| ("ticket_steps", step)));
        documents.extend(self.beside);
        documents
    }
}
