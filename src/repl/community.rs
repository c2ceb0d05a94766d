//! The engine that talks to leanprover-community/repl (or to whatever speaks its protocol): requests are one
//! line of JSON and a blank line, answers are JSON and a blank line.

use std::time::Instant;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::engine::{Answer, Setup, Worker, header_alone, within};
use super::header::Split;
use super::lean::Lean;
use super::monitor::Usage;
use super::process::Process;
use super::{
    Audit, CheckOptions, CommandResponse, EngineConfig, Failure, Infotree, Message, Reply, Sorry, Tactic,
    audit,
};

/// A request to the REPL: all seven forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Request {
    /// A step in a tactic proof. Answered with [`ProofStep`].
    Tactic {
        /// The tactic.
        tactic: String,
        /// The state that it is tried in.
        proof_state: u64,
    },
    /// Write an environment to a file. Answered with [`CommandResponse`].
    PickleEnvironment {
        /// The file.
        pickle_to: String,
        /// The environment.
        env: u64,
    },
    /// Read an environment from a file. Answered with [`CommandResponse`].
    UnpickleEnvironment {
        /// The file.
        unpickle_env_from: String,
    },
    /// Write a proof state to a file. Answered with [`ProofStep`].
    PickleProofState {
        /// The file.
        pickle_to: String,
        /// The state.
        proof_state: u64,
    },
    /// Read a proof state from a file. Answered with [`ProofStep`].
    UnpickleProofState {
        /// The file.
        unpickle_proof_state_from: String,
        /// The environment that it belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        env: Option<u64>,
    },
    /// Run a text. Answered with [`CommandResponse`].
    Command {
        /// The text.
        cmd: String,
        /// What to run it on; without it, on what its `import` lines say.
        #[serde(skip_serializing_if = "Option::is_none")]
        env: Option<u64>,
        /// What to report.
        #[serde(flatten)]
        report: Report,
    },
    /// Run a file. Answered with [`CommandResponse`].
    File {
        /// The file.
        path: String,
        /// As for a command.
        #[serde(skip_serializing_if = "Option::is_none")]
        env: Option<u64>,
        /// What to report.
        #[serde(flatten)]
        report: Report,
    },
}

/// What the REPL should report beside messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Every tactic with its goals.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_tactics: bool,
    /// The initial goal of each tactic proof.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub root_goals: bool,
    /// Information trees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infotree: Option<Infotree>,
}

/// The answer to a step in a tactic proof.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProofStep {
    /// The number of the new state.
    pub proof_state: u64,
    /// Its goals.
    pub goals: Vec<String>,
    /// Messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// New `sorry`s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sorries: Vec<Sorry>,
    /// Output of tracing options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<String>,
    /// `Completed`, `Incomplete: …`, `Not verified: …` or `Error: …`; older REPLs do not say it.
    #[serde(default)]
    pub proof_status: String,
}

impl ProofStep {
    /// Whether the proof is done, and the kernel agreed.
    pub fn completed(&self) -> bool {
        self.proof_status == "Completed" && self.goals.is_empty()
    }
}

/// Any answer of the REPL.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// To a step or about a proof state.
    Step(ProofStep),
    /// To a command or about an environment.
    Command(CommandResponse),
    /// A refusal, with its reason.
    Error(String),
}

/// Everything that an answer may have.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts<'a> {
    message: Option<String>,
    env: Option<u64>,
    messages: Option<Vec<Message>>,
    sorries: Option<Vec<Sorry>>,
    tactics: Option<Vec<Tactic>>,
    #[serde(borrow)]
    infotree: Option<&'a RawValue>,
    proof_state: Option<u64>,
    goals: Option<Vec<String>>,
    traces: Option<Vec<String>>,
    proof_status: Option<String>,
}

/// Reads an answer: one JSON object and nothing else. Information trees may be nested as deep as they like.
///
/// # Errors
/// What is wrong with it.
pub fn parse(block: &[u8]) -> Result<Response, String> {
    let text = std::str::from_utf8(block).map_err(|e| format!("an answer is not UTF-8: {e}"))?;
    let parts: Parts = serde_json::from_str(text).map_err(|e| {
        let begin: String = text.chars().take(200).collect();
        format!("an answer is not the JSON of one ({e}): {begin}")
    })?;
    let (messages, sorries) = (parts.messages.unwrap_or_default(), parts.sorries.unwrap_or_default());
    match (parts.proof_state, parts.env, parts.message) {
        (Some(proof_state), None, None) => Ok(Response::Step(ProofStep {
            proof_state,
            goals: parts.goals.unwrap_or_default(),
            messages,
            sorries,
            traces: parts.traces.unwrap_or_default(),
            proof_status: parts.proof_status.unwrap_or_default(),
        })),
        (None, Some(env), None) => Ok(Response::Command(CommandResponse {
            env: Some(env),
            messages,
            sorries,
            tactics: parts.tactics.unwrap_or_default(),
            infotree: parts.infotree.map(super::answer::compact),
        })),
        (None, None, Some(message)) => Ok(Response::Error(message)),
        _ => Err(format!("an answer has neither env nor proofState nor message: {:.200}", text)),
    }
}

/// A REPL process with a header.
pub(crate) struct Community {
    setup: Setup,
    process: Process,
    /// The environment after the header.
    header_env: u64,
    header_messages: Vec<Message>,
    /// The number of the newest environment; each command makes the next one.
    last_env: Option<u64>,
    /// Whether it has answered a snippet.
    used: bool,
    /// Whether something of a text may still run in it.
    spoilt: bool,
    auditor: Option<Lean>,
}

