//! Refuses to build when the API documents and the code generated from them no longer belong together.
//!
//! `just generate` records two sums in `generated/digest`: one over everything it reads, one over everything
//! it writes. Both are computed again here, exactly as `digest` in `api/generator/generate.py` does.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What generated code is made from.
const SOURCES: [&str; 2] = ["api", "schemas"];
/// Below `SOURCES`, but nothing that the output depends on: the runtime crate is ordinary Rust.
const NOT_SOURCES: [&str; 2] = ["api/generator/runtime/", "api/generator/node_modules/"];
/// What `just generate` writes, inside `generated/`.
const OUTPUT: [&str; 2] = ["src", "openapi"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A packaged build (`cargo vendor`) carries the generated code without the documents.
    if SOURCES.iter().all(|folder| !Path::new(folder).exists()) {
        return;
    }
    println!("cargo::rerun-if-changed=generated/digest");
    let Ok(recorded) = fs::read_to_string("generated/digest") else {
        println!("cargo::error=generated/digest is missing: run `just generate` and commit all of generated/");
        return;
    };
    let recorded = |part: &str| {
        recorded.lines().find_map(|line| line.strip_prefix(part)?.strip_prefix(' ')).unwrap_or_default().to_owned()
    };
    let checks = [
        ("sources", ".", SOURCES, "api/ or schemas/ changed after generated/ was written"),
        ("output", "generated", OUTPUT, "generated/ was edited by hand or is only partly committed"),
    ];
    for (part, base, roots, trouble) in checks {
        match digest(Path::new(base), &roots) {
            Ok(found) if found == recorded(part) => {}
            Ok(_) => println!("cargo::error={trouble}: run `just generate`, which writes generated/ anew"),
            Err(error) => println!("cargo::error={error}: generated/ cannot be checked; run `just generate`"),
        }
    }
}

/// The sum over names, lengths and bytes of all files below `roots`, line endings aside, as hexadecimal text.
fn digest(base: &Path, roots: &[&str]) -> Result<String, String> {
    let mut files = Vec::new();
    for root in roots {
        collect(&base.join(root), &mut files)?;
    }
    files.sort();
    let mut sum = Sha256::new();
    for file in files {
        let inside = file.strip_prefix(base).map_err(|error| format!("{}: {error}", file.display()))?;
        let name = inside.to_string_lossy().replace('\\', "/");
        if NOT_SOURCES.iter().any(|skip| name.starts_with(skip)) || name.contains("__pycache__") {
            continue;
        }
        println!("cargo::rerun-if-changed={}", file.display());
        let mut body = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        body.retain(|byte| *byte != b'\r');
        sum.update(format!("{name}\0{}\0", body.len()));
        sum.update(body);
    }
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All files at or below `path`. Folders are watched too, so that a new file is noticed.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    println!("cargo::rerun-if-changed={}", path.display());
    for entry in fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))? {
        collect(&entry.map_err(|error| format!("{}: {error}", path.display()))?.path(), files)?;
    }
    Ok(())
}
