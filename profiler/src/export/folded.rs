//! Folded stacks, one a line, as Brendan Gregg's `stackcollapse` scripts write them.

use std::io::{self, Write};

use super::{Format, Options, paths::Paths};
use crate::{profile::Profile, query::Selection};

pub(super) const FORMAT: Format = Format {
    name: "folded",
    extensions: &[".folded", ".txt"],
    about: "folded stacks and counts (flamegraph.pl, speedscope)",
    text: true,
    write,
};

/// `process;outermost;…;innermost count`, sorted. Kernel frames end in `_[k]`; a stack that was cut short says so in
/// front of its outermost frame.
fn write(profile: &Profile, selection: &Selection, _: &Options, out: &mut dyn Write) -> io::Result<()> {
    Paths::of(profile, selection).lines(1, |path, count| writeln!(out, "{path} {count}"))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Outcome, folded::from_folded};

    fn fold(profile: &Profile, selection: &Selection) -> String {
        let mut out = Vec::new();
        write(profile, selection, &Options::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_was_folded_comes_back_folded() {
        let text = "\
app;main;compute 7
app;main;libc read;vfs_read_[k] 3
idle;main 1
";
        assert_eq!(fold(&from_folded(text), &Selection::default()), text);
    }

    #[test]
    fn processes_of_one_name_are_one_and_modules_are_left_out() {
        let profile = from_folded("app/1;main;libc.so.6`read 2\napp/2;main;libc.so.6`read 3");
        assert_eq!(fold(&profile, &Selection::default()), "app;main;read 5\n");
    }

    #[test]
    fn without_kernel_frames_the_samples_count_for_who_called_the_kernel() {
        let profile = from_folded("app;main;read;vfs_read_[k] 3\napp;main;read 1\nkworker;work_[k] 2");
        let selection = Selection {
            kernel: false,
            ..Selection::default()
        };
        assert_eq!(
            fold(&profile, &selection),
            "app;main;read 4\nkworker;[kernel, not shown] 2\n"
        );
    }

    #[test]
    fn a_stack_that_was_cut_short_says_so() {
        let mut profile = from_folded("app;main;f 1\napp;f 1\napp 1");
        profile.samples[1].outcome = Outcome::NoUnwindInfo;
        profile.samples[2].outcome = Outcome::Nested;
        assert_eq!(
            fold(&profile, &Selection::default()),
            "app;[incomplete: nested programs];[no stack] 1\n\
             app;[incomplete: no unwind information];f 1\n\
             app;main;f 1\n"
        );
    }

    #[test]
    fn hostile_names_stay_in_their_field() {
        let profile = from_folded("# x;ma\x1b[1min;f 1 2\nok;a 1");
        assert_eq!(
            fold(&profile, &Selection::default()),
            "_# x;ma�[1min;f_1 2\nok;a 1\n"
        );
    }
}
