//! What the kernel says of a process: CPU time and memory; and how many files one may open.

use std::ops::Sub;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// The kernel's clock ticks in a second, as `/proc` counts them on every architecture that Linux runs on here.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time of processes, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Cpu {
    /// In their own code.
    pub(super) user_ms: u64,
    /// In the kernel for them.
    pub(super) system_ms: u64,
}

impl Cpu {
    /// Of these processes together, up to now; those that are gone count nothing.
    pub(super) fn of(pids: &[u32]) -> Self {
        pids.iter()
            .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok())
            .filter_map(|text| Self::read(&text))
            .fold(Self::default(), |all, one| Self {
                user_ms: all.user_ms + one.user_ms,
                system_ms: all.system_ms + one.system_ms,
            })
    }

    /// Both together.
    pub(super) fn total_ms(self) -> u64 {
        self.user_ms + self.system_ms
    }

    /// The fields behind the name, which may hold anything, even spaces and brackets.
    fn read(stat: &str) -> Option<Self> {
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let mut next = || Some(fields.next()?.parse::<u64>().ok()? * 1_000 / TICKS_PER_SECOND);
        Some(Self {
            user_ms: next()?,
            system_ms: next()?,
        })
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            user_ms: self.user_ms.saturating_sub(earlier.user_ms),
            system_ms: self.system_ms.saturating_sub(earlier.system_ms),
        }
    }
}

/// Resident memory of a process in KiB; 0 when it is gone.
pub(super) fn rss_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Lets this process open as many files as it may at all, and answers how many that is.
pub(crate) fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current < maximum || maximum.is_none() {
        let wish = Rlimit {
            current: maximum,
            maximum,
        };
        // What cannot be raised stays as it is; whoever runs out of files says so.
        let _ = setrlimit(Resource::Nofile, wish);
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_whatever_the_process_is_called() {
        let stat = "42 (a ) 7 (b) S 1 42 42 0 -1 4194560 900 0 0 0 123 45 0 0 20 0 3 0 100 1 2 3";
        let cpu = Cpu::read(stat).unwrap();
        assert_eq!((cpu.user_ms, cpu.system_ms, cpu.total_ms()), (1_230, 450, 1_680));
        assert_eq!(Cpu::read("42 (x) S 1"), None);
    }

    #[test]
    fn our_own_process_has_memory_and_a_dead_one_has_none() {
        assert!(rss_kib(std::process::id()) > 1_000);
        assert_eq!(rss_kib(u32::MAX), 0);
    }
}
