//! Which lines and addresses of a function the samples were at.

use rustc_hash::FxHashMap;

use super::{Name, Selection, frame::frames, weight::weigh};
use crate::profile::{Id, Location, Mapping, Profile};

/// A line of a function and what was sampled there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// The source file; empty where it is not known. Raw.
    pub file: String,
    /// The line in it, counted from 1; 0 where it is not known.
    pub line: u32,
    /// Value of the samples that ran there.
    pub self_value: u64,
    /// Value of the samples that ran there, or in what was called there. Recursion counts once.
    pub total_value: u64,
}

/// An address of a function and what was sampled there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRow {
    /// What it lies in.
    pub mapping: Id<Mapping>,
    /// The address in the mapping's own terms.
    pub address: u64,
    /// As [`LineRow::self_value`].
    pub self_value: u64,
    /// As [`LineRow::total_value`].
    pub total_value: u64,
    /// The place of its line in [`Lines::rows`].
    pub line: usize,
}

/// Where in a function samples were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// By self value, then total value, largest first, then by file and line.
    pub rows: Vec<LineRow>,
    /// In the same order, then by address.
    pub addresses: Vec<AddressRow>,
    /// Value of all selected samples: what shares are of.
    pub total_value: u64,
}

/// Where a function is on the stack of a sample: the line, the address, and whether it is what ran.
type Place = (usize, (Id<Mapping>, u64));

/// Which lines and addresses of the function `name` the selected samples were at.
pub fn lines(profile: &Profile, selection: &Selection, name: &Name) -> Lines {
    let mut found = Found {
        profile,
        name,
        lines: FxHashMap::default(),
        rows: Vec::new(),
        places: FxHashMap::default(),
    };
    let mut addresses: FxHashMap<(Id<Mapping>, u64), AddressRow> = FxHashMap::default();
    let mut total_value = 0u64;
    let (mut seen_lines, mut seen_addresses) = (Vec::new(), Vec::new());
    for ((_, stack), weight) in weigh(profile, selection) {
        total_value = total_value.saturating_add(weight.value);
        seen_lines.clear();
        seen_addresses.clear();
        let locations = stack
            .into_iter()
            .flat_map(|stack| profile.stacks.locations(stack));
        let shown = locations.filter(|&location| selection.shows(profile, location));
        for (depth, location) in shown.enumerate() {
            for (frame, (line, at)) in found.at(location) {
                let ran = depth == 0 && frame == 0;
                let row = &mut found.rows[line];
                let address = addresses.entry(at).or_insert(AddressRow {
                    mapping: at.0,
                    address: at.1,
                    self_value: 0,
                    total_value: 0,
                    line,
                });
                if ran {
                    row.self_value = row.self_value.saturating_add(weight.value);
                    address.self_value = address.self_value.saturating_add(weight.value);
                }
                if !seen_lines.contains(&line) {
                    seen_lines.push(line);
                    row.total_value = row.total_value.saturating_add(weight.value);
                }
                if !seen_addresses.contains(&at) {
                    seen_addresses.push(at);
                    address.total_value = address.total_value.saturating_add(weight.value);
                }
            }
        }
    }
    sorted(found.rows, addresses.into_values().collect(), total_value)
}

/// The function's frames, remembered by location.
struct Found<'a> {
    profile: &'a Profile,
    name: &'a Name,
    lines: FxHashMap<(&'a str, u32), usize>,
    rows: Vec<LineRow>,
    places: FxHashMap<Id<Location>, Vec<(usize, Place)>>,
}

impl Found<'_> {
    /// The function's frames at a location: which of the frames there, counted from the innermost, and where it is.
    fn at(&mut self, location: Id<Location>) -> Vec<(usize, Place)> {
        if let Some(places) = self.places.get(&location) {
            return places.clone();
        }
        let mapping = self.profile.locations[location].mapping;
        let mut places = Vec::new();
        for (index, frame) in frames(self.profile, location).enumerate() {
            let Name {
                label,
                module,
                kernel,
            } = self.name;
            if frame.label() != *label || frame.module != module || frame.kernel != *kernel {
                continue;
            }
            let next = self.rows.len();
            let line = *self.lines.entry((frame.file, frame.line)).or_insert(next);
            if line == next {
                self.rows.push(LineRow {
                    file: frame.file.to_owned(),
                    line: frame.line,
                    self_value: 0,
                    total_value: 0,
                });
            }
            places.push((index, (line, (mapping, frame.address))));
        }
        self.places.insert(location, places.clone());
        places
    }
}

