//! The page: one HTML file with everything in it, for any browser, without a network.
//!
//! Data goes in as JSON, of which the script makes text and nothing else; the policy in the page's head admits this
//! script and this style and no other, by their hashes. The script's files stand in [`SCRIPTS`], each for one thing, in
//! the order in which they are read. A new graph is a line in [`GRAPHS`].

mod escape;
mod follow;
mod frames;
mod intervals;
mod locks;
mod numbers;
mod sha256;
mod side;
mod streams;
mod tables;

use std::io::{self, Write};

use serde::Serialize;

use super::{Format, Options, Recording, flamegraph::shades, paths::Kind};
use crate::{
    profile::Profile,
    query::{Sampled, Selection},
};
use frames::{Forest, Tree};
use side::Side;

pub(super) const FORMAT: Format = Format {
    name: "html",
    extensions: &[".html", ".htm"],
    about: "one page with all of it, for any browser",
    text: true,
    says_nothing: true,
    compares: true,
    write,
};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 15] = [
    include_str!("figures.js"),
    include_str!("data.js"),
    include_str!("weights.js"),
    include_str!("colours.js"),
    include_str!("flame.js"),
    include_str!("tooltip.js"),
    include_str!("overview.js"),
    include_str!("heat.js"),
    include_str!("timings.js"),
    include_str!("ranges.js"),
    include_str!("tables.js"),
    include_str!("head.js"),
    include_str!("tabs.js"),
    include_str!("app.js"),
    include_str!("main.js"),
];

/// A flame graph of the page.
#[derive(Debug, Serialize)]
struct Graph {
    id: &'static str,
    title: &'static str,
    /// What the samples stand for.
    time: &'static str,
    /// Sample types by name; the graph is there if all of them are.
    streams: &'static [&'static str],
    /// Waiting threads alone: in cold colours.
    cold: bool,
}

/// Every flame graph there is. Sample types that are in none of them get one each.
const GRAPHS: [Graph; 4] = [
    Graph {
        id: "cpu",
        title: "CPU",
        time: "CPU time",
        streams: &["cpu"],
        cold: false,
    },
    Graph {
        id: "wall",
        title: "Wall clock",
        time: "wall-clock time",
        streams: &["cpu", "off_cpu"],
        cold: false,
    },
    Graph {
        id: "off-cpu",
        title: "Off-CPU",
        time: "waiting time",
        streams: &["off_cpu"],
        cold: true,
    },
    Graph {
        id: "lock",
        title: "Lock waits",
        time: "time waiting for locks",
        streams: &["lock"],
        cold: true,
    },
];

/// A kind of frame: what it is called and the colours it may have, busy and waiting.
#[derive(Debug, Serialize)]
struct Look {
    kind: &'static str,
    hot: ([u8; 3], [u8; 3]),
    cold: ([u8; 3], [u8; 3]),
}

/// Every kind of frame, in the order of their discriminants.
const KINDS: [(Kind, &str); 9] = [
    (Kind::Process, "process"),
    (Kind::Remark, "remark"),
    (Kind::Waiting, "waiting"),
    (Kind::Kernel, "kernel"),
    (Kind::KernelModule, "kernel module"),
    (Kind::User, "program"),
    (Kind::Library, "library"),
    (Kind::Jit, "generated code"),
    (Kind::Unnamed, "code without a name"),
];

/// All that the script reads.
#[derive(Debug, Serialize)]
struct Data {
    /// Raised when the script of an older page could not read it.
    version: u32,
    program: &'static str,
    /// The graph that is shown first.
    first: &'static str,
    graphs: &'static [Graph],
    kinds: Vec<Look>,
    tree: Tree,
    /// The recording, and the one that it is held against.
    sides: Vec<Side>,
}

fn write(
    profile: &Profile,
    selection: &Selection,
    options: &Options<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let this = Recording {
        trace: options.trace,
        profile,
        notes: options.notes,
        selection,
    };
    let data = data(&this, options);
    let script = SCRIPTS.concat();
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src '{}'; script-src '{}'",
        sha256::source(STYLE),
        sha256::source(&script)
    );
    // What is not in the middle of braces is written as it is; data are never looked at.
    for (index, piece) in PAGE.split(['{', '}']).enumerate() {
        match (index % 2, piece) {
            (0, text) => out.write_all(text.as_bytes())?,
            (_, "policy") => out.write_all(policy.as_bytes())?,
            (_, "style") => out.write_all(STYLE.as_bytes())?,
            (_, "script") => out.write_all(script.as_bytes())?,
            (_, "data") => {
                let mut json = serde_json::Serializer::with_formatter(&mut *out, escape::Escape);
                data.serialize(&mut json)?;
            }
            (_, other) => unreachable!("the page has no place for {other}"),
        }
    }
    out.flush()
}

fn data(this: &Recording<'_>, options: &Options<'_>) -> Data {
    let mut forest = Forest::default();
    let recordings = [Some(this), options.against.as_ref()];
    let drafts: Vec<_> = recordings
        .into_iter()
        .flatten()
        .map(|recording| side::draft(recording, &mut forest))
        .collect();
    let cut = forest.cut();
    let order = forest.finish();
    let sides = drafts
        .into_iter()
        .map(|draft| draft.finish(&order, cut))
        .collect();
    Data {
        version: 1,
        program: concat!("profiler ", env!("CARGO_PKG_VERSION")),
        first: match Sampled::of(this.profile, this.selection) {
            Sampled::Wall => "wall",
            Sampled::OffCpu => "off-cpu",
            Sampled::Lock => "lock",
            Sampled::Cpu | Sampled::Slow | Sampled::Other => "cpu",
        },
        graphs: &GRAPHS,
        kinds: KINDS
            .map(|(kind, name)| Look {
                kind: name,
                hot: shades(kind, false),
                cold: shades(kind, true),
            })
            .into(),
        tree: order.tree,
        sides,
    }
}

#[cfg(test)]
mod tests;
