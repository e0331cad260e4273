//! What every view is restricted to, chosen once.

use crate::query::{GroupBy, GroupRow, Name, Selection};

/// Something that views can be restricted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// A process: its number and its name.
    Process(u32, String),
    /// A thread: its number and its name.
    Thread(u32, String),
    /// A cgroup with all that is below it.
    Cgroup(String),
    /// A systemd unit.
    Unit(String),
    /// A container.
    Container(String),
    /// Stacks that pass through a module.
    Module(String),
    /// Stacks that pass through a function.
    Function(Name),
}

impl Choice {
    /// What a row of groups stands for; `None` for what belongs nowhere, which no query can be asked about.
    pub(super) fn of_group(by: GroupBy, row: &GroupRow) -> Option<Self> {
        let label = row.label.clone();
        let nowhere = label.starts_with("[no ") || label == "[unknown]" || label.ends_with(", not shown]");
        match by {
            GroupBy::Process => Some(Self::Process(row.pid?, label)),
            GroupBy::Thread => Some(Self::Thread(row.tid?, label)),
            _ if nowhere => None,
            GroupBy::Cgroup => Some(Self::Cgroup(label)),
            GroupBy::Unit => Some(Self::Unit(label)),
            GroupBy::Container => Some(Self::Container(label)),
            GroupBy::Module => Some(Self::Module(label)),
            GroupBy::Package | GroupBy::Comm | GroupBy::Outcome => None,
        }
    }

    /// In which way [`Self::words`] stand for it.
    pub(super) fn lead(&self) -> &'static str {
        match self {
            Self::Module(_) | Self::Function(_) => "through ",
            _ => "in ",
        }
    }

    /// What a person calls it. Raw.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Process(number, name) => format!("{name} {number}"),
            Self::Thread(number, name) => format!("thread {name} {number}"),
            Self::Cgroup(path) => path.clone(),
            Self::Unit(unit) => unit.clone(),
            Self::Container(id) => format!("container {}", id.get(..12).unwrap_or(id)),
            Self::Module(module) => module.clone(),
            Self::Function(name) => name.label.clone(),
        }
    }

    /// In the words of the command line.
    pub(super) fn filter(&self) -> String {
        match self {
            Self::Process(pid, _) => format!("pid {pid}"),
            Self::Thread(tid, _) => format!("tid {tid}"),
            Self::Cgroup(path) => format!("cgroup {path}"),
            Self::Unit(unit) => format!("unit {unit}"),
            Self::Container(id) => format!("container {id}"),
            Self::Module(module) => format!("module {module}"),
            Self::Function(name) => format!("function {}", name.label),
        }
    }

    /// Whether it says which stacks are meant, and not whose.
    pub(super) fn is_code(&self) -> bool {
        matches!(self, Self::Module(_) | Self::Function(_))
    }

    /// Restricts `selection` to it.
    pub(super) fn apply(&self, selection: &mut Selection) {
        match self {
            Self::Process(pid, _) => selection.pids = vec![*pid],
            Self::Thread(tid, _) => selection.tids = vec![*tid],
            Self::Cgroup(path) => selection.cgroup = Some(path.clone()),
            Self::Unit(unit) => selection.unit = Some(unit.clone()),
            Self::Container(id) => selection.container = Some(id.clone()),
            Self::Module(module) => selection.modules = vec![module.clone()],
            Self::Function(name) => selection.function = Some(name.clone()),
        }
    }
}

/// Everything that was chosen: all of it has to hold.
#[derive(Debug, Default)]
pub(super) struct Chosen(Vec<Choice>);

impl Chosen {
    /// Chooses, too. What contradicts goes: another of its kind, a thread of another process.
    pub(super) fn choose(&mut self, choice: Choice) {
        let kind = std::mem::discriminant(&choice);
        let new_process = matches!(choice, Choice::Process(..));
        self.0.retain(|other| {
            std::mem::discriminant(other) != kind
                && !(new_process && matches!(other, Choice::Thread(..)))
                && !(choice.is_code() && other.is_code())
        });
        self.0.push(choice);
    }

    /// Nothing is chosen any more. Whether something was.
    pub(super) fn clear(&mut self) -> bool {
        let any = !self.0.is_empty();
        self.0.clear();
        any
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Choice> {
        self.0.iter()
    }

    /// Restricts `selection` to what was chosen.
    pub(super) fn apply(&self, selection: &mut Selection) {
        self.0.iter().for_each(|choice| choice.apply(selection));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_goes_and_the_rest_stays() {
        let mut chosen = Chosen::default();
        let process = |pid| Choice::Process(pid, "a".into());
        chosen.choose(process(1));
        chosen.choose(Choice::Thread(2, "a".into()));
        chosen.choose(Choice::Module("libc.so.6".into()));
        chosen.choose(process(3));
        chosen.choose(Choice::Function(Name {
            label: "f".into(),
            module: "m".into(),
            kernel: false,
        }));
        let mut selection = Selection::default();
        chosen.apply(&mut selection);
        assert_eq!(
            (selection.pids, selection.tids, selection.modules),
            (vec![3], vec![], vec![])
        );
        assert_eq!(selection.function.unwrap().label, "f");
        assert!(chosen.clear() && !chosen.clear());
    }

    #[test]
    fn what_belongs_nowhere_cannot_be_chosen() {
        let row = |label: &str| GroupRow {
            label: label.into(),
            pid: None,
            tid: None,
            value: 1,
            samples: 1,
            incomplete: 0,
        };
        assert_eq!(Choice::of_group(GroupBy::Cgroup, &row("[no cgroup]")), None);
        assert_eq!(Choice::of_group(GroupBy::Module, &row("[no stack]")), None);
        assert_eq!(
            Choice::of_group(GroupBy::Module, &row("[kernel.kallsyms]")),
            Some(Choice::Module("[kernel.kallsyms]".into()))
        );
    }
}
