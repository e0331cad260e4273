//! One frame of a stack as a person reads it.

use std::borrow::Cow;

use crate::profile::{Function, Id, Line, Location, Mapping, MappingKind, Profile};

/// One frame: a call, be it real or inlined. All text is raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The function's demangled name, if it is known.
    pub function: Option<&'a str>,
    /// What a person calls the module, such as `libc.so.6`; `[unknown]` where no mapping was known.
    pub module: &'a str,
    /// The address in the mapping's own terms (see [`MappingKind`]).
    pub address: u64,
    /// The source file; empty if not known.
    pub file: &'a str,
    /// The line in the source file, counted from 1; 0 if not known.
    pub line: u32,
    /// Whether the code runs in the kernel.
    pub kernel: bool,
    /// Whether the compiler put this call into the body of the next frame outward.
    pub inlined: bool,
    /// Whether some mapping is known for the address.
    pub mapped: bool,
}

impl<'a> Frame<'a> {
    /// The function's name; `module+0xaddress` where it has none, `[unknown] 0xaddress` where there is no mapping.
    pub fn label(&self) -> Cow<'a, str> {
        match self.function {
            Some(name) => Cow::Borrowed(name),
            None if self.mapped => Cow::Owned(format!("{}+{:#x}", self.module, self.address)),
            None => Cow::Owned(format!("[unknown] {:#x}", self.address)),
        }
    }
}

/// The frames at a location, innermost first: inlined calls, then the function that was really called. There is
/// always at least one.
pub fn frames(
    profile: &Profile,
    location: Id<Location>,
) -> impl DoubleEndedIterator<Item = Frame<'_>> + ExactSizeIterator {
    let place = profile.locations[location];
    let mapping = &profile.mappings[place.mapping];
    let lines = profile.lines.get(&location).map_or(&[][..], Vec::as_slice);
    let count = lines.len().max(1);
    (0..count).map(move |index| {
        frame(
            profile,
            mapping,
            place.address,
            lines.get(index),
            index + 1 < count,
        )
    })
}

/// The name a person gives a mapping.
pub(super) fn module(mapping: &Mapping) -> &str {
    match mapping.name() {
        "" => "[unknown]",
        name => name,
    }
}

fn frame<'a>(
    profile: &'a Profile,
    mapping: &'a Mapping,
    address: u64,
    line: Option<&Line>,
    inlined: bool,
) -> Frame<'a> {
    let function: Option<&Function> = line.map(|line| &profile.functions[line.function]);
    Frame {
        function: function.map(|f| f.name.as_str()).filter(|name| !name.is_empty()),
        module: module(mapping),
        address,
        file: function.map_or("", |f| &f.file),
        line: line.map_or(0, |line| line.line),
        kernel: mapping.is_kernel(),
        inlined,
        mapped: !matches!(mapping.kind, MappingKind::Unknown(_)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(kind: MappingKind, path: &str) -> Mapping {
        Mapping {
            kind,
            path: path.into(),
            build_id: vec![],
        }
    }

    #[test]
    fn a_frame_without_a_name_says_where_it_is() {
        let mut profile = Profile::default();
        let stripped = profile
            .mappings
            .intern(mapping(MappingKind::File, "/usr/bin/redis"));
        let nowhere = profile
            .mappings
            .intern(mapping(MappingKind::Unknown(Id::new(0)), ""));
        let mut label = |mapping| {
            let location = profile.locations.intern(Location {
                mapping,
                address: 0x1f0,
            });
            let labels = frames(&profile, location).map(|f| f.label().into_owned());
            labels.collect::<Vec<_>>()
        };
        assert_eq!(label(stripped), ["redis+0x1f0"]);
        assert_eq!(label(nowhere), ["[unknown] 0x1f0"]);
    }

    #[test]
    fn inlined_calls_come_first_and_say_so() {
        let mut profile = Profile::default();
        let mapping = profile.mappings.intern(mapping(MappingKind::File, "/bin/a"));
        let location = profile.locations.intern(Location { mapping, address: 1 });
        let mut line = |name: &str, line| Line {
            function: profile.functions.intern(Function {
                name: name.into(),
                file: "a.c".into(),
            }),
            line,
        };
        let lines = vec![line("inner", 3), line("outer", 9)];
        profile.lines.insert(location, lines);
        let frames = frames(&profile, location)
            .map(|f| (f.function, f.line, f.inlined))
            .collect::<Vec<_>>();
        assert_eq!(frames, [(Some("inner"), 3, true), (Some("outer"), 9, false)]);
    }
}
