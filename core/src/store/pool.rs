//! How the pools of connections stand.

use sea_orm::{DatabaseConnection, DbBackend};

use super::Db;

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
