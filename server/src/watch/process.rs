//! What the kernel knows of this process. Where it tells nothing (no `/proc`), there are no such figures.

use std::fs;
use std::sync::OnceLock;

use metrics::gauge;
use metropay_core::metric::{self, level};

/// Ticks of a second in `/proc`: fixed on Linux for everything that is told to programs.
const TICKS: u64 = 100;
/// Bytes of a page where the kernel tells of nothing else.
const PAGE_BYTES: u64 = 4_096;

/// Looks, and sets the gauges.
pub(super) fn look() {
    if let Some(stat) = fs::read_to_string("/proc/self/stat")
        .ok()
        .as_deref()
        .and_then(Stat::read)
    {
        gauge!(metric::PROCESS_CPU).set(seconds(stat.cpu_ticks));
        gauge!(metric::PROCESS_MEMORY).set(level(stat.resident_pages.saturating_mul(page_bytes())));
        if let Some(booted) = booted_at() {
            gauge!(metric::PROCESS_START).set(level(booted.saturating_add(stat.start_ticks / TICKS)));
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder itself is open while it is read.
        gauge!(metric::PROCESS_FDS).set(level(open.count().saturating_sub(1)));
    }
    if let Some(max) = fs::read_to_string("/proc/self/limits")
        .ok()
        .as_deref()
        .and_then(fds_max)
    {
        gauge!(metric::PROCESS_FDS_MAX).set(level(max));
    }
}

#[expect(clippy::float_arithmetic, reason = "a time for people, not money")]
fn seconds(ticks: u64) -> f64 {
    level(ticks) / level(TICKS)
}

/// What `/proc/self/stat` tells.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    start_ticks: u64,
    resident_pages: u64,
}

impl Stat {
    fn read(text: &str) -> Option<Self> {
        // The name of the program stands in brackets and may hold anything, a bracket too.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number).and_then(|field| field.parse::<u64>().ok());
        // The manual counts from 1 and has two fields before these.
        Some(Self {
            cpu_ticks: field(11)?.saturating_add(field(12)?),
            start_ticks: field(19)?,
            resident_pages: field(21)?,
        })
    }
}

/// When the machine was started, in Unix seconds.
fn booted_at() -> Option<u64> {
    static BOOTED: OnceLock<Option<u64>> = OnceLock::new();
    let read = || {
        let text = fs::read_to_string("/proc/stat").ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix("btime "))?
            .trim()
            .parse()
            .ok()
    };
    *BOOTED.get_or_init(read)
}

/// Bytes of a page of memory, as the kernel tells them with the first mapping.
fn page_bytes() -> u64 {
    static BYTES: OnceLock<u64> = OnceLock::new();
    let read = || {
        let text = fs::read_to_string("/proc/self/smaps").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("KernelPageSize:"))?;
        line.trim()
            .strip_suffix(" kB")?
            .trim()
            .parse::<u64>()
            .ok()?
            .checked_mul(1_024)
    };
    *BYTES.get_or_init(|| read().unwrap_or(PAGE_BYTES))
}

/// The soft limit of file descriptors.
fn fds_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read_whatever_the_program_is_called() {
        let text =
            "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 9 0 123456 999 2560 18446744073709551615 1";
        let expected = Stat {
            cpu_ticks: 200,
            start_ticks: 123_456,
            resident_pages: 2_560,
        };
        assert_eq!(Stat::read(text), Some(expected));
        assert_eq!(Stat::read("42 (a) S 1"), None);
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            20000                524288               files\n";
        assert_eq!(fds_max(limits), Some(20_000));
    }
}
