//! The metropay command with its fail points, so that tests can start real processes and let them die at a given place.

use std::process::ExitCode;

use clap::Parser;
use metropay_server::command::Command;

fn main() -> ExitCode {
    metropay_server::command::run(Command::parse())
}
