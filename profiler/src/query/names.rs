//! Functions as views count them: by name and module, numbered.

use rustc_hash::FxHashMap;

use super::frame::frames;
use crate::profile::{Id, Location, Profile};

/// A function as views count it: whatever has the same label, in the same module, on the same side of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// See [`super::Frame::label`]. Raw.
    pub label: String,
    /// See [`super::Frame::module`]. Raw; empty for what is no code, such as `[no stack]`.
    pub module: String,
    /// Whether it runs in the kernel.
    pub kernel: bool,
}

impl Name {
    /// A name for something that is not code.
    pub(super) fn remark(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            module: String::new(),
            kernel: false,
        }
    }
}

/// Gives names to locations, each location once.
#[derive(Debug)]
pub struct Names<'a> {
    profile: &'a Profile,
    names: Vec<Name>,
    numbers: FxHashMap<Name, u32>,
    /// For each location where its numbers are in `flat`; an empty range means not looked at yet.
    ranges: Vec<(u32, u32)>,
    flat: Vec<u32>,
}

impl<'a> Names<'a> {
    /// No names yet.
    pub fn new(profile: &'a Profile) -> Self {
        Self {
            profile,
            names: Vec::new(),
            numbers: FxHashMap::default(),
            ranges: vec![(0, 0); profile.locations.len()],
            flat: Vec::new(),
        }
    }

    /// The numbers of the functions at a location, innermost first; at least one.
    pub fn at(&mut self, location: Id<Location>) -> &[u32] {
        let (mut start, mut end) = self.ranges[location.index()];
        if start == end {
            start = self.flat.len() as u32;
            for frame in frames(self.profile, location) {
                let number = self.number(Name {
                    label: frame.label().into_owned(),
                    module: frame.module.to_owned(),
                    kernel: frame.kernel,
                });
                self.flat.push(number);
            }
            end = self.flat.len() as u32;
            self.ranges[location.index()] = (start, end);
        }
        &self.flat[start as usize..end as usize]
    }

    /// The number of `name`, which is added if it is new.
    pub fn number(&mut self, name: Name) -> u32 {
        if let Some(&number) = self.numbers.get(&name) {
            return number;
        }
        let number =
            u32::try_from(self.names.len()).expect("fewer names than locations and functions, which are u32");
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    /// Every name met so far, in order of its number.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// As [`Self::names`], for keeps.
    pub fn into_names(self) -> Vec<Name> {
        self.names
    }
}
