//! What the processes of a pool use, and their end.
//!
//! A thread looks through /proc, ten times a second while anything runs, adds up what each process and its
//! descendants use, and kills those beyond their limits. Every process carries a mark in its environment,
//! which its descendants inherit: what leaves its group or outlives its parent is found by it. A small shell
//! waits for the end of this program, however it ends, and then kills everything that has the mark.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::process::locked;

/// How often the processes are looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// What one process and its descendants use.
#[derive(Default)]
pub(crate) struct Usage {
    leader: u32,
    uuid: String,
    /// Resident memory, in bytes.
    pub resident: AtomicU64,
    /// The most resident memory since [`Usage::begin`], in bytes.
    pub resident_max: AtomicU64,
    /// Processor time in milliseconds.
    cpu: AtomicU64,
    /// `cpu` at [`Usage::begin`].
    cpu_begin: AtomicU64,
    /// The greatest share of one core since [`Usage::begin`], in tenths of a percent.
    share_max: AtomicU64,
    /// It was killed because of its memory.
    pub over_memory: AtomicBool,
    /// It was killed because of its processor time.
    pub over_cpu: AtomicBool,
}

impl Usage {
    /// Counts from here.
    pub fn begin(&self) {
        self.resident_max.store(0, Relaxed);
        self.share_max.store(0, Relaxed);
        self.cpu_begin.store(self.cpu.load(Relaxed), Relaxed);
    }

    /// The greatest share of one core since [`Usage::begin`], in percent.
    pub fn cpu_percent(&self) -> f64 {
        self.share_max.load(Relaxed) as f64 / 10.0
    }
}

/// The limits of each process of a pool.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub memory: Option<u64>,
    pub cpu: Option<Duration>,
}

/// Watches the processes of one pool.
pub(crate) struct Monitor {
    mark: String,
    watched: Arc<Mutex<HashMap<String, Arc<Usage>>>>,
    /// Processes that were killed and may not have been waited for yet.
    dying: Mutex<Vec<u32>>,
    wake: Mutex<Sender<String>>,
    /// A directory for files of the pool; it goes with the pool.
    pub directory: PathBuf,
}

impl Monitor {
    /// The variable of the environment that marks processes.
    pub const MARK: &str = "LEAN_ORACLE_PROCESS";

