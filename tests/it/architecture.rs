//! Who may import whom (house plan): read from the paths in `src/`, so that the layers stay layers.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One Rust file of `src/`: its path below it, and its code without comments and tests.
struct Source {
    path: String,
    code: String,
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("src can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") {
                into.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    assert!(files.len() > 20, "src is here");
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("text");
            let path = file.strip_prefix(&root).expect("below").to_string_lossy().replace('\\', "/");
            Source { path, code: code_of(&text) }
        })
        .collect()
}

fn code_of(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// Every path that a file's `use` items name, with groups taken apart: `a::{b, c::d}` is `a::b` and
/// `a::c::d`. `super` and `self` are made absolute.
fn uses(source: &Source) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = source.code.as_str();
    while let Some(at) = find_use(rest) {
        let item = &rest[at..];
        let end = item.find(';').unwrap_or(item.len());
        let compact: String = item[..end].split_whitespace().collect::<Vec<_>>().join(" ");
        expand("", &compact, &mut all);
        rest = &item[end..];
    }
    let module = module_of(&source.path);
    all.into_iter().map(|path| absolute(&module, &path)).collect()
}

fn find_use(code: &str) -> Option<usize> {
    code.match_indices("use ")
        .map(|(at, _)| at)
        .find(|at| {
            let line = &code[code[..*at].rfind('\n').map_or(0, |n| n + 1)..*at];
            matches!(line.trim(), "" | "pub" | "pub(crate)" | "pub(super)")
        })
        .map(|at| at + 4)
}

fn expand(prefix: &str, item: &str, into: &mut Vec<String>) {
    let item = item.trim();
    let Some(open) = item.find('{') else {
        let name = item.split(" as ").next().unwrap_or(item).trim();
        into.push(format!("{prefix}{name}").trim_end_matches("::self").to_owned());
        return;
    };
    let inner = &item[open + 1..item.rfind('}').unwrap_or(item.len())];
    let prefix = format!("{prefix}{}", &item[..open]);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inner[start..at], into);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner[start..].trim().is_empty() {
        expand(&prefix, &inner[start..], into);
    }
}

/// `resource/tokens/store.rs` is `crate::resource::tokens::store`.
fn module_of(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

fn absolute(module: &[String], path: &str) -> String {
    let mut at: Vec<&str> = module.iter().map(String::as_str).collect();
    let mut parts = path.split("::").peekable();
    let relative = matches!(parts.peek(), Some(&("super" | "self")));
    while let Some(first) = parts.peek() {
        match *first {
            "super" => drop(at.pop()),
            "self" => {}
            _ => break,
        }
        parts.next();
    }
    let rest: Vec<&str> = parts.collect();
    if relative { ["crate"].into_iter().chain(at).chain(rest).collect::<Vec<_>>().join("::") } else { path.to_owned() }
}

/// Whether code names a crate: in a `use`, or as the start of a path.
fn names_crate(source: &Source, name: &str) -> bool {
    let qualified = format!("{name}::");
    let in_path = source
        .code
        .match_indices(&qualified)
        .any(|(at, _)| !source.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
    in_path || uses(source).iter().any(|path| path == name || path.starts_with(&qualified))
}

fn layer(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next()?;
    if !path.starts_with("resource/") {
        return None;
    }
    if path.contains("/api/") {
        return Some("api");
    }
    ["api", "service", "store", "entity"].into_iter().find(|layer| name == format!("{layer}.rs"))
}

/// Only what speaks HTTP names it.
pub fn only_the_edge_speaks_http() {
    let edge = [
        "server.rs",
        "server/",
        "app.rs",
        "gate/",
        "dialect/",
        "web/",
        "web.rs",
        "cli.rs",
        "cli/",
        "protocol/",
        "flow/",
        "remote/",
        "outbound.rs",
    ];
    let mut broken = Vec::new();
    for source in sources() {
        if edge.iter().any(|e| source.path.starts_with(e)) || layer(&source.path) == Some("api") {
            continue;
        }
        for name in ["http", "hyper", "hyper_util", "tessera_api", "tessera_api_runtime"] {
            if names_crate(&source, name) {
                broken.push(format!("{} names {name}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// api → service → store → entity, and never back.
pub fn layers_look_down() {
    let rank = |layer: &str| ["entity", "store", "service", "api"].iter().position(|l| *l == layer);
    let mut broken = Vec::new();
    for source in sources() {
        let Some(own) = layer(&source.path).and_then(rank) else { continue };
        for path in uses(&source).into_iter().filter(|p| p.starts_with("crate::")) {
            let parts: Vec<&str> = path.split("::").collect();
            let above = parts.get(1) == Some(&"resource")
                && parts.iter().skip(2).filter_map(|p| rank(p)).any(|other| other > own);
            let edge = ["server", "gate", "web", "cli", "jobs"].iter().any(|e| parts.get(1) == Some(e));
            let dialect = parts.get(1) == Some(&"dialect") && layer(&source.path) != Some("api");
            if above || edge || dialect {
                broken.push(format!("{} uses {path}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A resource reaches another's rules through its service; its table only for reading, in a store.
pub fn resources_respect_each_other() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(own) = source.path.strip_prefix("resource/").and_then(|p| p.split('/').next()) else { continue };
        if layer(&source.path) != Some("api") {
            continue;
        }
        for path in uses(&source) {
            let parts: Vec<&str> = path.split("::").collect();
            if parts.len() > 3
                && parts[..2] == ["crate", "resource"]
                && parts[2] != own
                && matches!(parts[3], "store" | "entity")
            {
                broken.push(format!("{} uses {path}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Leaves know nothing of what stands on them.
pub fn leaves_are_leaves() {
    let mut broken = Vec::new();
    for source in sources() {
        let leaf = ["error.rs", "time.rs", "access.rs", "config.rs", "metrics.rs"].contains(&source.path.as_str())
            || source.path.starts_with("expression/")
            || source.path.starts_with("secret/")
            || source.path.starts_with("list/");
        if !leaf {
            continue;
        }
        for path in uses(&source).into_iter().filter(|p| p.starts_with("crate::")) {
            let target = path.split("::").nth(1).unwrap_or_default();
            let allowed = ["error", "list", "time", "secret", "access", "ctx", "db", "dialect", "expression"];
            if !allowed.contains(&target) || target == "dialect" {
                broken.push(format!("{} uses {path}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The reader of `use` items reads what it should.
pub fn the_reader_reads() {
    let source = Source {
        path: "resource/tokens/service.rs".into(),
        code: code_of(
            "//! use http;\nuse super::{entity::{A, B as C}, store::{self, D}};\npub use crate::app::App;\nuse hyper as h;\n\
             fn f() { ::std::mem::drop(xhttp::y()); }\n#[cfg(test)]\nmod tests {\nuse tessera_api::x;\n}\n",
        ),
    };
    let expected = [
        "crate::resource::tokens::entity::A",
        "crate::resource::tokens::entity::B",
        "crate::resource::tokens::store",
        "crate::resource::tokens::store::D",
        "crate::app::App",
        "hyper",
    ];
    assert_eq!(uses(&source), expected);
    assert!(names_crate(&source, "hyper"));
    assert!(!names_crate(&source, "http") && !names_crate(&source, "tessera_api"));
}
