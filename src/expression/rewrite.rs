//! Small changes to an expression's text before it is compiled, where the interpreter would understand it
//! differently than Python does, or lacks a module that the prelude has. No change moves a line.
//!
//! - Truth: the interpreter calls every instance true, a query that finds nothing too. Whatever is tested
//!   goes through `_tsr_truth`.
//! - Queries: the interpreter cannot ask the server from within `__iter__`, so what is gone through goes
//!   through `_tsr_each`.
//! - Generator expressions are made at once; wrapped in `iter` they are at least consumed only once.
//! - `%` on texts and `|` on dictionaries.
//! - Imports of the modules that the prelude has.

use ruff_python_ast::{
    Alias, CmpOp, Comprehension, Expr, ExprBinOp, ModModule, Operator, Stmt, StmtImportFrom, UnaryOp,
    visitor::{self, Visitor},
};
use ruff_text_size::{Ranged, TextRange, TextSize};
use std::fmt::Write as _;

/// Modules that the prelude has.
const MODULES: [&str; 11] = [
    "authentik.core.models",
    "authentik.lib.config",
    "authentik.policies.types",
    "django.conf",
    "django.contrib.auth.models",
    "django.utils",
    "django.utils.text",
    "django.utils.timezone",
    "ipaddress",
    "time",
    "uuid",
];

/// Functions and methods that go through their arguments.
const CONSUMERS: [&str; 24] = [
    "all",
    "any",
    "dict",
    "difference",
    "enumerate",
    "extend",
    "filter",
    "frozenset",
    "intersection",
    "issubset",
    "issuperset",
    "iter",
    "join",
    "list",
    "map",
    "max",
    "min",
    "reversed",
    "set",
    "sorted",
    "sum",
    "tuple",
    "union",
    "zip",
];

/// What can be assigned on the request.
const SLOTS: [&str; 5] = ["user", "http_request", "obj", "context", "debug"];

/// One change: the text of `range` becomes `text`.
struct Edit {
    range: TextRange,
    text: String,
    /// Of two insertions at one place, the later one of a pair's ends comes first; see [`apply`].
    closes: bool,
}

/// The text with all changes made.
pub fn rewrite(source: &str, module: &ModModule) -> String {
    let mut changes = Changes { source, edits: Vec::new() };
    changes.visit_body(&module.body);
    apply(source, changes.edits)
}

fn apply(source: &str, mut edits: Vec<Edit>) -> String {
    // At one place the ends of inner parts come before the beginnings of outer ones; among beginnings the
    // outer comes first, and that is the order in which they were found. Ends are found outer first.
    let mut order: Vec<usize> = (0..edits.len()).collect();
    order.sort_by_key(|&index| {
        let edit = &edits[index];
        let at = u32::from(edit.range.start());
        let among = i64::try_from(index).unwrap_or(i64::MAX);
        if edit.closes { (at, 0, -among) } else { (at, 1, among) }
    });
    let mut text = String::with_capacity(source.len() + edits.len() * 16);
    let mut done = 0;
    for index in order {
        let edit = std::mem::replace(
            &mut edits[index],
            Edit { range: TextRange::default(), text: String::new(), closes: false },
        );
        let (start, end) = (usize::from(edit.range.start()), usize::from(edit.range.end()));
        // What lies within a part that was replaced as a whole is gone.
        if start < done {
            continue;
        }
        text.push_str(&source[done..start]);
        text.push_str(&edit.text);
        done = end;
    }
    text.push_str(&source[done..]);
    text
}

struct Changes<'s> {
    source: &'s str,
    edits: Vec<Edit>,
}

