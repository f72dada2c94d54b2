//! `make new-channel name=foo`: a new channel from the template.

use std::path::Path;
use std::process::ExitCode;

use metropay_channel_kit::template::new_channel;

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("usage: make new-channel name=foo");
        return ExitCode::FAILURE;
    };
    let kit = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = kit.ancestors().nth(2).unwrap_or(kit);
    match new_channel(root, &name) {
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
        Ok(made) => {
            for file in &made.files {
                println!("{}", file.display());
            }
            println!();
            println!("It compiles. What is still to be written:  grep -rn 'FILL IN:' channels/{name}");
            println!("What must hold when it is:                 cargo test -p metropay-channel-{name}");
            println!("To link it, one line in server/src/registry.rs, among the others:");
            println!("{}", made.registration);
            println!("and its name in server/Cargo.toml:");
            println!("{}", made.dependency);
            ExitCode::SUCCESS
        }
    }
}
