//! A transaction of ours: what must be told only when it is in the books waits until it is.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};

type Afterwards = Box<dyn FnOnce() + Send>;

/// A transaction. Dropped or rolled back, nothing of it is written, and nothing that waits for it happens.
pub struct Tx {
    inner: DatabaseTransaction,
    afterwards: Mutex<Vec<Afterwards>>,
}

impl Tx {
    /// One that has begun.
    pub fn new(inner: DatabaseTransaction) -> Self {
        Self {
            inner,
            afterwards: Mutex::default(),
        }
    }

    /// Has something happen when what was written is in the books: counting it. It must be quick, and cannot fail.
    pub fn after_commit(&self, then: impl FnOnce() + Send + 'static) {
        let mut afterwards = self.afterwards.lock().unwrap_or_else(PoisonError::into_inner);
        afterwards.push(Box::new(then));
    }

    /// Writes everything into the books.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.inner.commit().await?;
        let afterwards = self.afterwards.into_inner().unwrap_or_else(PoisonError::into_inner);
        for then in afterwards {
            then();
        }
        Ok(())
    }

    /// Writes nothing.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.query_all_raw(statement).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::{Db, Pools};

    #[tokio::test]
    async fn only_what_was_committed_is_followed_by_what_waits_for_it() {
        let db = Db::open("sqlite::memory:", Pools::default()).await.unwrap();
        let told = Arc::new(AtomicUsize::new(0));
        let tell = |by: usize| {
            let told = Arc::clone(&told);
            move || {
                told.fetch_add(by, Ordering::Relaxed);
            }
        };
        let tx = db.begin().await.unwrap();
        tx.after_commit(tell(1));
        tx.rollback().await.unwrap();
        let tx = db.begin().await.unwrap();
        tx.after_commit(tell(2));
        drop(tx);
        let tx = db.begin().await.unwrap();
        tx.after_commit(tell(4));
        tx.after_commit(tell(8));
        assert_eq!(told.load(Ordering::Relaxed), 0);
        tx.commit().await.unwrap();
        assert_eq!(told.load(Ordering::Relaxed), 12);
    }
}
