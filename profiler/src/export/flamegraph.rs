//! An interactive flame graph: one SVG file that any browser opens.

use std::io::{self, Write};

use inferno::flamegraph::{
    self, Direction,
    color::{BackgroundColor, Color, PaletteMap},
};

use super::{
    Format, Options,
    paths::{Kind, Part, Paths},
    quality,
};
use crate::{
    profile::Profile,
    query::{Sampled, Selection},
};

pub(super) const FORMAT: Format = Format {
    name: "svg",
    extensions: &[".svg"],
    about: "an interactive flame graph for any browser",
    text: true,
    says_nothing: false,
    compares: false,
    write,
};

/// Frames narrower than this part of the whole are not drawn: a tenth of a pixel of 1,200.
const LEAST_SHARE: f64 = 0.000_1;

/// Frames are coloured by what they are (see [`colour_of`]); the title says who was recorded, the line below it how far
/// it can be trusted.
fn write(
    profile: &Profile,
    selection: &Selection,
    options: &Options<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let paths = Paths::of(profile, selection);
    if paths.total() == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "no sample was selected: there is nothing to draw",
        ));
    }
    let least = (paths.total() as f64 * LEAST_SHARE).ceil() as u64;
    let mut lines = Vec::new();
    paths.lines(least, |path, count| {
        lines.push(format!("{path} {count}"));
        Ok(())
    })?;
    let cold = Sampled::of(profile, selection).is_waits();
    let mut palette = PaletteMap::default();
    for Part { text, kind } in paths.parts() {
        palette.insert(text, colour_of(text, *kind, cold));
    }
    // The root that holds all processes has no text.
    palette.insert("", colour_of("", Kind::Process, cold));

    let mut drawing = flamegraph::Options::default();
    drawing.title = quality::title(profile, selection);
    drawing.subtitle = Some(quality::line(profile, selection));
    drawing.count_name = paths.unit().name().to_owned();
    drawing.palette_map = Some(&mut palette);
    drawing.bgcolors = Some(BackgroundColor::Grey);
    drawing.min_width = LEAST_SHARE * 100.0;
    drawing.text_truncate_direction = flamegraph::TextTruncateDirection::Right;
    if options.inverted {
        drawing.direction = Direction::Inverted;
    }
    // Takes the lines as they come, last line leftmost. Sorted as text, `f(int)` would come between `f` and `f;g`
    // and tear `f` in two.
    drawing.flame_chart = true;
    flamegraph::from_lines(&mut drawing, lines.iter().rev().map(String::as_str), &mut *out)?;
    out.flush()
}

/// Processes are blue-grey, user code red, libraries yellow, generated code green, kernel orange, kernel modules
/// brown, code without a name grey and remarks purple. The shade is the name's: equal names look alike in every graph.
///
/// A graph of waiting threads alone is `cold`: kernel code is dark blue, user code light blue, libraries and generated
/// code green-blue. In a graph of busy and waiting threads, where most frames have some of both above them, the frame
/// that ends each waiting stack is blue, and nothing else is.
fn colour_of(text: &str, kind: Kind, cold: bool) -> Color {
    let (from, to) = shades(kind, cold);
    let shade = shade(text);
    let mix = |from: u8, to: u8| (f32::from(from) + (f32::from(to) - f32::from(from)) * shade) as u8;
    Color {
        r: mix(from[0], to[0]),
        g: mix(from[1], to[1]),
        b: mix(from[2], to[2]),
    }
}

/// The two colours between which a frame's lies.
pub(super) fn shades(kind: Kind, cold: bool) -> ([u8; 3], [u8; 3]) {
    match kind {
        Kind::Process => ([176, 190, 205], [196, 208, 221]),
        Kind::Remark => ([190, 150, 205], [205, 165, 220]),
        Kind::Unnamed => ([180, 180, 180], [205, 205, 205]),
        Kind::Waiting => ([70, 125, 215], [95, 150, 235]),
        Kind::Kernel if cold => ([70, 125, 215], [95, 150, 235]),
        Kind::KernelModule if cold => ([85, 130, 180], [110, 155, 200]),
        Kind::User if cold => ([125, 175, 245], [160, 200, 250]),
        Kind::Library if cold => ([120, 200, 215], [155, 220, 230]),
        Kind::Jit if cold => ([105, 200, 180], [140, 220, 200]),
        Kind::Kernel => ([235, 145, 50], [250, 180, 90]),
        Kind::KernelModule => ([200, 150, 95], [220, 175, 125]),
        Kind::User => ([228, 88, 70], [250, 138, 112]),
        Kind::Library => ([222, 196, 70], [243, 220, 115]),
        Kind::Jit => ([95, 190, 95], [140, 215, 135]),
    }
}

