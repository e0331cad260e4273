//! Which lines and addresses of a function the samples were at.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{Frame, Name, Selection, frame::frames, weight::Weights};
use crate::profile::{Id, Location, Mapping, Profile};

/// Where an address is in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePlace {
    /// The source file; empty where it is not known. Raw.
    pub file: String,
    /// The line in it, counted from 1; 0 where it is not known.
    pub line: u32,
    /// The function whose code it is, if the compiler put that into the one that was asked about; else empty. Raw.
    pub inlined: String,
}

impl SourcePlace {
    /// Whether the line is known.
    pub fn is_known(&self) -> bool {
        self.line > 0 && !self.file.is_empty()
    }
}

/// A line of a function and what was sampled there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// The line.
    pub place: SourcePlace,
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
    /// What both are counted from.
    places: Vec<Place>,
    passes: BTreeMap<Pass, u64>,
}

/// An address of the function, and its line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    mapping: Id<Mapping>,
    address: u64,
    source: SourcePlace,
}

/// How stacks go through the function; by their numbers among the places. What they weigh is beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Pass {
    /// Each place once.
    through: Vec<usize>,
    /// The one that ran.
    ran: Option<usize>,
}

/// Which lines and addresses of the function `name` the selected samples were at.
pub fn lines(profile: &Profile, selection: &Selection, name: &Name) -> Lines {
    let mut found = Found {
        profile,
        name,
        places: Vec::new(),
        numbers: FxHashMap::default(),
        known: FxHashMap::default(),
    };
    let mut lines = Lines::default();
    for &((_, stack), weight) in Weights::of(profile, selection).by_end() {
        lines.total_value = lines.total_value.saturating_add(weight.value);
        let mut pass = Pass::default();
        let locations = stack
            .into_iter()
            .flat_map(|stack| profile.stacks.locations(stack));
        let shown = locations.filter(|&location| selection.shows(profile, location));
        for (depth, location) in shown.enumerate() {
            for &(frame, place) in found.at(location) {
                if depth == 0 && frame == 0 {
                    pass.ran = Some(place);
                }
                if !pass.through.contains(&place) {
                    pass.through.push(place);
                }
            }
        }
        if !pass.through.is_empty() {
            let value = lines.passes.entry(pass).or_default();
            *value = value.saturating_add(weight.value);
        }
    }
    lines.places = found.places;
    lines.count();
    lines
}

impl Lines {
    /// Learns the lines of addresses that have none yet, and counts anew.
    pub fn locate(&mut self, known: impl Fn(Id<Mapping>, u64) -> Option<SourcePlace>) {
        for place in self.places.iter_mut().filter(|place| !place.source.is_known()) {
            if let Some(source) = known(place.mapping, place.address) {
                place.source = source;
            }
        }
        self.count();
    }

    fn count(&mut self) {
        let mut rows: Vec<LineRow> = Vec::new();
        let mut addresses: Vec<AddressRow> = Vec::new();
        let mut line_numbers: FxHashMap<&SourcePlace, usize> = FxHashMap::default();
        let mut address_numbers: FxHashMap<(Id<Mapping>, u64), usize> = FxHashMap::default();
        let mut of = Vec::new();
        for place in &self.places {
            let line = *line_numbers.entry(&place.source).or_insert_with(|| {
                rows.push(LineRow {
                    place: place.source.clone(),
                    self_value: 0,
                    total_value: 0,
                });
                rows.len() - 1
            });
            let address = *address_numbers
                .entry((place.mapping, place.address))
                .or_insert_with(|| {
                    addresses.push(AddressRow {
                        mapping: place.mapping,
                        address: place.address,
                        self_value: 0,
                        total_value: 0,
                        line,
                    });
                    addresses.len() - 1
                });
            of.push((line, address));
        }
        let (mut seen_lines, mut seen_addresses) = (Vec::new(), Vec::new());
        for (pass, &value) in &self.passes {
            seen_lines.clear();
            seen_addresses.clear();
            for (line, address) in pass.through.iter().map(|&place| of[place]) {
                if !seen_lines.contains(&line) {
                    seen_lines.push(line);
                    add(&mut rows[line].total_value, value);
                }
                if !seen_addresses.contains(&address) {
                    seen_addresses.push(address);
                    add(&mut addresses[address].total_value, value);
                }
            }
            if let Some((line, address)) = pass.ran.map(|place| of[place]) {
                add(&mut rows[line].self_value, value);
                add(&mut addresses[address].self_value, value);
            }
        }
        (self.rows, self.addresses) = sorted(rows, addresses);
    }
}

