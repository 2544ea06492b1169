//! From the text of an expression to a program for the interpreter.
//!
//! The original puts the text into a function, four blanks to the right, so that it can `return`; that is
//! why the first line counts as 2 and why the lines of a long text literal begin with blanks.

use super::{
    check::{self, Refused},
    prelude, rewrite, syntax,
};
use monty::MontyRun;
use monty_types::{AssertMessageAnnotations, CompileOptions, ExcType, MontyException};
use ruff_python_ast::Stmt;
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

/// Deepest nesting that is parsed: far more than people write, far less than the stack holds.
const DEEPEST: u16 = 150;

/// What comes after an expression: it is called, and what came out is handed over.
const EPILOGUE: &str = "
try:
    _tsr_value = handler()
except Exception as _tsr_exc:
    _tsr_native('failed', str(_tsr_exc), _tsr_logs, _tsr_json(context))
    raise
(True if _tsr_truth(_tsr_value) else False, _tsr_value is None, _tsr_value if _tsr_input['wants_value'] else None,
 _tsr_messages, _tsr_logs, _tsr_json(context))
";

/// What the program calls.
pub const HOST: &str = "_tsr_host";
pub const NATIVE: &str = "_tsr_native";

/// A program that can be run.
#[derive(Debug, Clone)]
pub struct Program {
    pub run: MontyRun,
    /// Lines before the expression.
    pub offset: u32,
    /// Lines of the expression itself, with the function's head.
    pub lines: u32,
}

/// The text within its function, as the original puts it.
fn wrapped(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut text = String::from("def handler():\n");
    for line in source.split_inclusive('\n') {
        // Lines of blanks stay as they are.
        if !line.trim().is_empty() {
            text.push_str("    ");
        }
        text.push_str(line);
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Makes a program of a text.
///
/// # Errors
/// Where the text is not Python, or Python that cannot run here.
pub fn compile(source: &str) -> Result<Program, Refused> {
    let text = wrapped(source);
    let lines = u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX);
    let options = ParseOptions::from(Mode::Module).with_max_recursion_depth(DEEPEST);
    let parsed = parse_unchecked(&text, options);
    let body_of = |stmts: &[Stmt]| stmts.first().and_then(|s| s.as_function_def_stmt()).map_or(0, |f| f.body.len());
    let module = parsed.syntax().as_module();
    if module.is_none_or(|module| body_of(&module.body) == 0) && only_comments(source) {
        let text = "expected an indented block after function definition on line 1".to_owned();
        return Err(Refused { text, line: lines + 1 });
    }
    if !parsed.errors().is_empty() {
        return Err(syntax::explain(&text, parsed.errors(), parsed.tokens()));
    }
    let Some(module) = module else { return Err(Refused { text: "invalid syntax".to_owned(), line: 2 }) };
    if let Some(found) = check::first(module) {
        return Err(Refused { text: found.text, line: syntax::line_of(&text, found.at) });
    }
    let before = prelude::of(source);
    let offset = u32::try_from(before.matches('\n').count()).unwrap_or(u32::MAX);
    let code = format!("{before}{}{EPILOGUE}", rewrite::rewrite(&text, module));
    let names = vec![HOST.to_owned(), NATIVE.to_owned()];
    let options = CompileOptions { assert_message_annotations: AssertMessageAnnotations::Off };
    let run = MontyRun::new(code, "expression", names, options).map_err(|error| lacking(&error, offset))?;
    Ok(Program { run, offset, lines })
}

fn only_comments(source: &str) -> bool {
    source.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// What the interpreter's compiler refuses.
fn lacking(error: &MontyException, offset: u32) -> Refused {
    let line = error.traceback().last().map_or(2, |frame| frame.start.line.saturating_sub(offset));
    let said = error.message().unwrap_or("invalid syntax");
    let text = match error.exc_type() {
        ExcType::SyntaxError => said.to_owned(),
        _ => {
            let what = said.trim_start_matches("The monty syntax parser does not yet support ");
            if what == said { said.to_owned() } else { format!("{what} not supported") }
        }
    };
    Refused { text, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str) -> String {
        match compile(source) {
            Ok(_) => "taken".to_owned(),
            Err(refused) => format!("{} (line {})", refused.text, refused.line),
        }
    }

    #[test]
    fn mistakes_are_told_as_python_tells_them() {
        for (source, expected) in [
            ("return 1", "taken"),
            ("x = 1\r\nreturn x == 1\r\n", "taken"),
            ("return (True", "'(' was never closed (line 2)"),
            ("return {", "'{' was never closed (line 2)"),
            ("return True)", "unmatched ')' (line 2)"),
            ("return [1)", "closing parenthesis ')' does not match opening parenthesis '[' (line 2)"),
            ("if True\n    return True", "expected ':' (line 2)"),
            ("return True\n return False", "unexpected indent (line 3)"),
            ("if True:\nreturn True", "expected an indented block after 'if' statement on line 2 (line 3)"),
            ("# nothing here", "expected an indented block after function definition on line 1 (line 3)"),
            ("this is not python", "taken"),
            ("return = 1", "invalid syntax (line 2)"),
            ("await foo()", "'await' outside async function (line 2)"),
            ("async def f():\n    return 1\nreturn True", "taken"),
            ("break", "'break' outside loop (line 2)"),
            ("nonlocal x\nreturn True", "no binding for nonlocal 'x' found (line 2)"),
            ("return a && b", "invalid syntax (line 2)"),
            ("{% if request.user.is_superuser %}1{% endif %}", "invalid syntax (line 2)"),
            ("return f'{'", "f-string: expecting '}' (line 2)"),
            ("from math import *\nreturn True", "import * only allowed at module level (line 2)"),
            ("print 'x'\nreturn True", "Missing parentheses in call to 'print'. Did you mean print(...)? (line 2)"),
            ("return 'x", "unterminated string literal (detected at line 2) (line 2)"),
            ("if x = 3:\n    pass", "invalid syntax. Maybe you meant '==' or ':=' instead of '='? (line 2)"),
        ] {
            assert_eq!(refused(source), expected, "{source}");
        }
    }

    #[test]
    fn what_the_interpreter_lacks_is_refused_with_its_line() {
        for (source, expected) in [
            ("x = 1\nyield x", "'yield' is not supported (line 3)"),
            ("d = {}\n\ndel d['x']", "the 'del' statement is not supported (line 4)"),
            ("match x:\n    case 1:\n        pass", "the 'match' statement is not supported (line 2)"),
            ("class A(B):\n    pass", "class inheritance and metaclasses not supported (line 2)"),
            (
                "class A:\n    def __bool__(self):\n        return False",
                "the special method '__bool__' is not supported (line 3)",
            ),
        ] {
            assert_eq!(refused(source), expected, "{source}");
        }
    }

    #[test]
    fn what_nests_without_end_is_refused() {
        for source in ["(".repeat(100_000), "[".repeat(100_000), "-".repeat(100_000)] {
            assert_ne!(refused(&format!("return {source}1")), "taken");
        }
    }
}