/// Between 0 and 1, the same for the same text on every machine (FNV-1a).
fn shade(text: &str) -> f32 {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash >> 8) as f32 / (1u32 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::folded::{from_folded, with_waits};

    fn draw(text: &str, options: Options) -> String {
        let mut out = Vec::new();
        write(&from_folded(text), &Selection::default(), &options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn titles(svg: &str) -> Vec<&str> {
        svg.split("<title>")
            .skip(1)
            .map(|rest| rest.split("</title>").next().unwrap())
            .collect()
    }

    #[test]
    fn every_frame_says_its_name_and_share() {
        let svg = draw("app;main;f 3\napp;main;read;vfs_read_[k] 1", Options::default());
        let titles = titles(&svg);
        for title in [
            "all (4 samples, 100%)",
            "app (4 samples, 100.00%)",
            "main (4 samples, 100.00%)",
            "f (3 samples, 75.00%)",
            "vfs_read (1 samples, 25.00%)",
        ] {
            assert!(titles.contains(&title), "{title} not in {titles:?}");
        }
        assert!(svg.contains("example: whole system, 0.0 s, 4 samples at 99 Hz (cpu-clock)"));
        assert!(svg.contains("complete stacks 100.0 %"));
    }

    #[test]
    fn a_name_that_sorts_before_the_separator_does_not_tear_its_neighbour() {
        let svg = draw("app;f 1\napp;f(int) 1\napp;f;g 1", Options::default());
        let of_f = titles(&svg).into_iter().filter(|title| title.starts_with("f ("));
        assert_eq!(of_f.collect::<Vec<_>>(), ["f (2 samples, 66.67%)"]);
    }

    #[test]
    fn a_name_is_text_and_nothing_else() {
        let svg = draw(
            "a\"'><b>;<script>alert(1)</script>;x]]><script>;--><!--;\x1b[31mred&x_[k] 2",
            Options::default(),
        );
        // Two of its own: its program, in two pieces of CDATA.
        assert_eq!(svg.matches("<script").count(), 1);
        assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt; (2 samples"));
        assert!(svg.contains("\u{fffd}[31mred&amp;x (2 samples"));
        assert!(!svg.contains('\x1b'));
        assert!(!svg.contains("<b>"));
    }

    #[test]
    fn inverted_graphs_grow_downwards() {
        let y_of_process = |inverted| {
            let svg = draw(
                "app;main;f 3",
                Options {
                    inverted,
                    ..Options::default()
                },
            );
            let frame = svg.split("<title>app (").nth(1).unwrap().to_owned();
            let y = frame.split("y=\"").nth(1).unwrap().split('"').next().unwrap();
            let y_of_f = svg.split("<title>f (").nth(1).unwrap();
            let y_of_f = y_of_f.split("y=\"").nth(1).unwrap().split('"').next().unwrap();
            y.parse::<u32>().unwrap() < y_of_f.parse::<u32>().unwrap()
        };
        assert!(y_of_process(true));
        assert!(!y_of_process(false));
    }

    #[test]
    fn kernel_and_user_frames_differ_in_colour() {
        let colours: Vec<_> = [
            Kind::Process,
            Kind::Kernel,
            Kind::User,
            Kind::Library,
            Kind::Unnamed,
        ]
        .map(|kind| colour_of("f", kind, false))
        .into();
        for (index, colour) in colours.iter().enumerate() {
            assert!(!colours[..index].contains(colour));
        }
        let svg = draw("app;main_x;vfs_read_[k] 3", Options::default());
        let kernel = colour_of("vfs_read_[k]", Kind::Kernel, false);
        assert!(svg.contains(&format!("rgb({},{},{})", kernel.r, kernel.g, kernel.b)));
    }

    #[test]
    fn hot_and_cold_can_be_told_apart() {
        let profile = with_waits(from_folded("app;main;f 1"), "app;main;f;wait_[k] 2");
        let draw = |sample_types: &[u8]| {
            let selection = Selection {
                sample_types: sample_types.to_vec(),
                ..Selection::default()
            };
            let mut out = Vec::new();
            write(&profile, &selection, &Options::default(), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let has = |svg: &str, text: &str, kind, cold| {
            let Color { r, g, b } = colour_of(text, kind, cold);
            svg.contains(&format!("rgb({r},{g},{b})"))
        };
        let cold = draw(&[1]);
        assert!(
            titles(&cold).contains(&"wait (2,000 µs, 100.00%)"),
            "{:?}",
            titles(&cold)
        );
        assert!(has(&cold, "main", Kind::User, true) && !has(&cold, "main", Kind::User, false));
        assert!(!cold.contains("[waiting]"));
        assert!(
            cold.contains("1 waiting sample, 2.0 ms of waiting time"),
            "{cold}"
        );
        let wall = draw(&[0, 1]);
        assert!(
            titles(&wall).contains(&"[waiting] (2,000 µs, 16.53%)"),
            "{:?}",
            titles(&wall)
        );
        assert!(has(&wall, "[waiting]", Kind::Waiting, false) && has(&wall, "main", Kind::User, false));
        assert!(!has(&wall, "main", Kind::User, true));
    }

    #[test]
    fn nothing_selected_is_an_error_and_not_an_empty_picture() {
        let mut out = Vec::new();
        let selection = Selection {
            pids: vec![1],
            ..Selection::default()
        };
        let error = write(
            &from_folded("a;main 3"),
            &selection,
            &Options::default(),
            &mut out,
        )
        .unwrap_err();
        assert!(error.to_string().contains("no sample"));
        assert!(out.is_empty());
    }
}
