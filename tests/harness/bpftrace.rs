//! bpftrace as the referee: the same sums and histograms by another program.

use std::{process::Command, time::Duration};

use serde_json::Value;

use crate::{Lab, Missing, Running, find_program};

/// A bpftrace that is running.
#[derive(Debug)]
pub struct Bpftrace(Running);

/// It compiles for seconds, and does not say when it is ready.
const STARTS: Duration = Duration::from_secs(8);

impl Lab {
    /// Starts bpftrace with `script`, and waits until it counts.
    ///
    /// # Errors
    /// If it is not installed.
    pub fn bpftrace(&self, script: &str) -> Result<Bpftrace, Missing> {
        let bpftrace = find_program("bpftrace")?;
        let running = Running::spawn(Command::new(bpftrace).args(["-f", "json", "-e", script]));
        std::thread::sleep(STARTS);
        Ok(Bpftrace(running))
    }
}

impl Bpftrace {
    /// Ends it, and gives what it prints then of its map `name` (`@sum`).
    ///
    /// # Errors
    /// If it prints no such map: kernels and versions of bpftrace do not always agree.
    pub fn map(self, name: &str) -> Result<Value, Missing> {
        self.0.signal(libc::SIGINT);
        let said = self.0.wait(Duration::from_secs(30));
        find(&said.stdout, name)
            .ok_or_else(|| Missing(format!("bpftrace gives no {name} here: {}", said.stderr)))
    }
}

/// Its output is an object a line; those of maps are `{"type": …, "data": {"@sum": 17}}`.
fn find(output: &str, name: &str) -> Option<Value> {
    output
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|line| line["data"].get(name).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_found_among_what_else_is_said() {
        let output = "warning: no JSON\n\
                      {\"type\": \"attached_probes\", \"data\": {\"probes\": 2}}\n\
                      {\"type\": \"map\", \"data\": {\"@other\": 1}}\n\
                      {\"type\": \"map\", \"data\": {\"@sum\": 17}}\n";
        assert_eq!(find(output, "@sum"), Some(17.into()));
        assert_eq!(find(output, "@none"), None);
    }
}
