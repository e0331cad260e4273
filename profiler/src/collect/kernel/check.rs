//! A line of `doctor`: what was found, what it means and what mends it.

use serde::Serialize;

/// How well something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Recording works, but something is lost.
    Degraded,
    /// Recording does not work without it.
    Missing,
}

impl Status {
    /// As `doctor` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Missing => "missing",
        }
    }
}

/// A line of `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// How well it works.
    pub status: Status,
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub found: String,
    /// What that means; empty where there is nothing to say.
    pub meaning: String,
    /// What to do about it; empty where there is nothing to do.
    pub mend: String,
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            status: Status::Ok,
            name,
            found: found.into(),
            meaning: String::new(),
            mend: String::new(),
        }
    }

    pub(super) fn degraded(
        name: &'static str,
        found: impl Into<String>,
        meaning: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Degraded,
            meaning: meaning.into(),
            mend: mend.into(),
            ..Self::ok(name, found)
        }
    }

    pub(super) fn missing(
        name: &'static str,
        found: impl Into<String>,
        meaning: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Missing,
            ..Self::degraded(name, found, meaning, mend)
        }
    }

    /// The line without its status: `thing: found; meaning; mend`.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}", self.name, self.found);
        for part in [&self.meaning, &self.mend] {
            if !part.is_empty() {
                text.push_str("; ");
                text.push_str(part);
            }
        }
        text
    }
}

/// Whether recording works: nothing is missing.
pub fn can_record(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.status != Status::Missing)
}

/// What a recording that could not be started is told: the lines of what is missing; `None` if nothing is. Looking
/// takes time, so ask once something has failed, and not before.
pub fn refusal(checks: &[Check]) -> Option<String> {
    let missing = checks.iter().filter(|check| check.status == Status::Missing);
    let lines: Vec<_> = missing.map(|check| format!("  {}", check.text())).collect();
    (!lines.is_empty()).then(|| {
        format!(
            "this host does not let us record:\n{}\nprofiler doctor says more",
            lines.join("\n")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_is_missing_and_nothing_else() {
        let checks = [
            Check::ok("kernel", "6.1"),
            Check::degraded("cycles", "none", "slow", "buy"),
            Check::missing("BTF", "none", "blind", "update"),
        ];
        assert_eq!(
            refusal(&checks).unwrap(),
            "this host does not let us record:\n  BTF: none; blind; update\nprofiler doctor says more"
        );
        assert_eq!(refusal(&checks[..2]), None);
    }
}
