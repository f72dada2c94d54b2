//! `metropay rules`: rules for people who keep them in files, and their life in the database.

mod file;
mod life;
mod print;
mod run;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use metropay_core::clock::SystemClock;
use metropay_core::engine::Engine;
use metropay_core::rule::{Level, Place};
use metropay_core::rules::Kind;

use crate::config::{Config, Profile};
use crate::serve::build;

/// What to do with which rule.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Under which profile.
    #[arg(long, value_enum, default_value = "default", env = "METROPAY_PROFILE", global = true)]
    profile: Profile,
    /// As JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// 检查 · Checks a script and its tests (a file), or a draft (a rule's number).
    Check {
        /// A file, or the number of a rule.
        target: String,
        #[command(flatten)]
        file: FileArguments,
        /// Who does it.
        #[arg(long, env = "USER", default_value = "operator")]
        by: String,
    },
    /// 测试 · Runs a script's own tests.
    Test {
        /// The script.
        script: PathBuf,
        #[command(flatten)]
        file: FileArguments,
    },
    /// 试算 · Asks a script one question, or what a payment was asked, and prints the answer.
    Run(run::Arguments),
    /// 起草 · Writes a script down as a draft and prints the rule's number.
    Draft {
        /// The script.
        script: PathBuf,
        #[command(flatten)]
        file: FileArguments,
        #[command(flatten)]
        whom: Whom,
        /// What it is for.
        #[arg(long, default_value = "")]
        note: String,
        /// Who writes it.
        #[arg(long, env = "USER", default_value = "operator")]
        by: String,
    },
    /// 影子运行 · Runs a checked rule, or a script, on the last payments and prints what would differ.
    Shadow {
        /// The number of a rule, or a file: then nothing is written down.
        target: String,
        #[command(flatten)]
        file: FileArguments,
        #[command(flatten)]
        whom: Whom,
        /// So many payments.
        #[arg(long, default_value_t = metropay_core::rule::SHADOW_DEFAULT)]
        last: u64,
        /// Who does it.
        #[arg(long, env = "USER", default_value = "operator")]
        by: String,
    },
    /// 批准 · Agrees to a rule; not its author.
    Approve(Act),
    /// 生效 · Puts an approved rule in force.
    Activate(Act),
    /// 恢复 · Puts a suspended rule in force again as it is.
    Resume(Act),
    /// 归档 · Ends a rule, or withdraws a draft.
    Archive(Act),
    /// 回滚 · Goes back to what stood before, in one action.
    Rollback {
        /// What it decides.
        #[arg(long, value_enum)]
        kind: KindWord,
        #[command(flatten)]
        whom: Whom,
        /// Who does it.
        #[arg(long, env = "USER", default_value = "operator")]
        by: String,
    },
    /// 说明 · Says which rule decides for a merchant, and why.
    Explain {
        /// What it decides.
        #[arg(long, value_enum)]
        kind: KindWord,
        /// The merchant; nobody means the platform's own.
        #[arg(long)]
        merchant: Option<String>,
    },
    /// 列出 · Lists the rules there are.
    List {
        /// Of this kind alone.
        #[arg(long, value_enum)]
        kind: Option<KindWord>,
        #[command(flatten)]
        whom: Whom,
    },
    /// 查看 · Prints a rule with its script, its reports and what was done with it.
    Show {
        /// Its number.
        rule_no: String,
    },
}

/// An act on a rule.
#[derive(Debug, Args)]
struct Act {
    /// Its number.
    rule_no: String,
    /// Who does it.
    #[arg(long, env = "USER", default_value = "operator")]
    by: String,
}

/// What belongs to a script in a file.
#[derive(Debug, Args)]
struct FileArguments {
    /// What it decides; read from the file's name where it says so (`fee.luau`, `night.fee.luau`) or from its folder.
    #[arg(long, value_enum)]
    kind: Option<KindWord>,
    /// Its tests; `NAME.test.luau` beside it where nothing is said.
    #[arg(long)]
    tests: Option<PathBuf>,
}

