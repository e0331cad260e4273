//! One street, one way: which module of `profiler` may use which.

use std::path::Path;

use super::Finding;

/// Who may use each module. `commands` and the crate root may use all of them.
///
/// The table of the crate's documentation says the same from the other side.
const MODULES: [(&str, &[&str]); 11] = [
    (
        "profile",
        &[
            "probes",
            "collect",
            "symbolize",
            "query",
            "report",
            "export",
            "tui",
        ],
    ),
    ("gopclntab", &["collect", "symbolize"]),
    ("probes", &["collect", "cli"]),
    ("collect", &[]),
    ("symbolize", &[]),
    ("query", &["report", "export", "tui"]),
    ("report", &[]),
    ("export", &["cli"]),
    ("tui", &[]),
    ("cli", &[]),
    ("commands", &[]),
];

/// Who may use the crates that are kept to a part of the street.
const CRATES: [(&str, &[&str]); 6] = [
    ("profiler_common", &["probes", "collect", "query"]),
    ("aya", &["collect"]),
    ("aya_log", &["collect"]),
    ("aya_obj", &["collect"]),
    ("blazesym", &["symbolize"]),
    ("ratatui", &["tui"]),
];

/// Checks the file at `path`, relative to `profiler/src`.
pub(super) fn check(path: &Path, code: &str) -> Vec<Finding> {
    let parts: Vec<_> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let Some(module) = parts
        .first()
        .filter(|name| !["lib", "main", "commands"].contains(&name.as_str()))
    else {
        return Vec::new();
    };
    // `super` once for every part of the module's path is the crate.
    let depth = parts.iter().filter(|part| *part != "mod").count();
    let mut findings = Vec::new();
    for Use { at, name, table } in used(code, depth) {
        let Some((_, users)) = table.iter().find(|(used, _)| *used == name) else {
            continue;
        };
        if name != *module && !users.contains(&module.as_str()) {
            let line = code[..at].lines().count().max(1);
            findings.push(Finding {
                line,
                text: format!("{module} may not use {name}"),
            });
        }
    }
    findings
}

/// A name at the start of a path, and the table that says who may use it.
struct Use<'a> {
    at: usize,
    name: &'a str,
    table: &'static [(&'static str, &'static [&'static str])],
}

/// The top-level modules and the crates that a file names.
fn used(code: &str, depth: usize) -> Vec<Use<'_>> {
    let mut used = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let length = identifier_length(rest);
        if length == 0 {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let supers = leading_supers(rest);
        let path_start = !code[..at].ends_with("::");
        if path_start && rest.starts_with("crate::") {
            names(code, at + "crate::".len(), &mut used);
        } else if path_start && supers >= depth && supers > 0 {
            names(code, at + supers * "super::".len(), &mut used);
        } else if rest[length..].starts_with("::") && is_crate(code, at) {
            used.push(Use {
                at,
                name: &rest[..length],
                table: &CRATES,
            });
        }
        at += length.max(supers * "super::".len());
    }
    used
}

/// The names that may follow a `::`: one, or those of a `{…}` group.
fn names<'a>(code: &'a str, start: usize, found: &mut Vec<Use<'a>>) {
    if !code[start..].starts_with('{') {
        let length = identifier_length(&code[start..]);
        found.push(Use {
            at: start,
            name: &code[start..start + length],
            table: &MODULES,
        });
        return;
    }
    let mut depth = 0_usize;
    let mut at = start;
    // Names stand first in the group or after a comma, at its own level.
    let mut expects_name = false;
    while at < code.len() {
        let rest = &code[at..];
        let length = identifier_length(rest);
        if length > 0 {
            if expects_name && depth == 1 {
                found.push(Use {
                    at,
                    name: &rest[..length],
                    table: &MODULES,
                });
            }
            expects_name = false;
            at += length;
            continue;
        }
        match rest.chars().next() {
            Some('{') => {
                depth += 1;
                expects_name = depth == 1;
            }
            Some('}') if depth == 1 => return,
            Some('}') => depth -= 1,
            Some(',') => expects_name = depth == 1,
            _ => {}
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
}

/// Whether the name at `at` starts a path in another crate: it follows no `::`, or it is the crate in `::aya::x`.
fn is_crate(code: &str, at: usize) -> bool {
    let before = &code[..at];
    match before.strip_suffix("::") {
        Some(before) => !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>'),
        None => true,
    }
}

fn identifier_length(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

fn leading_supers(text: &str) -> usize {
    let mut count = 0;
    while text[count * "super::".len()..].starts_with("super::") {
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, code: &str) -> Vec<String> {
        check(Path::new(path), code)
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn every_way_to_name_a_module_is_seen() {
        let wrong = ["1: query may not use report"];
        assert_eq!(findings("query/tree.rs", "use crate::report::Page;"), wrong);
        assert_eq!(
            findings("query/tree.rs", "use crate::{profile::{report, Id}, report};"),
            wrong
        );
        assert_eq!(
            findings("query/tree.rs", "let page = crate::report::Page::new();"),
            wrong
        );
        assert_eq!(findings("query/tree.rs", "use super::super::report;"), wrong);
        assert_eq!(findings("query/mod.rs", "use super::{profile, report};"), wrong);
        assert_eq!(findings("query.rs", "use super::report;"), wrong);
    }

    #[test]
    fn a_child_may_have_a_top_level_name() {
        assert!(findings("profile/mod.rs", "pub mod query; pub use query::Thing;").is_empty());
        assert!(findings("query/tree.rs", "use super::report::Thing;").is_empty());
        assert!(findings("query/tree.rs", "use crate::profile::{report, export::X};").is_empty());
    }

    #[test]
    fn the_street_runs_one_way() {
        assert!(findings("export/folded.rs", "use crate::{profile::Id, query};").is_empty());
        assert_eq!(
            findings("profile/mod.rs", "\nuse crate::query::Tree;"),
            ["2: profile may not use query"]
        );
        assert_eq!(
            findings("tui/app.rs", "use crate::collect;"),
            ["1: tui may not use collect"]
        );
        assert!(findings("commands/top.rs", "use crate::{collect, tui, symbolize};").is_empty());
        assert!(findings("lib.rs", "use crate::collect;").is_empty());
    }

    #[test]
    fn crates_are_kept_to_their_modules() {
        assert!(findings("collect/session.rs", "use aya::Ebpf; use profiler_common::event;").is_empty());
        assert_eq!(
            findings("profile/mod.rs", "use aya::Ebpf;"),
            ["1: profile may not use aya"]
        );
        assert_eq!(
            findings("profile/mod.rs", "fn f(x: ::aya::Ebpf) {}"),
            ["1: profile may not use aya"]
        );
        assert_eq!(
            findings("report/mod.rs", "use profiler_common::event::Sample;"),
            ["1: report may not use profiler_common"]
        );
        assert!(findings("query/mod.rs", "use crate::profile::aya::X;").is_empty());
    }
}
