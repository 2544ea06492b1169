//! What is refused before it runs: what Python itself refuses beyond its grammar, and what the interpreter
//! would pass over in silence, which is worse than an error.

use ruff_python_ast::{
    Expr, ModModule, Stmt, StmtClassDef, StmtFunctionDef,
    visitor::{self, Visitor},
};
use ruff_text_size::{Ranged, TextSize};
use serde::{Deserialize, Serialize};

/// Why a text is no program for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// As Python words it, or, where Python would take it, saying what is not supported.
    pub text: String,
    /// As the original counts: the first line of the expression is 2.
    pub line: u32,
}

/// A refusal that still has its place in bytes.
pub struct Found {
    pub text: String,
    pub at: TextSize,
}

/// Methods with a meaning of their own that the interpreter heeds. It has never heard of the others: an
/// object whose `__bool__` says no would be true.
const HEEDED: [&str; 14] = [
    "__init__",
    "__str__",
    "__repr__",
    "__eq__",
    "__ne__",
    "__hash__",
    "__iter__",
    "__next__",
    "__contains__",
    "__enter__",
    "__exit__",
    "__post_init__",
    "__index__",
    "__name__",
];

/// The first thing that is refused, in the order of the text.
pub fn first(module: &ModModule) -> Option<Found> {
    let mut search = Search { asynchronous: false, found: None };
    search.visit_body(&module.body);
    search.found
}

struct Search {
    /// Whether the innermost function is one that may wait.
    asynchronous: bool,
    found: Option<Found>,
}

impl Search {
    fn refuse(&mut self, text: impl Into<String>, what: &impl Ranged) {
        let at = what.start();
        if self.found.as_ref().is_none_or(|found| at < found.at) {
            self.found = Some(Found { text: text.into(), at });
        }
    }

    fn class(&mut self, class: &StmtClassDef) {
        for stmt in &class.body {
            let (name, place) = match stmt {
                Stmt::FunctionDef(StmtFunctionDef { name, .. }) => (name.as_str(), stmt.start()),
                Stmt::Assign(assign) => match assign.targets.as_slice() {
                    [Expr::Name(name)] => (name.id.as_str(), stmt.start()),
                    _ => continue,
                },
                _ => continue,
            };
            if name.starts_with("__") && name.ends_with("__") && !HEEDED.contains(&name) && name != "__slots__" {
                let text = format!("the special method '{name}' is not supported");
                self.found.get_or_insert(Found { text, at: place });
            }
        }
    }
}

impl<'a> Visitor<'a> for Search {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                let outer = std::mem::replace(&mut self.asynchronous, function.is_async);
                visitor::walk_stmt(self, stmt);
                self.asynchronous = outer;
                return;
            }
            Stmt::ClassDef(class) => self.class(class),
            Stmt::ImportFrom(import) if import.names.iter().any(|alias| alias.name.as_str() == "*") => {
                self.refuse("import * only allowed at module level", stmt);
            }
            Stmt::For(it) if it.is_async && !self.asynchronous => {
                self.refuse("'async for' outside async function", stmt);
            }
            Stmt::With(it) if it.is_async && !self.asynchronous => {
                self.refuse("'async with' outside async function", stmt);
            }
            Stmt::Delete(_) => self.refuse("the 'del' statement is not supported", stmt),
            Stmt::Match(_) => self.refuse("the 'match' statement is not supported", stmt),
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Await(_) if !self.asynchronous => self.refuse("'await' outside async function", expr),
            Expr::Yield(_) | Expr::YieldFrom(_) => self.refuse("'yield' is not supported", expr),
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}
