//! One process: started in a group of its own, fed, read, and ended without a trace.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::{SendFlags, send};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdout, Command};

use super::monitor::{Monitor, Usage};

/// How much of the end of a process's standard error is kept, in bytes.
const STDERR_KEPT: usize = 64 << 10;

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub argv: Vec<String>,
    pub dir: PathBuf,
    /// A limit on the address space (`RLIMIT_AS`), in bytes.
    pub address_space: Option<u64>,
}

/// A process, or what is left of it. Dropping it kills it, its group and everything that came from it.
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
    /// A socket: writing to a pipe that nobody reads any more would raise SIGPIPE, which ends programs that do
    /// not ignore it. Rust's do, others need not.
    stdin: Option<UnixStream>,
    stdout: BufReader<ChildStdout>,
    stderr: Arc<Mutex<VecDeque<u8>>>,
    stderr_done: tokio::task::JoinHandle<()>,
    ending: Option<Ending>,
    monitor: Arc<Monitor>,
    /// What it uses; the monitor writes it.
    pub usage: Arc<Usage>,
    /// Its identifier.
    pub uuid: String,
}

/// Why nothing could be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It closed its standard output, as ending processes do.
    Closed,
    /// It wrote more than was allowed.
    TooLong(usize),
}

impl Process {
    /// Starts it.
    pub fn start(launch: &Launch, monitor: &Arc<Monitor>) -> io::Result<Process> {
        let (program, arguments) =
            launch.argv.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        let uuid = uuid::Uuid::new_v4().to_string();
        let (stdin, theirs) = std::os::unix::net::UnixStream::pair()?;
        stdin.set_nonblocking(true)?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&stdin, true)?;
        let stdin = UnixStream::from_std(stdin)?;
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(&launch.dir)
            .env(Monitor::MARK, monitor.mark(&uuid))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id as i32));
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        #[cfg(target_os = "linux")]
        if let Some(bytes) = launch.address_space {
            use rustix::process::{Resource, Rlimit, prlimit};
            let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
            prlimit(group, Resource::As, limit)?;
        }
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let stderr_done = tokio::spawn(drain(stderr, kept.clone()));
        let usage = monitor.watch(child.id(), &uuid);
        let stdout = BufReader::with_capacity(64 << 10, stdout);
        Ok(Process {
            child,
            group,
            stdin: Some(stdin),
            stdout,
            stderr: kept,
            stderr_done,
            ending: None,
            monitor: monitor.clone(),
            usage,
            uuid,
        })
    }

    /// Writes all of it. An error means that the process does not read any more.
    pub async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        #[cfg(not(target_vendor = "apple"))]
        const FLAGS: SendFlags = SendFlags::NOSIGNAL;
        #[cfg(target_vendor = "apple")]
        const FLAGS: SendFlags = SendFlags::empty();
        let stdin = self.stdin.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        while !bytes.is_empty() {
            let sent = stdin.async_io(Interest::WRITABLE, || Ok(send(stdin, bytes, FLAGS)?)).await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Whether it has not ended yet.
    pub fn runs(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.group.is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    /// Closes its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Whether it has written something, beside white space, that nobody has read.
    pub async fn has_unread(&mut self) -> bool {
        loop {
            let unread = self.stdout.buffer();
            if !unread.trim_ascii_start().is_empty() {
                return true;
            }
            let blank = unread.len();
            self.stdout.consume(blank);
            // What is in the pipe is there at once.
            let more = rustix::io::ioctl_fionread(self.stdout.get_ref()).is_ok_and(|bytes| bytes > 0);
            if !more || self.stdout.fill_buf().await.is_err() {
                return false;
            }
        }
    }

    /// The next line without its end, or what is there when the output is closed; at most `most` bytes.
    pub async fn line(&mut self, most: usize) -> Result<Vec<u8>, ReadError> {
        read_line(&mut self.stdout, most).await
    }

    /// All lines up to a blank one (at least one line that is not blank), without that one.
    pub async fn block(&mut self, most: usize) -> Result<Vec<u8>, ReadError> {
        let mut block = Vec::new();
        loop {
            let line = read_line(&mut self.stdout, most - block.len()).await?;
            if !line.iter().all(u8::is_ascii_whitespace) {
                block.extend_from_slice(&line);
                block.push(b'\n');
                if block.len() > most {
                    return Err(ReadError::TooLong(most));
                }
            } else if !block.is_empty() {
                return Ok(block);
            }
        }
    }

    /// The end of its standard error.
    pub fn stderr(&self) -> String {
        let kept = locked(&self.stderr);
        String::from_utf8_lossy(&kept.iter().copied().collect::<Vec<u8>>()).into_owned()
    }

    /// After its output was closed: kills what is left of it, and says how it ended and what it wrote to its
    /// standard error at last.
    pub async fn end(&mut self) -> (Ending, String) {
        if let Some(ending) = self.ending {
            return (ending, self.stderr());
        }
        // Its own status, if it has one; a moment (a second) for it between closing its output and its end.
        let mut pause = Duration::from_micros(250);
        while pause < Duration::from_secs(1) && self.runs() {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.kill();
        let ending = match self.child.wait().await {
            Ok(status) => {
                use std::os::unix::process::ExitStatusExt;
                Ending { code: status.code(), signal: status.signal() }
            }
            Err(_) => Ending { code: None, signal: None },
        };
        let _ = tokio::time::timeout(Duration::from_millis(500), &mut self.stderr_done).await;
        (*self.ending.insert(ending), self.stderr())
    }

    /// Kills its group. (The process itself is not waited for before that, so the number is still its own.)
    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            let _ = kill_process_group(group, Signal::KILL);
            self.monitor.ended(&self.usage);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.stderr_done.abort();
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "it ended with exit code {code}"),
            (_, Some(9)) => {
                write!(f, "it was killed (signal 9), perhaps by the system because memory ran out")
            }
            (_, Some(signal)) => write!(f, "it was ended by signal {signal}"),
            _ => write!(f, "it ended"),
        }
    }
}

/// Reads all of standard error and keeps its end.
async fn drain(mut stderr: impl AsyncRead + Unpin, kept: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = vec![0; 8 << 10];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        let mut kept = locked(&kept);
        kept.extend(&buffer[..read]);
        let excess = kept.len().saturating_sub(STDERR_KEPT);
        kept.drain(..excess);
    }
}

async fn read_line(input: &mut (impl AsyncBufReadExt + Unpin), most: usize) -> Result<Vec<u8>, ReadError> {
    let mut line = Vec::new();
    loop {
        let buffer = match input.fill_buf().await {
            Ok([]) | Err(_) if line.is_empty() => return Err(ReadError::Closed),
            Ok([]) | Err(_) => return Ok(line),
            Ok(buffer) => buffer,
        };
        let end = buffer.iter().position(|b| *b == b'\n');
        let taken = end.unwrap_or(buffer.len());
        if line.len() + taken > most {
            return Err(ReadError::TooLong(most));
        }
        line.extend_from_slice(&buffer[..taken]);
        input.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(line);
        }
    }
}

/// A lock that does not mind that somebody panicked with it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