fn sorted(rows: Vec<LineRow>, mut addresses: Vec<AddressRow>, total_value: u64) -> Lines {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&rows[a], &rows[b]);
        let values = (b.self_value, b.total_value).cmp(&(a.self_value, a.total_value));
        values.then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line)))
    });
    let mut places = vec![0; rows.len()];
    for (place, &row) in order.iter().enumerate() {
        places[row] = place;
    }
    addresses.iter_mut().for_each(|row| row.line = places[row.line]);
    addresses.sort_by_key(|row| {
        let values = std::cmp::Reverse((row.self_value, row.total_value));
        (values, row.mapping, row.address)
    });
    Lines {
        rows: order.into_iter().map(|row| rows[row].clone()).collect(),
        addresses,
        total_value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::from_folded;

    /// The function `f` at line 7 and at line 9, from where it calls `g`.
    fn profile() -> Profile {
        let mut profile = from_folded("app;main;f 3\napp;main;f;g 2\napp;main 5");
        let of = |profile: &Profile, sample: usize, depth: usize| {
            let stack = profile.samples[sample].stack.unwrap();
            profile.stacks.locations(stack).nth(depth).unwrap()
        };
        let leaf = of(&profile, 0, 0);
        let f = profile.lines[&leaf][0].function;
        let mut function = profile.functions[f].clone();
        function.file = "/src/f.c".into();
        let function = profile.functions.intern(function);
        profile
            .lines
            .insert(leaf, vec![crate::profile::Line { function, line: 7 }]);
        // The same function at another address, with `g` on top of it.
        let mapping = profile.locations[leaf].mapping;
        let call = profile.locations.intern(Location {
            mapping,
            address: 0xf00,
        });
        profile
            .lines
            .insert(call, vec![crate::profile::Line { function, line: 9 }]);
        let (g, main) = (of(&profile, 3, 0), of(&profile, 3, 2));
        let stack = profile.stacks.intern([main, call, g]);
        profile.samples[3].stack = stack;
        profile.samples[4].stack = stack;
        profile
    }

    fn f(profile: &Profile) -> Name {
        let stack = profile.samples[0].stack.unwrap();
        let location = profile.stacks.locations(stack).next().unwrap();
        let frame = frames(profile, location).next().unwrap();
        Name {
            label: "f".into(),
            module: frame.module.to_owned(),
            kernel: false,
        }
    }

    #[test]
    fn samples_are_counted_by_line_and_by_address() {
        let profile = profile();
        let unit = profile.samples[0].value;
        let lines = lines(&profile, &Selection::default(), &f(&profile));
        let rows: Vec<_> = lines
            .rows
            .iter()
            .map(|row| (row.line, row.self_value / unit, row.total_value / unit))
            .collect();
        assert_eq!(rows, [(7, 3, 3), (9, 0, 2)]);
        assert!(lines.rows.iter().all(|row| row.file == "/src/f.c"));
        let addresses: Vec<_> = lines
            .addresses
            .iter()
            .map(|row| (row.line, row.total_value / unit))
            .collect();
        assert_eq!(addresses, [(0, 3), (1, 2)]);
        assert_eq!(lines.addresses[1].address, 0xf00);
        assert_eq!(lines.total_value / unit, 10);
    }

    #[test]
    fn a_function_that_calls_itself_counts_once_for_a_line() {
        let profile = from_folded("app;main;f;f;f 4");
        let lines = lines(&profile, &Selection::default(), &f(&profile));
        assert_eq!(lines.rows.len(), 1);
        assert_eq!(lines.rows[0].total_value, lines.total_value);
        assert_eq!(lines.rows[0].self_value, lines.total_value);
        assert_eq!(lines.rows[0].line, 0);
    }
}
