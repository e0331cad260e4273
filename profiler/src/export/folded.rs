//! Folded stacks, one a line, as Brendan Gregg's `stackcollapse` scripts write them.

use std::io::{self, Write};

use super::{Format, Options, paths::Paths};
use crate::{profile::Profile, query::Selection};

pub(super) const FORMAT: Format = Format {
    name: "folded",
    extensions: &[".folded", ".txt"],
    about: "folded stacks and counts or µs (flamegraph.pl, speedscope)",
    text: true,
    says_nothing: false,
    compares: false,
    write,
};

/// `process;outermost;…;innermost count`, sorted. Kernel frames end in `_[k]`; a stack that was cut short says so in
/// front of its outermost frame. With waits selected, which are not all of one length, counts are microseconds; among
/// stacks of busy threads, those of waiting ones end in `[waiting]`.
fn write(profile: &Profile, selection: &Selection, _: &Options<'_>, out: &mut dyn Write) -> io::Result<()> {
    Paths::of(profile, selection).lines(1, |path, count| writeln!(out, "{path} {count}"))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{
            LockWait, Outcome,
            folded::{from_folded, with_waits},
        },
        query::{Sampled, locks::tests as built},
    };

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
    fn waits_count_their_microseconds_and_among_others_say_that_they_wait() {
        let profile = with_waits(
            from_folded("app;main;read 2\napp;main 1"),
            "app;main;read 30\napp;main;read 3\napp 1",
        );
        let fold = |sample_types: &[u8]| {
            let selection = Selection {
                sample_types: sample_types.to_vec(),
                ..Selection::default()
            };
            fold(&profile, &selection)
        };
        assert_eq!(fold(&[0]), "app;main 1\napp;main;read 2\n");
        assert_eq!(fold(&[1]), "app;[no stack] 1000\napp;main;read 33000\n");
        assert_eq!(
            fold(&[0, 1]),
            "app;[no stack];[waiting] 1000\n\
             app;main 10101\n\
             app;main;read 20202\n\
             app;main;read;[waiting] 33000\n"
        );
    }

    #[test]
    fn waits_for_locks_end_in_their_lock_and_count_microseconds() {
        let mut profile = from_folded("app/7;main;get;libc.so.6`pthread_mutex_lock");
        built::lock(&mut profile, 0);
        profile.lock_waits = vec![LockWait {
            stack: profile.samples[0].stack,
            threshold_ns: 3_000_000,
            ..built::wait(0, 10)
        }];
        crate::query::locks::samples::add(&mut profile);
        let selection = Selection {
            sample_types: Sampled::Lock.sample_types(&profile).unwrap(),
            ..Selection::default()
        };
        assert_eq!(
            fold(&profile, &selection),
            "app;main;get;pthread_mutex_lock;mutex in get 3000\n"
        );
    }

    #[test]
    fn values_that_a_file_made_up_saturate() {
        let mut profile = with_waits(from_folded("app;main 2"), "app;main 1\napp;f 1");
        profile
            .samples
            .iter_mut()
            .for_each(|sample| sample.value = u64::MAX);
        let selection = Selection {
            sample_types: vec![0, 1],
            ..Selection::default()
        };
        assert_eq!(fold(&profile, &selection).lines().count(), 3);
        // A wait of no length at all is no line.
        profile.samples.iter_mut().for_each(|sample| sample.value = 0);
        assert_eq!(fold(&profile, &selection), "");
        profile.samples[0].value = 1;
        assert_eq!(fold(&profile, &selection), "app;main 1\n");
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
