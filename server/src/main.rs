//! The metropay command.

use std::process::ExitCode;

use clap::Parser;
use metropay_server::command::Command;

fn main() -> ExitCode {
    metropay_server::command::run(Command::parse())
}
