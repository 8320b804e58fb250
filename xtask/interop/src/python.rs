//! [`Python`]: a process in which CacheKit's Python client runs, asked line by line.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::outcome::Failure;

/// A process with cached functions. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Python {
    pipes: Mutex<Pipes>,
    log: PathBuf,
}

#[derive(Debug)]
struct Pipes {
    _child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
    /// Why nothing is asked any more.
    lost: Option<String>,
}

/// A cached function of Python's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Function {
    pub(crate) namespace: String,
    pub(crate) operation: String,
    /// One of those that the driver knows.
    pub(crate) signature: &'static str,
    /// Seconds.
    pub(crate) ttl: Option<u64>,
    pub(crate) encryption: Option<Sealing>,
}

/// How a function of Python's encrypts.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sealing {
    /// In hex.
    pub(crate) master_key: &'static str,
    pub(crate) tenant: Option<&'static str>,
    pub(crate) fail_closed: bool,
}

/// A call of a cached function, its arguments spelled as the vectors spell theirs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) positional: Value,
    pub(crate) named: Value,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Called {
    /// The function ran: there was nothing that the client would read.
    Ran,
    /// What was stored.
    Hit(Value),
    /// An exception of this class.
    Raised(String),
}

impl Python {
    /// Starts the driver, with nothing in its environment but `environment`.
    pub(crate) async fn start(interpreter: &Path, url: &str, environment: &[(&str, &str)]) -> Result<Self, Failure> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (sources, root) = (here.join("python"), here.ancestors().nth(2).unwrap_or(here));
        let folder = root.join("target/interop");
        std::fs::create_dir_all(&folder)?;
        let log = folder.join(if environment.is_empty() { "python.log" } else { "python-rotated.log" });
        // The program is started elsewhere. A link is not followed: it is what makes the environment one.
        let mut child = Command::new(std::path::absolute(interpreter)?)
            .arg("driver.py")
            .arg(url)
            .current_dir(sources)
            .env_clear()
            .envs([("PYTHONUTF8", "1"), ("PYTHONDONTWRITEBYTECODE", "1")])
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure(format!("{} did not start: {error}", interpreter.display())))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure("Python has no pipes".to_owned()));
        };
        let pipes = Pipes { _child: child, to, from: BufReader::new(from).lines(), lost: None };
        let python = Self { pipes: Mutex::new(pipes), log };
        let ready = python.pipes.lock().await.answer().await;
        ready.map_err(|failure| python.told(failure))?;
        Ok(python)
    }

    /// Calls a cached function that would compute `computes`.
    pub(crate) async fn call(&self, call: &Call, computes: &Value) -> Result<Called, Failure> {
        let answer = self.ask("call", call, json!({ "computes": computes })).await?;
        Ok(match (&answer["raised"], &answer["ran"]) {
            (Value::String(class), _) => Called::Raised(class.clone()),
            (_, Value::Bool(true)) => Called::Ran,
            _ => Called::Hit(answer["returned"].clone()),
        })
    }

    /// Deletes what is stored of a call.
    pub(crate) async fn delete(&self, call: &Call) -> Result<(), Failure> {
        let answer = self.ask("delete", call, json!({})).await?;
        match answer["outcome"] == "succeeded" {
            true => Ok(()),
            false => Err(Failure(format!("Python did not delete the entry: {answer}"))),
        }
    }

    /// For how many milliseconds the entry of a call still lives: -1 without end, -2 if there is none.
    pub(crate) async fn left(&self, call: &Call) -> Result<i64, Failure> {
        let answer = self.ask("key", call, json!({})).await?;
        answer["left"].as_i64().ok_or_else(|| Failure(format!("Python told no time: {answer}")))
    }

    async fn ask(&self, what: &str, call: &Call, more: Value) -> Result<Value, Failure> {
        let mut request = serde_json::to_value(call)?;
        if let (Some(request), Value::Object(more)) = (request.as_object_mut(), more) {
            request.insert("do".to_owned(), json!(what));
            request.extend(more);
        }
        let mut pipes = self.pipes.lock().await;
        if let Some(why) = &pipes.lost {
            return Err(Failure(format!("not asked, for before: {why}")));
        }
        let asked = async {
            pipes.to.write_all(format!("{request}\n").as_bytes()).await?;
            pipes.to.flush().await?;
            pipes.answer().await
        };
        let answer = asked.await;
        answer.map_err(|Failure(why)| {
            // What comes late would be taken for the answer to something else.
            pipes.lost = Some(why.clone());
            self.told(Failure(why))
        })
    }

    /// With the last that Python printed.
    fn told(&self, Failure(why): Failure) -> Failure {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
        Failure(format!("{why}; it last printed to {}: {last}", self.log.display()))
    }
}

impl Pipes {
    async fn answer(&mut self) -> Result<Value, Failure> {
        match tokio::time::timeout(PATIENCE, self.from.next_line()).await {
            Err(_) => Err(Failure(format!("Python did not answer within {} seconds", PATIENCE.as_secs()))),
            Ok(Ok(None)) => Err(Failure("Python ended".to_owned())),
            Ok(line) => Ok(serde_json::from_str(&line?.unwrap_or_default())?),
        }
    }
}

/// For an answer; the first one comes after the client was imported.
const PATIENCE: Duration = Duration::from_secs(20);
