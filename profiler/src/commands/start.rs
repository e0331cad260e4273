//! Starts a recording; if the host does not let us, says what is missing.

use anyhow::{Result, anyhow};

use super::memory;
use crate::collect::{
    Options, Session,
    kernel::{Facts, check, checks},
};

/// A recording that runs.
pub(super) fn session(options: Options) -> Result<Session> {
    memory::give_back();
    Session::start(options).map_err(|error| match check::refusal(&checks(&Facts::gather())) {
        Some(refusal) => anyhow!("{error:#}\n{refusal}"),
        None => error,
    })
}