fn add(sum: &mut u64, value: u64) {
    *sum = sum.saturating_add(value);
}

/// The function's frames, remembered by location.
struct Found<'a> {
    profile: &'a Profile,
    name: &'a Name,
    places: Vec<Place>,
    numbers: FxHashMap<Place, usize>,
    known: FxHashMap<Id<Location>, Vec<(usize, usize)>>,
}

impl Found<'_> {
    /// The function's frames at a location: which of the frames there, counted from the innermost, and its place.
    fn at(&mut self, location: Id<Location>) -> &[(usize, usize)] {
        let Self {
            profile,
            name,
            places,
            numbers,
            known,
        } = self;
        known.entry(location).or_insert_with(|| {
            let mapping = profile.locations[location].mapping;
            let ours = |frame: &Frame<'_>| {
                frame.label() == name.label && frame.module == name.module && frame.kernel == name.kernel
            };
            let frames = frames(profile, location).enumerate();
            let ours = frames.filter(|(_, frame)| ours(frame));
            let number = |(index, frame): (usize, Frame<'_>)| {
                let place = Place {
                    mapping,
                    address: frame.address,
                    source: SourcePlace {
                        file: frame.file.to_owned(),
                        line: frame.line,
                        inlined: String::new(),
                    },
                };
                let number = *numbers.entry(place).or_insert_with_key(|place| {
                    places.push(place.clone());
                    places.len() - 1
                });
                (index, number)
            };
            ours.map(number).collect()
        })
    }
}

fn sorted(rows: Vec<LineRow>, mut addresses: Vec<AddressRow>) -> (Vec<LineRow>, Vec<AddressRow>) {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&rows[a], &rows[b]);
        let values = (b.self_value, b.total_value).cmp(&(a.self_value, a.total_value));
        values.then_with(|| a.place.cmp(&b.place))
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
    (
        order.into_iter().map(|row| rows[row].clone()).collect(),
        addresses,
    )
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
            .map(|row| (row.place.line, row.self_value / unit, row.total_value / unit))
            .collect();
        assert_eq!(rows, [(7, 3, 3), (9, 0, 2)]);
        assert!(lines.rows.iter().all(|row| row.place.file == "/src/f.c"));
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
        assert_eq!(lines.rows[0].place.line, 0);
    }

    #[test]
    fn lines_that_are_learnt_later_are_counted_as_if_they_had_been_known() {
        let profile = from_folded("app;main;f;f 4\napp;main;f 3");
        let unit = profile.samples[0].value;
        let mut lines = lines(&profile, &Selection::default(), &f(&profile));
        let before = lines.addresses.clone();
        lines.locate(|mapping, address| {
            assert!(
                before
                    .iter()
                    .any(|row| (row.mapping, row.address) == (mapping, address))
            );
            Some(SourcePlace {
                file: "/src/f.c".into(),
                line: 7,
                inlined: "g".into(),
            })
        });
        let [row] = lines.rows.as_slice() else {
            panic!("{:?}", lines.rows);
        };
        assert_eq!((row.place.line, row.place.inlined.as_str()), (7, "g"));
        // Both calls of the recursion are on the line, and count once.
        assert_eq!((row.self_value / unit, row.total_value / unit), (7, 7));
        assert_eq!(lines.addresses, before);
        // What is known stays.
        lines.locate(|_, _| Some(SourcePlace::default()));
        assert_eq!(lines.rows[0].place.line, 7);
    }
}
