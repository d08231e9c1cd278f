//! What a process has used so far, as the kernel counts it.

use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::Failure;

/// The CPU time of all threads, those that have ended included.
pub(crate) fn cpu(pid: Pid) -> Result<Duration, Failure> {
    Ok(clock_gettime(clock_getcpuclockid(pid)?)?.into())
}

/// The most memory that was ever resident, in bytes.
pub(crate) fn peak_memory(pid: Pid) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in a process's status")?;
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0)
}