/// For whom a rule is; nobody named means the platform.
#[derive(Debug, Args)]
struct Whom {
    /// For one merchant.
    #[arg(long, conflicts_with = "category")]
    merchant: Option<String>,
    /// For a category (`retail`, `retail/department`).
    #[arg(long)]
    category: Option<String>,
}

impl Whom {
    fn place(&self, kind: Kind) -> Place {
        let (level, scope) = match (&self.merchant, &self.category) {
            (Some(mch_id), _) => (Level::Merchant, mch_id.clone()),
            (None, Some(category)) => (Level::Category, category.clone()),
            (None, None) => (Level::Platform, String::new()),
        };
        Place { kind, level, scope }
    }

    const fn is_named(&self) -> bool {
        self.merchant.is_some() || self.category.is_some()
    }
}

/// The kinds, as the command line writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindWord {
    /// Which account a payment goes through.
    Routing,
    /// The platform's fee.
    Fee,
    /// The form of codes.
    Code,
    /// How a membership system is spoken to.
    Membership,
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Routing => Self::Routing,
            KindWord::Fee => Self::Fee,
            KindWord::Code => Self::Code,
            KindWord::Membership => Self::Membership,
        }
    }
}

/// Runs the command to its end.
pub(super) async fn run(arguments: Arguments, folder: &Path) -> Result<ExitCode> {
    let Arguments { profile, json, verb } = arguments;
    let desk = Desk { profile, folder, json };
    match verb {
        Verb::Test { script, file } => file::test(&desk, &script, &file),
        Verb::Run(arguments) => run::run(&desk, arguments).await,
        Verb::Check { target, file, by } => match file::named(&target) {
            Some(script) => file::check(&desk, &script, &file).await,
            None => life::check(&desk, &target, &by).await,
        },
        Verb::Shadow {
            target,
            file,
            whom,
            last,
            by,
        } => match file::named(&target) {
            Some(script) => file::shadow(&desk, &script, &file, (&whom, last)).await,
            None => life::shadow(&desk, &target, last, &by).await,
        },
        Verb::Draft {
            script,
            file,
            whom,
            note,
            by,
        } => life::draft(&desk, (&script, &file), &whom, (note, by)).await,
        Verb::Approve(act) => life::approve(&desk, act).await,
        Verb::Activate(act) => life::activate(&desk, act).await,
        Verb::Resume(act) => life::resume(&desk, act).await,
        Verb::Archive(act) => life::archive(&desk, act).await,
        Verb::Rollback { kind, whom, by } => life::roll_back(&desk, &whom.place(kind.into()), &by).await,
        Verb::Explain { kind, merchant } => life::explain(&desk, kind.into(), merchant).await,
        Verb::List { kind, whom } => life::list(&desk, kind.map(Kind::from), &whom).await,
        Verb::Show { rule_no } => life::show(&desk, &rule_no).await,
    }
}

/// Where rules are worked on: the configuration, and how answers are printed.
struct Desk<'a> {
    profile: Profile,
    folder: &'a Path,
    json: bool,
}

impl Desk<'_> {
    /// The configuration alone.
    fn config(&self) -> Result<Config> {
        Config::load(self.profile, self.folder)
    }

    /// The engine on the database of the configuration. Running nodes notice what is changed within a second.
    async fn engine(&self) -> Result<Arc<Engine>> {
        let mut config = self.config()?;
        if self.profile == Profile::Demo {
            crate::demo::Folder::of(&config)?.complete(&mut config)?;
        }
        config.database.migrate = false;
        if let Some(file) = config.database.file() {
            anyhow::ensure!(file.exists(), "there is no database at {}", file.display());
        }
        let addr = ([127, 0, 0, 1], 0).into();
        let (engine, _) = build(&config, addr, Arc::new(SystemClock))
            .await
            .context("opening the database")?;
        Ok(engine)
    }
}
