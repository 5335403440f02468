//! What a process has used, read from `/proc`.

use anyhow::Context;
use std::fmt;
use std::time::Duration;

/// The clock ticks of `/proc`, fixed on Linux.
const TICKS: f64 = 100.0;

/// A process by its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pid(u32);

impl Pid {
    /// The process with this number.
    pub(crate) const fn of(number: u32) -> Self {
        Self(number)
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self(std::process::id())
    }

    /// Processor time used so far.
    pub(crate) fn cpu(self) -> anyhow::Result<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let (_, fields) = text.rsplit_once(')').context("an unknown form of /proc")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut next = || fields.next().and_then(|field| field.parse::<f64>().ok());
        let (user, system) = (next().unwrap_or_default(), next().unwrap_or_default());
        Ok(Duration::from_secs_f64((user + system) / TICKS))
    }

    /// Resident memory, in mebibytes.
    pub(crate) fn resident(self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.context("an unknown form of /proc")? / 1_024.0)
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
