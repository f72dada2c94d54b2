//! The demo's folder: its database, the simulators' books, and keys that are made once and readable by their owner only.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metropay_core::random::{Random, SystemRandom};
use metropay_core::secret::Secret;
use metropay_core::vault::MasterKey;
use metropay_payment_api::app::token::{AppKey, KeyPair, TokenAlgorithm};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Config;

/// The folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// The kid of the demo's App key.
pub(super) const APP_KID: &str = "demo-app";

impl Folder {
    /// The folder in which the configured database stands.
    ///
    /// # Errors
    /// When the database is no file, or the folder cannot be made.
    pub fn of(config: &Config) -> Result<Self> {
        let file = config
            .database
            .file()
            .context("the demo needs an embedded database in a file")?;
        let folder = file.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        Self::at(folder)
    }

    /// This folder, for a database that stands elsewhere.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn at(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// Where the credentials are handed out.
    pub fn credentials(&self) -> PathBuf {
        self.0.join("credentials.json")
    }

    /// Fills in what the demo makes for itself: the master key and the App's key.
    ///
    /// # Errors
    /// When a key file cannot be read or written.
    pub fn complete(&self, config: &mut Config) -> Result<Secret> {
        let random: &dyn Random = &SystemRandom;
        if config.secrets.master_key.expose().is_empty() {
            let key = self.kept("master.key", || {
                Ok(MasterKey::generate(random).text().expose().to_owned())
            })?;
            config.secrets.master_key = key.as_str().into();
        }
        let private = self.kept("app-issuer.pem", || {
            let pair = KeyPair::generate(random).context("making the App's key")?;
            self.write("app-issuer.pub.pem", &pair.public_key_pem)?;
            Ok(pair.private_key_pem.expose().to_owned())
        })?;
        let public = std::fs::read_to_string(self.0.join("app-issuer.pub.pem")).context("reading the App's key")?;
        config.app.keys = vec![AppKey {
            kid: Some(APP_KID.to_owned()),
            algorithm: TokenAlgorithm::EdDSA,
            public_key_pem: Some(public),
            secret: None,
        }];
        Ok(private.into())
    }

    /// A text that is made once.
    fn kept(&self, name: &str, make: impl FnOnce() -> Result<String>) -> Result<String> {
        let path = self.0.join(name);
        if path.exists() {
            return std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()));
        }
        let text = make()?;
        self.write(name, &text)?;
        Ok(text)
    }

    /// Reads a JSON file, if it is there and of the present form.
    pub(super) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let text = std::fs::read_to_string(self.0.join(name)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes a JSON file that only its owner may read.
    pub(super) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        self.write(name, &serde_json::to_string_pretty(value)?)
    }

    /// Writes a file that only its owner may read: to another name first, so that nobody sees half of it.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let (path, fresh) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&fresh)?;
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)
        };
        write().with_context(|| format!("writing {}", path.display()))
    }
}
