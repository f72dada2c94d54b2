//! Durable tables of the gateways: rows in memory, every commit one line in a log that is synced before it counts.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

type Rows = BTreeMap<String, BTreeMap<String, Value>>;

/// One commit as it stands in the log: table, key and row of each write.
type Commit = Vec<(String, String, Value)>;

/// All tables of all gateways. Without a folder it lives in memory only.
pub struct Store {
    inner: Mutex<Inner>,
}

struct Inner {
    rows: Rows,
    log: Option<File>,
}

impl Store {
    /// Opens the log in the folder and replays it; `None` keeps everything in memory.
    ///
    /// # Errors
    /// When the folder or the log cannot be made, read or rewritten. A torn last line (a commit that was never
    /// acknowledged) is dropped.
    pub fn open(folder: Option<&Path>) -> std::io::Result<Self> {
        let Some(folder) = folder else {
            return Ok(Self {
                inner: Mutex::new(Inner {
                    rows: Rows::new(),
                    log: None,
                }),
            });
        };
        std::fs::create_dir_all(folder)?;
        let path = folder.join("gateways.jsonl");
        let rows = replay(&path)?;
        let log = rewrite(&path, &rows)?;
        Ok(Self {
            inner: Mutex::new(Inner { rows, log: Some(log) }),
        })
    }

    /// Begins a unit of work. Units of work are one after the other, so a unit sees no other's half-done writes.
    pub fn begin(&self) -> Tx<'_> {
        Tx {
            inner: self.inner.lock().unwrap_or_else(PoisonError::into_inner),
            writes: Vec::new(),
        }
    }
}

fn replay(path: &Path) -> std::io::Result<Rows> {
    let mut rows = Rows::new();
    if !path.exists() {
        return Ok(rows);
    }
    for line in BufReader::new(File::open(path)?).lines() {
        let Ok(commit) = serde_json::from_str::<Commit>(&line?) else {
            break;
        };
        for (table, key, row) in commit {
            rows.entry(table).or_default().insert(key, row);
        }
    }
    Ok(rows)
}

fn rewrite(path: &Path, rows: &Rows) -> std::io::Result<File> {
    let fresh: PathBuf = path.with_extension("jsonl.new");
    let mut file = File::create(&fresh)?;
    for (table, entries) in rows {
        for (key, row) in entries {
            let commit: Commit = vec![(table.clone(), key.clone(), row.clone())];
            writeln!(file, "{}", serde_json::to_string(&commit)?)?;
        }
    }
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    OpenOptions::new().append(true).open(path)
}

/// A unit of work on the tables. Nothing of it counts before [`Tx::commit`].
pub struct Tx<'a> {
    inner: MutexGuard<'a, Inner>,
    writes: Commit,
}

impl Tx<'_> {
    /// The row under this key, this unit's own writes included.
    pub fn get<T: DeserializeOwned>(&self, table: &str, key: &str) -> Option<T> {
        let own = self
            .writes
            .iter()
            .rev()
            .find(|(t, k, _)| t == table && k == key)
            .map(|(_, _, row)| row);
        let row = own.or_else(|| self.inner.rows.get(table)?.get(key))?;
        serde_json::from_value(row.clone()).ok()
    }

    /// Writes a row.
    pub fn put<T: Serialize>(&mut self, table: &str, key: &str, row: &T) {
        let row = serde_json::to_value(row).expect("rows of the simulators are plain data");
        self.writes.push((table.to_owned(), key.to_owned(), row));
    }

    /// Every row of a table, ordered by key, without this unit's own writes.
    pub fn scan<T: DeserializeOwned>(&self, table: &str) -> Vec<T> {
        let rows = self.inner.rows.get(table);
        rows.map(|rows| {
            rows.values()
                .filter_map(|row| serde_json::from_value(row.clone()).ok())
                .collect()
        })
        .unwrap_or_default()
    }

    /// How many rows the table holds, this unit's own new rows not counted.
    pub fn count(&self, table: &str) -> usize {
        self.inner.rows.get(table).map_or(0, BTreeMap::len)
    }

    /// Makes the writes durable, then visible.
    ///
    /// # Panics
    /// When the log cannot be written: a gateway that cannot keep its books must not go on.
    pub fn commit(mut self) {
        let writes = std::mem::take(&mut self.writes);
        if writes.is_empty() {
            return;
        }
        if let Some(log) = self.inner.log.as_mut() {
            let line = serde_json::to_string(&writes).expect("rows of the simulators are plain data");
            writeln!(log, "{line}")
                .and_then(|()| log.sync_data())
                .expect("the simulators' log can be written");
        }
        for (table, key, row) in writes {
            self.inner.rows.entry(table).or_default().insert(key, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_is_there_after_reopening_and_what_was_not_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Some(folder.path())).unwrap();
        let mut tx = store.begin();
        tx.put("orders", "a", &1);
        tx.put("orders", "a", &2);
        assert_eq!(tx.get::<i32>("orders", "a"), Some(2));
        tx.commit();
        let mut lost = store.begin();
        lost.put("orders", "b", &3);
        drop(lost);
        drop(store);

        let store = Store::open(Some(folder.path())).unwrap();
        assert_eq!(store.begin().get::<i32>("orders", "a"), Some(2));
        assert_eq!(store.begin().get::<i32>("orders", "b"), None);
    }
}
