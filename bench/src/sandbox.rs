//! One process, started and fed as Lambda does it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::Failure;
use crate::lab::Lab;
use crate::process;
use crate::program::Program;
use crate::runtime_api::{RuntimeApi, Step};

/// No step of any program takes this long, not even under valgrind.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that waits for its next event.
pub(crate) struct Sandbox {
    process: Child,
    runtime_api: RuntimeApi,
    output: Option<JoinHandle<Vec<String>>>,
    /// From the start to the first request for an event.
    pub(crate) init: Duration,
}

/// What became of an event.
pub(crate) struct Reply {
    /// From the event's departure to the reply's arrival.
    pub(crate) took: Duration,
    pub(crate) succeeded: bool,
    pub(crate) body: String,
}

impl Reply {
    /// The broker's outcome, or its code where there is one, whichever way the event came.
    pub(crate) fn outcome(&self) -> Option<String> {
        let reply: Value = serde_json::from_str(&self.body).ok()?;
        // An HTTP API's reply has the document as text, and so has an error of the function.
        let text = reply.get("body").or(reply.get("errorMessage")).and_then(Value::as_str);
        let document = text.map_or(Ok(reply.clone()), serde_json::from_str).ok()?;
        let word = document.get("code").or(document.get("outcome"))?;
        // What is denied has the reason as its code.
        let word = if document["outcome"] == "denied" { &document["outcome"] } else { word };
        word.as_str().map(str::to_owned)
    }
}

impl Sandbox {
    /// Starts a program, under another one if `wrapper` names one, and waits until it asks for an event.
    pub(crate) fn start(program: &Program, lab: &Lab, wrapper: &[OsString]) -> Result<Self, Failure> {
        let runtime_api = RuntimeApi::start()?;
        let mut words = wrapper.iter().chain(&program.command);
        let mut command = Command::new(words.next().ok_or("no command")?);
        command.args(words).env_clear().envs(lab.environment(program, runtime_api.address));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let started = Instant::now();
        let mut process = command.spawn().map_err(|error| format!("{}: {error}", program.name))?;
        // Read as it comes, as Lambda does it; a full pipe would hold the process up.
        let output = process.stdout.take().map(|stdout| {
            std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).collect::<Vec<String>>())
        });
        let mut sandbox = Self { process, runtime_api, output, init: Duration::ZERO };
        sandbox.init = sandbox.until_it_waits(program)?.duration_since(started);
        Ok(sandbox)
    }

    fn until_it_waits(&self, program: &Program) -> Result<Instant, Failure> {
        match self.runtime_api.step(PATIENCE) {
            Some(Step::Waits(at)) => Ok(at),
            Some(Step::InitError(error)) => {
                Err(format!("{}: {}", program.name, String::from_utf8_lossy(&error)).into())
            }
            _ => Err(format!("{} does not ask for an event", program.name).into()),
        }
    }

    /// Hands it an event, and waits until it asks for the next one.
    pub(crate) fn invoke(&self, program: &Program, event: String) -> Result<Reply, Failure> {
        self.runtime_api.send(event);
        let Some(Step::Sent(sent)) = self.runtime_api.step(PATIENCE) else { return Err("no event was sent".into()) };
        let Some(Step::Answered { at, succeeded, body }) = self.runtime_api.step(PATIENCE) else {
            return Err(format!("{} does not answer", program.name).into());
        };
        self.until_it_waits(program)?;
        Ok(Reply { took: at - sent, succeeded, body: String::from_utf8_lossy(&body).into_owned() })
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }

    /// The CPU time it has used, once it does nothing any more.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let mut used = process::cpu(self.pid())?;
        loop {
            std::thread::sleep(Duration::from_millis(2));
            let now = process::cpu(self.pid())?;
            if now == used {
                return Ok(used);
            }
            used = now;
        }
    }

    /// Ends it as Lambda ends a sandbox, and gives what it wrote.
    pub(crate) fn stop(mut self) -> Result<Vec<String>, Failure> {
        kill(self.pid(), Signal::SIGTERM)?;
        self.process.wait()?;
        let output = self.output.take().map(JoinHandle::join);
        output.transpose().map_err(|_| "the output could not be read".into()).map(Option::unwrap_or_default)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Both fail once it has been stopped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
