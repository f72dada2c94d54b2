//! Rules in files: checked, tested and run on past payments without writing anything down.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use metropay_core::code::form::CodeForm;
use metropay_core::rule::{self, examine};
use metropay_core::rules::{Kind, Rules, Script};
use metropay_scripts::LuauRules;

use super::{Desk, FileArguments, Whom, print};

/// The file that a target names, where it names one.
pub(super) fn named(target: &str) -> Option<PathBuf> {
    let path = PathBuf::from(target);
    (path.extension().is_some() || path.exists()).then_some(path)
}

/// A script of a file with its tests.
pub(super) struct Read {
    pub(super) script: Script,
    pub(super) tests: String,
}

/// Reads a script and its tests.
pub(super) fn read(path: &Path, arguments: &FileArguments) -> Result<Read> {
    let kind = match arguments.kind {
        Some(kind) => kind.into(),
        None => kind_of(path)?,
    };
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let source = String::from_utf8(bytes).with_context(|| format!("{}: 不是 UTF-8 文本 / no UTF-8", path.display()))?;
    let tests = match &arguments.tests {
        Some(tests) => fs::read_to_string(tests).with_context(|| tests.display().to_string())?,
        None => beside(path)?,
    };
    Ok(Read {
        script: Script::new(kind, &source),
        tests,
    })
}

/// The tests beside a script; none where there is no such file.
fn beside(path: &Path) -> Result<String> {
    let tests = path.with_extension("test.luau");
    if tests.exists() {
        return fs::read_to_string(&tests).with_context(|| tests.display().to_string());
    }
    eprintln!("没有测试文件 {0} / there is no file of tests at {0}", tests.display());
    Ok(String::new())
}

/// The kind that a file's name or folder tells.
fn kind_of(path: &Path) -> Result<Kind> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let told = name.split('.').chain(folder).find_map(Kind::parse);
    match told {
        Some(kind) => Ok(kind),
        None => bail!(
            "{}: 无法从文件名得知规则种类，请加 --kind / its kind is not in its name: add --kind",
            path.display()
        ),
    }
}

/// Checks a script as a draft is checked.
pub(super) async fn check(desk: &Desk<'_>, path: &Path, arguments: &FileArguments) -> Result<ExitCode> {
    let Read { script, tests } = read(path, arguments)?;
    let question = desk.config()?.code.question()?;
    let rules = LuauRules::new();
    let platform: CodeForm = rules.form(&rules.default_script(Kind::Code), &question)?;
    let examined = tokio::task::spawn_blocking(move || examine(&rules, &script, &tests, &question, Some(&platform)));
    let (report, _) = examined.await?;
    print::check(desk, &path.display().to_string(), &report)
}

/// Runs a script's tests.
pub(super) fn test(desk: &Desk<'_>, path: &Path, arguments: &FileArguments) -> Result<ExitCode> {
    let Read { script, tests } = read(path, arguments)?;
    let rules = LuauRules::new();
    let runs = rules
        .compile(script.kind, &script.source)
        .and_then(|_| rules.test(&script, &tests));
    print::tests(desk, &path.display().to_string(), runs)
}

/// Runs a script on the last payments of those it would be for.
pub(super) async fn shadow(
    desk: &Desk<'_>,
    path: &Path,
    arguments: &FileArguments,
    (whom, last): (&Whom, u64),
) -> Result<ExitCode> {
    let Read { script, .. } = read(path, arguments)?;
    let engine = desk.engine().await?;
    let place = whom.place(script.kind);
    let report = rule::try_on_past(&engine, &script, &place, last).await?;
    print::shadow(desk, &report)
}
