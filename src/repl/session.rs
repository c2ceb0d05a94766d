//! A conversation with one REPL process: commands that build on each other, tactic steps, pickles.

use std::time::Duration;

use super::community::{Community, ProofStep, Report, Request, Response};
use super::engine::within;
use super::pool::Lease;
use super::{CommandResponse, Failure, Reply};

/// A process of the pool that somebody has for himself. It is killed at the end.
pub struct Session {
    lease: Lease,
    timeout: Duration,
    broken: bool,
}

impl Session {
    pub(crate) fn new(lease: Lease, timeout: Duration) -> Session {
        Session { lease, timeout, broken: false }
    }

    /// The environment after the header, on which everything begins.
    pub fn header_env(&mut self) -> u64 {
        self.community().map_or(0, |community| community.header_env())
    }

    fn community(&mut self) -> Result<&mut Community, Failure> {
        let worker = self.lease.worker().and_then(|worker| worker.conversation());
        worker.ok_or_else(|| Failure::Refused { reason: "this engine has no sessions".into() })
    }

    /// Sends any request. After a failure the session is over: its process is gone.
    ///
    /// # Errors
    /// A failure of the process; what the REPL refuses is [`Response::Error`].
    pub async fn request(&mut self, request: &Request) -> Result<Response, Failure> {
        if self.broken {
            let reason = "the session ended with an earlier failure; begin a new one".into();
            return Err(Failure::Refused { reason });
        }
        // Also if the future is dropped before its end.
        self.broken = true;
        let timeout = self.timeout;
        let response = within(timeout, false, self.community()?.request(request)).await?;
        self.broken = false;
        Ok(response)
    }

    /// Runs a text on an environment, by default the header's.
    ///
    /// # Errors
    /// As for [`Session::request`].
    pub async fn command(&mut self, cmd: &str, env: Option<u64>) -> Result<Reply, Failure> {
        let env = Some(env.unwrap_or(self.header_env()));
        let request = Request::Command { cmd: cmd.into(), env, report: Report::default() };
        self.request(&request).await?.reply()
    }

    /// Tries a tactic in a proof state.
    ///
    /// # Errors
    /// As for [`Session::request`]; a refusal of the tactic is [`Failure::Refused`].
    pub async fn tactic(&mut self, tactic: &str, proof_state: u64) -> Result<ProofStep, Failure> {
        self.request(&Request::Tactic { tactic: tactic.into(), proof_state }).await?.step()
    }
}

impl Response {
    /// As the answer to a command.
    ///
    /// # Errors
    /// `Protocol` when it is none.
    pub fn reply(self) -> Result<Reply, Failure> {
        match self {
            Response::Command(response) => Ok(Reply::Response(response)),
            Response::Error(message) => Ok(Reply::ReplError { message }),
            Response::Step(_) => Err(Response::other("a proof step")),
        }
    }

    /// As the answer to a tactic or about a proof state.
    ///
    /// # Errors
    /// `Refused` when the REPL refused it; `Protocol` when it is something else.
    pub fn step(self) -> Result<ProofStep, Failure> {
        match self {
            Response::Step(step) => Ok(step),
            Response::Error(reason) => Err(Failure::Refused { reason }),
            Response::Command(CommandResponse { .. }) => Err(Response::other("an environment")),
        }
    }

    fn other(what: &str) -> Failure {
        Failure::Protocol { reason: format!("{what} for an answer"), stderr: String::new() }
    }
}