impl Community {
    pub fn start(setup: &Setup) -> Result<Community, Failure> {
        let EngineConfig::Repl { argv, dir } = &setup.engine else {
            return Err(Failure::Refused { reason: "this pool has no REPL".into() });
        };
        let process = setup.start(argv, &[], dir)?;
        Ok(Community {
            setup: setup.clone(),
            process,
            header_env: 0,
            header_messages: Vec::new(),
            last_env: None,
            used: false,
            spoilt: false,
            auditor: None,
        })
    }

    /// Asks and waits for the answer.
    pub async fn request(&mut self, request: &Request) -> Result<Response, Failure> {
        // What was written without a question would be taken for the answer.
        if self.process.has_unread().await {
            return Err(self.nonsense("it wrote something that nobody asked for".into()));
        }
        // JSON has no line ends inside, which the REPL would drop.
        let json = serde_json::to_string(request).map_err(|e| self.nonsense(e.to_string()))?;
        let (most, text) = (self.setup.max_answer, json + "\n\n");
        // A process that answers before it has read everything, or ends, must not stop us: its answer says
        // more than an error of the pipe.
        let written = self.process.write(text.as_bytes()).await;
        let block = self.process.block(most).await;
        match (written, block) {
            (_, Err(error)) => Err(self.setup.clone().failure(&mut self.process, error).await),
            (Err(error), Ok(_)) => Err(self.nonsense(format!("it did not read the whole request: {error}"))),
            (Ok(()), Ok(block)) => parse(&block).map_err(|reason| self.nonsense(reason)),
        }
    }

    /// Runs a command and checks that the answer is the one to it: environments are numbered one by one, so an
    /// old or invented answer has another number.
    async fn command(&mut self, request: &Request) -> Result<Reply, Failure> {
        match self.request(request).await? {
            Response::Command(response) => {
                let expected = self.last_env.map(|env| env + 1);
                if expected.is_some() && response.env != expected {
                    let reason = format!("environment {:?} where {expected:?} was next", response.env);
                    return Err(self.nonsense(reason));
                }
                self.last_env = response.env;
                Ok(Reply::Response(response))
            }
            Response::Error(message) => Ok(Reply::ReplError { message }),
            Response::Step(_) => Err(self.nonsense("a proof step for an answer to a command".into())),
        }
    }

    fn nonsense(&self, reason: String) -> Failure {
        Failure::Protocol { reason, stderr: self.process.stderr() }
    }

    async fn header(&mut self, split: &Split) -> Result<Option<Reply>, Failure> {
        // Also when it is empty: the environment after it is the one that every snippet starts from.
        let request = Request::Command { cmd: split.header(), env: None, report: Report::default() };
        match self.command(&request).await? {
            Reply::Response(response) => {
                let bad = response.has_errors();
                self.header_env = response.env.unwrap_or_default();
                self.header_messages = response.messages;
                Ok(bad.then(|| header_alone(&self.header_messages, split)))
            }
            refusal => Ok(Some(refusal)),
        }
    }
}

impl Worker for Community {
    fn load<'a>(
        &'a mut self,
        split: &'a Split,
        options: &'a CheckOptions,
    ) -> BoxFuture<'a, Result<Option<Reply>, Failure>> {
        Box::pin(within(options.timeout, true, self.header(split)))
    }

    fn check<'a>(
        &'a mut self,
        code: &'a str,
        split: &'a Split,
        options: &'a CheckOptions,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        let report = Report {
            all_tactics: options.all_tactics,
            root_goals: options.root_goals,
            infotree: options.infotree,
        };
        let work = async move {
            let begin = Instant::now();
            self.process.usage.begin();
            self.spoilt = audit::may_last(code);
            let request = Request::Command { cmd: split.body(code), env: Some(self.header_env), report };
            let used = std::mem::replace(&mut self.used, true);
            let mut reply = self.command(&request).await?;
            match &mut reply {
                Reply::Response(response) => {
                    if let Reply::Response(header) = header_alone(&self.header_messages, split) {
                        response.messages.splice(0..0, header.messages);
                    }
                }
                // Refusals have no number: from a process that has served others this could be a late one.
                Reply::ReplError { message } if used => {
                    return Err(self.nonsense(format!("it refused the command: {message}")));
                }
                Reply::ReplError { .. } => {}
            }
            Ok(Answer { reply, time: begin.elapsed().as_secs_f64() })
        };
        Box::pin(within(options.timeout, false, work))
    }

    /// By `lean` itself, in the same project: the REPL cannot tell what a text declares.
    fn audit<'a>(
        &'a mut self,
        code: &'a str,
        split: &'a Split,
        options: &'a CheckOptions,
    ) -> BoxFuture<'a, Audit> {
        let lean = self.auditor.get_or_insert_with(|| Lean::new(&self.setup));
        Box::pin(async move {
            match lean.load(split, options).await {
                Ok(_) => lean.audit(code, split, options).await,
                Err(failure) => Audit::without(failure.to_string()),
            }
        })
    }

    fn usage(&self) -> Option<&Usage> {
        Some(&self.process.usage)
    }

    fn uuid(&self) -> &str {
        &self.process.uuid
    }

    fn spoilt(&self) -> bool {
        self.spoilt
    }

    fn conversation(&mut self) -> Option<&mut Community> {
        Some(self)
    }
}

impl Community {
    /// The environment after the header.
    pub fn header_env(&self) -> u64 {
        self.header_env
    }
}
