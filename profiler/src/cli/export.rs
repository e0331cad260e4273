//! The flags of `profiler export`.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use super::FilterOptions;
use crate::export::{self, FORMATS, Format};

#[derive(Debug, Args)]
#[command(after_help = format!("\
Formats:
{}
Folded stacks and flame graphs count samples; with --profile off-cpu or wall, microseconds. With --profile wall, stacks \
of waiting threads end in a frame [waiting]; in flame graphs it is blue. pprof has a value for each: -sample_index \
chooses among samples, cpu, off_cpu and wall. --profile lock counts microseconds of waiting for locks, each stack with \
the lock at its end. The html page has all of it, whatever --profile says: that is shown first.", export::list()))]
pub struct ExportOptions {
    /// The trace to read
    #[arg(value_name = "FILE", default_value = "profiler.trace", value_hint = clap::ValueHint::FilePath)]
    pub trace: PathBuf,

    /// Where to write; the extension names the format, `-` is standard output (may be repeated)
    #[arg(short, long, value_name = "OUT", value_hint = clap::ValueHint::FilePath)]
    pub output: Vec<PathBuf>,

    /// The format, whatever the extension says; without -o, write to standard output
    #[arg(long, value_parser = format_values())]
    pub format: Option<&'static Format>,

    /// Flame graphs grow downwards: callers above, callees below; the html page turns them by a button
    #[arg(long)]
    pub inverted: bool,

    /// Hold the trace against this one, as it was before: two flame graphs side by side, frames coloured by what
    /// changed; for .html
    #[arg(long, value_name = "BASE", value_hint = clap::ValueHint::FilePath)]
    pub against: Option<PathBuf>,

    #[command(flatten)]
    pub filter: FilterOptions,
}

fn format_values() -> impl TypedValueParser<Value = &'static Format> {
    PossibleValuesParser::new(
        FORMATS
            .iter()
            .map(|format| PossibleValue::new(format.name).help(format.about)),
    )
    .try_map(|name| Format::named(&name).ok_or("not in the table of formats"))
}
