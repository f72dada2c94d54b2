//! How the pools of connections stand.

use sea_orm::{DatabaseConnection, DbBackend};

use super::Db;

impl Db {
    /// How many connections this lane has at most.
    pub fn connections_max(&self) -> u32 {
        pool("", self.of_lane()).max
    }

    /// Whether nobody has to wait for a connection of this lane just now.
    pub fn has_free(&self) -> bool {
        let pool = pool("", self.of_lane());
        // One that was never made is free too.
        pool.used < usize::try_from(pool.max).unwrap_or(usize::MAX)
    }

    /// Waits for a connection of this lane behind everybody who waits already, and gives it back at once. `false` when none came.
    pub async fn turn(&self) -> bool {
        let lane = self.of_lane();
        if lane.get_database_backend() == DbBackend::Postgres {
            lane.get_postgres_connection_pool().acquire().await.is_ok()
        } else {
            lane.get_sqlite_connection_pool().acquire().await.is_ok()
        }
    }
}

/// A pool.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// Its name.
    pub name: &'static str,
    /// Connections that it may have.
    pub max: u32,
    /// Connections that nobody uses.
    pub idle: usize,
    /// Connections in use.
    pub used: usize,
}

/// All pools of the database.
pub fn pools(db: &Db) -> Vec<Pool> {
    let all = db.connections().into_iter();
    all.map(|(name, connection)| pool(name, connection)).collect()
}

fn pool(name: &'static str, connection: &DatabaseConnection) -> Pool {
    let (max, size, idle) = if connection.get_database_backend() == DbBackend::Postgres {
        let pool = connection.get_postgres_connection_pool();
        (pool.options().get_max_connections(), pool.size(), pool.num_idle())
    } else {
        let pool = connection.get_sqlite_connection_pool();
        (pool.options().get_max_connections(), pool.size(), pool.num_idle())
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    Pool {
        name,
        max,
        idle,
        used: size.saturating_sub(idle),
    }
}
