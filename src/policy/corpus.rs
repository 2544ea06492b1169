//! The recorded cases that the tests of policies replay (`tests/exchange/corpora`).

use serde_json::Value;
use std::io::{BufRead as _, BufReader};

/// Every recorded case of a family, in its order.
pub(super) fn cases(family: &str) -> Vec<Value> {
    let path = format!("{}/tests/exchange/corpora/{family}.jsonl.gz", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::File::open(path).expect("the corpus is there");
    BufReader::new(flate2::read::GzDecoder::new(file))
        .lines()
        .map(|line| serde_json::from_str(&line.expect("text")).expect("JSON"))
        .collect()
}