    /// Starts the thread and the shell.
    pub fn start(limits: Limits) -> io::Result<Arc<Monitor>> {
        let mark = uuid::Uuid::new_v4().to_string();
        let directory = std::env::temp_dir().join(format!("lean-oracle-{mark}"));
        std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
        // Reads until this program has closed the other end, then kills until nothing is found.
        const SCRIPT: &str = r#"trap '' INT TERM HUP
            while read -r line; do :; done
            tries=0
            while [ $tries -lt 100 ]; do
              tries=$((tries + 1)); found=
              for file in $(grep -lsF "$1" /proc/[0-9]*/environ 2>/dev/null); do
                process="${file#/proc/}"; process="${process%/environ}"
                kill -9 "$process" 2>/dev/null && found=yes
              done
              [ -n "$found" ] || break
            done
            rm -rf -- "$2""#;
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "lean-oracle-end"])
            .arg(format!("{}={mark}.", Self::MARK))
            .arg(&directory)
            .current_dir("/")
            .env_remove(Self::MARK)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let mut shell = shell.inspect_err(|_| {
            let _ = std::fs::remove_dir_all(&directory);
        })?;
        let (wake, woken) = channel();
        let watched: Arc<Mutex<HashMap<String, Arc<Usage>>>> = Arc::default();
        let monitor = Arc::new(Monitor {
            mark: mark.clone(),
            watched: watched.clone(),
            dying: Mutex::default(),
            wake: Mutex::new(wake),
            directory,
        });
        std::thread::Builder::new().name("lean-oracle-proc".into()).spawn(move || {
            let mut ended: Vec<String> = Vec::new();
            let mut sampled = Instant::now();
            loop {
                let idle = locked(&watched).is_empty() && ended.is_empty();
                let woken = if idle {
                    woken.recv().map_err(|_| RecvTimeoutError::Disconnected)
                } else {
                    woken.recv_timeout(PERIOD.saturating_sub(sampled.elapsed()))
                };
                match woken {
                    Ok(uuid) => {
                        ended.extend((!uuid.is_empty()).then_some(uuid));
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                let marks: Vec<String> = ended.drain(..).map(|uuid| format!("{mark}.{uuid}")).collect();
                sweep(&marks);
                sample(&watched, limits, sampled.elapsed());
                sampled = Instant::now();
            }
            // The pool is gone: the shell does the rest.
            drop(shell.stdin.take());
            let _ = shell.wait();
        })?;
        Ok(monitor)
    }

    /// The value of the mark of one process.
    pub fn mark(&self, uuid: &str) -> String {
        format!("{}.{uuid}", self.mark)
    }

    /// Begins to watch a process.
    pub fn watch(&self, leader: Option<u32>, uuid: &str) -> Arc<Usage> {
        let usage = Arc::new(Usage { leader: leader.unwrap_or(0), uuid: uuid.into(), ..Usage::default() });
        locked(&self.watched).insert(uuid.into(), usage.clone());
        let _ = locked(&self.wake).send(String::new());
        usage
    }

    /// A process was killed or has ended: what is left of its descendants goes too.
    pub fn ended(&self, usage: &Usage) {
        usage.resident.store(0, Relaxed);
        locked(&self.watched).remove(&usage.uuid);
        let mut dying = locked(&self.dying);
        dying.retain(|pid| is_child(*pid));
        dying.push(usage.leader);
        drop(dying);
        let _ = locked(&self.wake).send(usage.uuid.clone());
    }

    /// Waits until the processes that were killed are gone: the runtime waits for them, and would leave them
    /// behind as zombies if it ended before.
    pub async fn buried(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let gone = || {
            let mut dying = locked(&self.dying);
            dying.retain(|pid| is_child(*pid));
            dying.is_empty()
        };
        while !gone() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Resident memory of all, in bytes.
    pub fn resident(&self) -> u64 {
        locked(&self.watched).values().map(|usage| usage.resident.load(Relaxed)).sum()
    }
}

/// One row of /proc.
struct Row {
    parent: u32,
    group: u32,
    /// Milliseconds.
    cpu: u64,
    /// Bytes.
    resident: u64,
}

/// Adds up what the watched processes use, and kills those beyond the limits.
fn sample(watched: &Mutex<HashMap<String, Arc<Usage>>>, limits: Limits, since: Duration) {
    // Not locked while /proc is read, which may take a while.
    let leaders: HashMap<u32, Arc<Usage>> =
        locked(watched).values().map(|usage| (usage.leader, usage.clone())).collect();
    if leaders.is_empty() {
        return;
    }
    let rows = table();
    let mut sums: HashMap<u32, (u64, u64)> = HashMap::new();
    for (pid, row) in &rows {
        // Its group says whose it is, or the nearest ancestor that does.
        let mut at = (*pid, row);
        let mut owner = None;
        for _ in 0..64 {
            owner = [at.0, at.1.group].into_iter().find(|id| leaders.contains_key(id));
            match rows.get(&at.1.parent) {
                Some(parent) if owner.is_none() => at = (at.1.parent, parent),
                _ => break,
            }
        }
        if let Some(owner) = owner {
            let sum = sums.entry(owner).or_default();
            *sum = (sum.0 + row.cpu, sum.1 + row.resident);
        }
    }
    for (leader, usage) in leaders {
        let Some((cpu, resident)) = sums.get(&leader).copied() else { continue };
        let before = usage.cpu.swap(cpu, Relaxed);
        usage.resident.store(resident, Relaxed);
        usage.resident_max.fetch_max(resident, Relaxed);
        let share = cpu.saturating_sub(before) * 1000 / (since.as_millis() as u64).max(1);
        usage.share_max.fetch_max(share, Relaxed);
        let used = Duration::from_millis(cpu.saturating_sub(usage.cpu_begin.load(Relaxed)));
        let over_memory = limits.memory.is_some_and(|limit| resident > limit);
        let over_cpu = limits.cpu.is_some_and(|limit| used > limit);
        if over_memory || over_cpu {
            usage.over_memory.fetch_or(over_memory, Relaxed);
            usage.over_cpu.fetch_or(over_cpu, Relaxed);
            // While it is in `watched` nobody has waited for it, and the number is still its own.
            let still = locked(watched);
            if let Some(group) = Pid::from_raw(leader as i32).filter(|_| still.contains_key(&usage.uuid)) {
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
    }
}

/// Whether this program still has a child of this number, alive or not; never where there is no /proc.
fn is_child(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    let parent = stat.ok().and_then(|stat| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok());
    parent == Some(std::process::id())
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The processes of this machine; empty where there is no /proc.
fn table() -> HashMap<u32, Row> {
    let page = rustix::param::page_size() as u64;
    let tick = 1000 / rustix::param::clock_ticks_per_second().max(1);
    let row = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may contain anything.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let cpu = (number(11)? + number(12)?) * tick;
        Some((
            pid,
            Row { parent: number(1)? as u32, group: number(2)? as u32, cpu, resident: number(21)? * page },
        ))
    };
    processes().filter_map(row).collect()
}

/// Kills everything that has one of these marks, until there is nothing.
fn sweep(marks: &[String]) {
    for _ in 0..20 {
        if marks.is_empty() {
            return;
        }
        let mut found = false;
        for pid in processes() {
            let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
            let mut variables = environment.split(|b| *b == 0);
            let prefix = [Monitor::MARK.as_bytes(), b"="].concat();
            let marked = variables
                .find_map(|variable| variable.strip_prefix(prefix.as_slice()))
                .is_some_and(|mark| marks.iter().any(|m| m.as_bytes() == mark));
            if let Some(pid) = Pid::from_raw(pid as i32).filter(|_| marked) {
                found |= kill_process(pid, Signal::KILL).is_ok();
            }
        }
        if !found {
            return;
        }
    }
}
