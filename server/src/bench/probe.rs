//! What a run costs the processes and the database, read before and after.

use std::ops::Sub;

use anyhow::Result;
use metropay_core::Db;
use serde::Serialize;

use super::process::Cpu;

/// Where it is read.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// The server's processes.
    pub(super) servers: Vec<u32>,
    /// The simulated gateways' process.
    pub(super) gateways: Vec<u32>,
    /// The database, where it is ours to ask.
    pub(super) db: Option<Db>,
}

/// What was used up to a moment, or between two.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Usage {
    pub(super) server: Cpu,
    pub(super) gateways: Cpu,
    /// This process.
    pub(super) driver: Cpu,
    /// Statements on the database, where it counts them.
    pub(super) statements: Option<u64>,
}

impl Probe {
    /// What was used up to now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn read(&self) -> Result<Usage> {
        let statements = match &self.db {
            Some(db) => db.statements().await?,
            None => None,
        };
        Ok(Usage {
            server: Cpu::of(&self.servers),
            gateways: Cpu::of(&self.gateways),
            driver: Cpu::of(&[std::process::id()]),
            statements,
        })
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        let statements = self.statements.zip(earlier.statements);
        Self {
            server: self.server - earlier.server,
            gateways: self.gateways - earlier.gateways,
            driver: self.driver - earlier.driver,
            statements: statements.map(|(now, then)| now.saturating_sub(then)),
        }
    }
}
