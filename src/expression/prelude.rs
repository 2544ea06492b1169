//! What stands before an expression: the sections of `prelude/*.py` that it needs. A section costs time to
//! make at every run, so what the text does not name is left out.

use std::{fmt::Write as _, sync::LazyLock};

const FILES: [&str; 8] = [
    include_str!("prelude/core.py"),
    include_str!("prelude/lacking.py"),
    include_str!("prelude/values.py"),
    include_str!("prelude/models.py"),
    include_str!("prelude/request.py"),
    include_str!("prelude/helpers.py"),
    include_str!("prelude/modules.py"),
    include_str!("prelude/start.py"),
];

struct Section {
    name: &'static str,
    /// Any of these in the text of an expression asks for the section; `*` is always there.
    when: Vec<&'static str>,
    needs: Vec<&'static str>,
    code: &'static str,
}

static SECTIONS: LazyLock<Vec<Section>> = LazyLock::new(|| {
    FILES
        .iter()
        .flat_map(|file| file.split("\n#: ").skip(1))
        .map(|part| {
            let (head, code) = part.split_once('\n').unwrap_or((part, ""));
            let mut columns = head.split(';').map(str::trim);
            let mut words = || columns.next().unwrap_or_default().split(',').filter(|w| !w.is_empty()).collect();
            let name: Vec<_> = words();
            Section { name: name.first().copied().unwrap_or_default(), when: words(), needs: words(), code }
        })
        .collect()
});

/// The program text that stands before an expression.
pub fn of(source: &str) -> String {
    let sections = &*SECTIONS;
    let asked = |section: &Section| section.when.iter().any(|word| *word == "*" || source.contains(word));
    let mut wanted: Vec<bool> = sections.iter().map(asked).collect();
    let mut open: Vec<usize> = (0..sections.len()).filter(|index| wanted[*index]).collect();
    while let Some(index) = open.pop() {
        for need in &sections[index].needs {
            if let Some(at) = sections.iter().position(|section| section.name == *need)
                && !std::mem::replace(&mut wanted[at], true)
            {
                open.push(at);
            }
        }
    }
    let mut text = String::new();
    for (section, _) in sections.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
        let _ = writeln!(text, "{}", section.code.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_section_needs_is_there() {
        for section in &*SECTIONS {
            for need in &section.needs {
                assert!(SECTIONS.iter().any(|s| s.name == *need), "{} needs {need}", section.name);
            }
        }
        assert!(of("ak_create_event('x')").contains("request = PolicyRequest("));
    }

    #[test]
    fn only_what_is_named_is_there() {
        let small = of("return True");
        assert!(small.contains("ak_message") && !small.contains("class User"), "{small}");
        assert!(of("return ak_is_group_member(request.user, name='x')").contains("class QuerySet"));
    }
}
