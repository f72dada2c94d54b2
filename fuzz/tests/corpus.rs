//! The inputs that a fuzzer found worth keeping are read again by every run of the tests.

use std::path::Path;

use metropay_fuzz::PARSERS;

#[test]
fn every_kept_input_is_read_without_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, parser) in PARSERS {
        let inputs = std::fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("corpus/{name}: {error}"));
        let mut count = 0;
        for input in inputs {
            let path = input.expect("a readable folder").path();
            parser(&std::fs::read(&path).expect("a readable input"));
            count += 1;
        }
        assert!(
            count > 0,
            "corpus/{name} is empty: run `make fuzz` and keep what it finds"
        );
    }
}

#[test]
fn every_parser_has_a_target_and_every_target_a_parser() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/targets");
    let mut found: Vec<String> = std::fs::read_dir(targets)
        .expect("the targets' folder")
        .map(|entry| {
            entry
                .expect("a readable folder")
                .file_name()
                .to_string_lossy()
                .replace(".rs", "")
        })
        .collect();
    found.sort();
    let mut known: Vec<&str> = PARSERS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(found, known);
}
