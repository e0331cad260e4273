//! Whether real output is what the schema says. The checker knows the few words that the schema uses and refuses
//! every other, so that no rule goes unchecked.

use serde_json::Value;

use super::*;
use crate::{query::Targets, report::Idle};

fn schema() -> Value {
    serde_json::from_str(json::SCHEMA).expect("the schema is JSON")
}

fn check(schema: &Value, root: &Value, value: &Value, path: &str) -> Result<(), String> {
    for (word, rule) in schema.as_object().expect("a schema is an object") {
        let ok = match word.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let name = rule
                    .as_str()
                    .and_then(|name| name.strip_prefix("#/$defs/"))
                    .expect("a local reference");
                check(&root["$defs"][name], root, value, path)?;
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|kind| is(value, kind)),
                kind => is(value, kind),
            },
            "const" => value == rule,
            "enum" => rule.as_array().expect("an array").contains(value),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().expect("a number")),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= rule.as_f64().expect("a number")),
            "required" => value.as_object().is_none_or(|object| {
                rule.as_array()
                    .expect("an array")
                    .iter()
                    .all(|key| object.contains_key(key.as_str().unwrap()))
            }),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, root, item, &format!("{path}/{index}"))?;
                }
                true
            }
            "properties" => {
                for (key, item) in value.as_object().into_iter().flatten() {
                    if let Some(rule) = rule.get(key) {
                        check(rule, root, item, &format!("{path}/{key}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = |key: &String| {
                    schema
                        .get("properties")
                        .is_some_and(|known| known.get(key).is_some())
                };
                for (key, item) in value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter(|(key, _)| !known(key))
                {
                    if *rule == Value::Bool(false) {
                        return Err(format!("{path}/{key} is not in the schema"));
                    }
                    check(rule, root, item, &format!("{path}/{key}"))?;
                }
                true
            }
            unknown => return Err(format!("the checker does not know {unknown:?}")),
        };
        if !ok {
            return Err(format!("{path}: {value} breaks {word}: {rule}"));
        }
    }
    Ok(())
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().expect("a type is a word") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        unknown => panic!("no such type: {unknown}"),
    }
}

fn conforms(report: &Report<'_>) -> Value {
    let schema = schema();
    let json = as_json(report);
    assert_eq!(json.lines().count(), 1);
    let value: Value = serde_json::from_str(&json).expect("the report is JSON");
    check(&schema, &schema, &value, "").unwrap();
    let answers = [
        "functions",
        "tree",
        "groups",
        "states",
        "syscalls",
        "slow",
        "files",
        "sockets",
        "wakers",
        "locks",
        "block",
        "async",
    ];
    let answers = answers.iter().filter(|answer| value.get(**answer).is_some());
    assert_eq!(answers.count(), 1);
    value
}

#[test]
fn every_view_of_every_recording_conforms() {
    let filtered = Selection {
        time: Some(0..u64::MAX),
        pids: vec![7],
        comm: Some(crate::query::Glob::any(["a*", "b"])),
        modules: vec!["app".into()],
        pattern: Some("main".into()),
        cgroup: Some(String::new()),
        ..Selection::default()
    };
    let idle = QualityWindow {
        idle: 1,
        ..QualityWindow::default()
    };
    let views = GroupBy::ALL.map(View::Groups).into_iter();
    let trees = [Direction::TopDown, Direction::BottomUp].map(View::Tree);
    let states = Owner::ALL.map(View::States);
    let wakers = Owner::ALL.map(View::Wakers);
    // Of threads, nothing of this is known.
    let by_process = Owner::ALL.into_iter().filter(|by| *by != Owner::Thread);
    let counted = by_process.flat_map(|by| [View::Syscalls(by), View::Block(by)]);
    let slow = [Idle::LeftOut, Idle::Shown].into_iter().flat_map(|idle| {
        let targets = [Targets::Files, Targets::Sockets].map(|asked| View::Targets(asked, idle));
        targets.into_iter().chain([View::Slow(idle)])
    });
    let views = views.chain(trees).chain(states).chain(wakers);
    let views = views.chain(counted).chain(slow);
    let lengths = [View::Async(0), View::Async(100_000_000)];
    for view in views
        .chain(lengths)
        .chain([FUNCTIONS, locks::LOCKS, locks::LONG_KERNEL])
    {
        let profiles = [
            Profile::default(),
            busy(),
            bad(),
            without_samples(idle.clone()),
            states::waiting(),
            calls::calls(),
            async_blocking::server(),
            locks::shop(),
        ];
        for profile in profiles {
            conforms(&report(&profile, &Selection::default(), view));
            conforms(&report(&profile, &filtered, view));
        }
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let (profile, schema) = (bad(), schema());
    let good = conforms(&report(&profile, &Selection::default(), FUNCTIONS));
    let wrong: [(&str, Value); 5] = [
        ("/version", 2.into()),
        ("/quality/lost", "12".into()),
        ("/quality/lost_by_reason/ring full", (-1).into()),
        ("/functions/0/self/percent", 100.1.into()),
        ("/functions/0/total", Value::Object(Default::default())),
    ];
    for (pointer, value) in wrong {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(check(&schema, &schema, &bad, "").is_err(), "{pointer}");
    }
    let mut bad = good;
    bad["surprise"] = Value::Null;
    assert!(check(&schema, &schema, &bad, "").is_err());
}

#[test]
fn figures_and_names_are_exact() {
    let hostile = from_folded("a\x1b/7;main;\u{9b}f 3\na\x1b/7;main 1");
    let value = conforms(&report(&hostile, &Selection::default(), FUNCTIONS));
    assert_eq!(value["functions"][0]["function"], "\u{9b}f");
    assert_eq!(value["functions"][0]["module"], "a\x1b");
    assert_eq!(value["functions"][0]["self"]["samples"], 3);
    assert_eq!(value["functions"][0]["self"]["percent"], 75.0);
    assert_eq!(value["functions"][1]["total"]["samples"], 4);
    assert_eq!(value["quality"]["complete_percent"], 100.0);
    assert_eq!(value["quality"]["own_cpu_percent"], Value::Null);
}

#[test]
fn a_tree_is_a_list_in_which_parents_come_first() {
    let profile = busy();
    let value = conforms(&report(
        &profile,
        &Selection::default(),
        View::Tree(Direction::TopDown),
    ));
    let nodes = value["tree"]["nodes"].as_array().unwrap();
    let flat: Vec<_> = nodes
        .iter()
        .map(|node| (node["parent"].as_u64(), node["function"].as_str().unwrap()))
        .collect();
    assert_eq!(
        flat[..6],
        [
            (None, "_start"),
            (Some(0), "main"),
            (Some(1), "hot"),
            (Some(2), "spin"),
            (Some(1), "warm"),
            (Some(4), "spin")
        ]
    );
}