impl Changes<'_> {
    fn wrap(&mut self, range: TextRange, before: &str, after: &str) {
        self.edits.push(Edit { range: TextRange::empty(range.start()), text: before.to_owned(), closes: false });
        self.edits.push(Edit { range: TextRange::empty(range.end()), text: after.to_owned(), closes: true });
    }

    fn replace(&mut self, range: TextRange, text: impl Into<String>) {
        self.edits.push(Edit { range, text: text.into(), closes: false });
    }

    /// Marks what is tested. The parts of `and`, `or` and `not` are marked where these are met.
    fn truth(&mut self, expr: &Expr) {
        match expr {
            Expr::If(it) => {
                self.truth(&it.body);
                self.truth(&it.orelse);
            }
            Expr::Name(_)
            | Expr::Call(_)
            | Expr::Attribute(_)
            | Expr::Subscript(_)
            | Expr::Named(_)
            | Expr::Await(_) => {
                self.wrap(expr.range(), "_tsr_truth(", ")");
            }
            _ => {}
        }
    }

    /// Marks what is gone through.
    fn each(&mut self, expr: &Expr) {
        if let Expr::Name(_) | Expr::Call(_) | Expr::Attribute(_) | Expr::Subscript(_) | Expr::If(_) | Expr::BoolOp(_) =
            expr
        {
            self.wrap(expr.range(), "_tsr_each(", ")");
        }
    }

    fn operator(&mut self, op: &ExprBinOp, sign: char, function: &str) {
        // Between the two there are only brackets, blanks, comments and the sign.
        let gap = TextRange::new(op.left.end(), op.right.start());
        let Some(at) = sign_in(&self.source[gap], sign) else { return };
        let at = gap.start() + at;
        self.wrap(op.range, &format!("{function}(("), "))");
        self.replace(TextRange::at(at, TextSize::of(sign)), "), (");
    }

    fn import(&mut self, stmt: &Stmt, names: &[Alias]) {
        if !names.iter().any(|alias| MODULES.contains(&alias.name.as_str())) {
            return;
        }
        let parts: Vec<String> = names
            .iter()
            .map(|alias| {
                let (name, bound) = (alias.name.as_str(), alias.asname.as_ref());
                // `import a.b` binds `a`; that is left to the interpreter, which has no such module.
                if MODULES.contains(&name) && (bound.is_some() || !name.contains('.')) {
                    format!("{} = _tsr_import('{name}')", bound.map_or(name, |b| b.as_str()))
                } else {
                    bound.map_or_else(|| format!("import {name}"), |bound| format!("import {name} as {bound}"))
                }
            })
            .collect();
        self.replace(stmt.range(), parts.join("; "));
    }

    fn import_from(&mut self, import: &StmtImportFrom) {
        let Some(module) = import.module.as_ref().map(|m| m.as_str()) else { return };
        if import.level != 0 || !MODULES.contains(&module) {
            return;
        }
        let mut text = String::new();
        for alias in &import.names {
            let bound = alias.asname.as_ref().unwrap_or(&alias.name);
            let _ = write!(text, "{bound} = _tsr_import('{module}', '{}'); ", alias.name);
        }
        // As many lines as before, within the brackets of the last call.
        let lines = self.source[import.range].matches('\n').count();
        let text = text.trim_end_matches("; ").trim_end_matches(')');
        self.replace(import.range, format!("{text}{})", "\n".repeat(lines)));
    }
}

/// Where `sign` is in a text of brackets, blanks and comments.
fn sign_in(text: &str, sign: char) -> Option<TextSize> {
    let mut comment = false;
    let (at, _) = text.char_indices().find(|(_, c)| {
        comment = if comment { *c != '\n' } else { *c == '#' };
        !comment && *c == sign
    })?;
    u32::try_from(at).ok().map(TextSize::from)
}

