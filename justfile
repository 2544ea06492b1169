# The recipes people type. `just` is on PyPI (rust-just) and crates.io; nothing here needs more than the
# Rust toolchain, Python 3 and Node.js, except where the recipe says so.

# List the recipes
default:
    @just --list --unsorted

# Say what is there and what is missing, and fetch the crates
setup:
    #!/usr/bin/env bash
    set -euo pipefail
    for tool in cargo python3 node npm cc; do
        command -v "$tool" >/dev/null && echo "found    $tool" || echo "missing  $tool"
    done
    for tool in psql:postgresql:test-postgres wrk:wrk:bench chromium:chromium:web cargo-deny:cargo-deny:deny; do
        IFS=: read -r program package recipe <<<"$tool"
        command -v "$program" >/dev/null && echo "found    $program" || echo "missing  $program ($package; only for \`just $recipe\`)"
    done
    cargo fetch --locked

# Start the server (http://127.0.0.1:9000, data in data/)
run *arguments:
    cargo run --release --locked -- {{arguments}}

# Write generated/ anew from api/ and schemas/
generate:
    python3 api/generator/generate.py

# Fail unless generated/ is what the documents give
generate-check:
    python3 api/generator/generate.py --check

# Lint the API documents
lint-docs:
    python3 api/generator/generate.py --lint

# Format the Rust code
fmt:
    cargo fmt

# Fail unless the Rust code is formatted
fmt-check:
    cargo fmt --check

# Clippy, warnings are errors
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Build the documentation, private items too, warnings are errors
doc:
    RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --locked

# The tests, on SQLite (and on PostgreSQL when TESSERA_TEST_POSTGRES names a server)
test *arguments:
    cargo test {{arguments}}

# The tests on both databases; starts a PostgreSQL of its own
test-postgres *arguments:
    .ci/with-postgres cargo test {{arguments}}

# authentik's and SailPoint's published Python and TypeScript SDKs against the server
sdk *arguments:
    python3 tests/sdk/run.py {{arguments}}

# The pages in a real browser (needs chromium and curl; --pictures FOLDER photographs them)
web *arguments:
    python3 tests/web/run.py {{arguments}}

# Recovery e-mails through mail servers of several kinds (needs openssl)
mail *arguments:
    python3 tests/mail/run.py {{arguments}}

# The recorded exchanges of a real authentik against the server
exchange *arguments:
    python3 tests/exchange/run.py {{arguments}}

# What a real authentik decided with policies, expressions and passwords, against the server
corpora *arguments:
    python3 tests/exchange/corpora/run.py {{arguments}}

# schemathesis against a seeded server, from the document it serves (--seconds 600, --vary, --seed N)
contract *arguments:
    python3 tests/contract/run.py {{arguments}}

# Kill server and PostgreSQL under write load: is every acknowledged write there? (200 + 10 rounds)
crash *arguments:
    python3 tests/crash/run.py {{arguments}}

# Measure (needs wrk, 2 GiB of disk and 30 minutes); --policies, --scale, --sweep, --logins or --trades for one part, --write puts the tables into docs/performance.md
bench *arguments:
    python3 tests/bench/run.py {{arguments}}

# Licences, bans and sources of the dependencies (needs cargo-deny)
deny:
    @if command -v cargo-deny >/dev/null; then cargo deny --locked check licenses bans sources; else echo "skipped: cargo-deny is not installed (\`cargo install cargo-deny\`)"; fi

# Everything `cargo test` does not do: format, lints, docs, generated code, PostgreSQL, recordings, corpora, SDKs, mails, pages, schemathesis, crashes, benchmark
ci:
    python3 .ci/steps.py ci