impl<'a> Visitor<'a> for Changes<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::If(it) => {
                self.truth(&it.test);
                it.elif_else_clauses.iter().filter_map(|clause| clause.test.as_ref()).for_each(|test| self.truth(test));
            }
            Stmt::While(it) => self.truth(&it.test),
            Stmt::Assert(it) => self.truth(&it.test),
            Stmt::For(it) => self.each(&it.iter),
            Stmt::Import(it) => self.import(stmt, &it.names),
            Stmt::ImportFrom(it) => self.import_from(it),
            Stmt::Assign(it) => {
                if it.targets.iter().any(|target| matches!(target, Expr::Tuple(_) | Expr::List(_))) {
                    self.each(&it.value);
                }
                for target in &it.targets {
                    let Expr::Attribute(attribute) = target else { continue };
                    let on_request = matches!(&*attribute.value, Expr::Name(name) if name.id.as_str() == "request");
                    if on_request && !SLOTS.contains(&attribute.attr.as_str()) {
                        self.replace(attribute.value.range(), format!("_tsr_slot('{}')", attribute.attr));
                    }
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    /// Annotations are never looked at.
    fn visit_annotation(&mut self, _: &'a Expr) {}

    fn visit_comprehension(&mut self, comprehension: &'a Comprehension) {
        self.each(&comprehension.iter);
        comprehension.ifs.iter().for_each(|test| self.truth(test));
        visitor::walk_comprehension(self, comprehension);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::BoolOp(op) => op.values.iter().for_each(|value| self.truth(value)),
            Expr::UnaryOp(op) if op.op == UnaryOp::Not => self.truth(&op.operand),
            Expr::If(it) => self.truth(&it.test),
            Expr::Call(it) => {
                let name = match &*it.func {
                    Expr::Name(name) => name.id.as_str(),
                    Expr::Attribute(attribute) => attribute.attr.as_str(),
                    _ => "",
                };
                if CONSUMERS.contains(&name) {
                    it.arguments.args.iter().for_each(|argument| self.each(argument));
                }
            }
            Expr::Starred(it) if it.ctx.is_load() => self.each(&it.value),
            Expr::Compare(it) => {
                for (sign, right) in it.ops.iter().zip(&it.comparators) {
                    if matches!(sign, CmpOp::In | CmpOp::NotIn) {
                        self.each(right);
                    }
                }
            }
            Expr::Generator(it) => {
                let inner = if it.parenthesized {
                    TextRange::new(it.start() + TextSize::of('('), it.end() - TextSize::of(')'))
                } else {
                    it.range
                };
                self.wrap(inner, "iter([", "])");
            }
            Expr::BinOp(op) if op.op == Operator::Mod => self.operator(op, '%', "_tsr_mod"),
            Expr::BinOp(op) if op.op == Operator::BitOr => self.operator(op, '|', "_tsr_or"),
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(source: &str) -> String {
        let parsed = ruff_python_parser::parse_module(source).expect("parses");
        rewrite(source, parsed.syntax())
    }

    #[test]
    fn what_is_tested_is_asked_for_its_truth() {
        for (given, expected) in [
            ("if a: pass", "if _tsr_truth(a): pass"),
            ("if not (a and b.c()): pass", "if not (_tsr_truth(a) and _tsr_truth(b.c())): pass"),
            ("x = a or b", "x = _tsr_truth(a) or _tsr_truth(b)"),
            ("x = 1 if a else 2", "x = 1 if _tsr_truth(a) else 2"),
            ("if (a\n  or b): pass", "if (_tsr_truth(a)\n  or _tsr_truth(b)): pass"),
            ("[x for x in y if x.z]", "[x for x in _tsr_each(y) if _tsr_truth(x.z)]"),
            ("if a == 1: pass", "if a == 1: pass"),
            ("f'{a if b else c}'", "f'{a if _tsr_truth(b) else c}'"),
            ("while (n := f()): pass", "while (_tsr_truth(n := f())): pass"),
        ] {
            assert_eq!(rewritten(given), expected);
        }
    }

    #[test]
    fn operators_become_functions() {
        for (given, expected) in [
            ("'%s' % x", "_tsr_mod(('%s' ), ( x))"),
            ("('%s') % (a, b)", "_tsr_mod((('%s') ), ( (a, b)))"),
            ("a % b % c", "_tsr_mod((_tsr_mod((a ), ( b)) ), ( c))"),
            ("(a # %\n % b)", "(_tsr_mod((a # %\n ), ( b)))"),
            ("{**a} | b", "_tsr_or(({**a} ), ( b))"),
            ("def f(a: int | None): pass", "def f(a: int | None): pass"),
        ] {
            assert_eq!(rewritten(given), expected);
        }
    }

    #[test]
    fn generators_are_consumed_once() {
        assert_eq!(rewritten("(x for x in [])"), "(iter([x for x in []]))");
        assert_eq!(rewritten("sum(x for x in [])"), "sum(iter([x for x in []]))");
        assert_eq!(rewritten("f((x for x in []), 1)"), "f((iter([x for x in []])), 1)");
    }

    #[test]
    fn what_is_gone_through_is_asked_for_first() {
        for (given, expected) in [
            ("for x in y: pass", "for x in _tsr_each(y): pass"),
            ("x in y.all()", "x in _tsr_each(y.all())"),
            ("list(y)", "list(_tsr_each(y))"),
            ("','.join(y)", "','.join(_tsr_each(y))"),
            ("f(*y, y)", "f(*_tsr_each(y), y)"),
            ("a, b = y", "a, b = _tsr_each(y)"),
            ("a, *b = 1, 2", "a, *b = 1, 2"),
        ] {
            assert_eq!(rewritten(given), expected);
        }
    }

    #[test]
    fn imports_of_our_modules_are_looked_up() {
        for (given, expected) in [
            ("import json", "import json"),
            ("import uuid as u, json", "u = _tsr_import('uuid'); import json"),
            ("from json import loads", "from json import loads"),
            ("from django.utils.timezone import now", "now = _tsr_import('django.utils.timezone', 'now')"),
            (
                "from authentik.core.models import (\n  User,\n  Group as G,\n)\nx",
                "User = _tsr_import('authentik.core.models', 'User'); G = _tsr_import('authentik.core.models', 'Group'\n\n\n)\nx",
            ),
        ] {
            assert_eq!(rewritten(given), expected);
        }
    }

    #[test]
    fn the_request_has_only_its_own_attributes() {
        assert_eq!(rewritten("request.foo = 1"), "_tsr_slot('foo').foo = 1");
        assert_eq!(rewritten("request.obj = 1"), "request.obj = 1");
    }
}
