//! Colours.

use ratatui::style::{Color, Modifier, Style};

use super::kind::Kind;

/// Which colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// 256 on a dark ground.
    Dark,
    /// 256 on a light ground.
    Light,
    /// 16, whichever they are.
    Sixteen,
}

/// The style of everything that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Theme {
    /// Ordinary text.
    pub(super) text: Style,
    /// What stands back: units, modules, hints.
    pub(super) dim: Style,
    /// Headings, the tab that is open, keys.
    pub(super) strong: Style,
    /// The row under the cursor.
    pub(super) cursor: Style,
    /// What lies over the rest.
    pub(super) panel: Style,
    /// The bar of self time.
    pub(super) own: Style,
    /// The bar of total time.
    pub(super) total: Style,
    /// What threads did: running, runnable, disk, network, ipc, lock, fault, other.
    pub(super) states: [Style; 8],
    /// Frames of a flame graph by their [`Kind`], in two shades each.
    pub(super) frames: [[Style; 2]; Kind::COUNT],
    /// As `frames`, where all samples are waits.
    pub(super) cold_frames: [[Style; 2]; Kind::COUNT],
    /// A frame that matches what is looked for.
    pub(super) frame_found: Style,
    /// On top of its style, that of the frame under the cursor.
    pub(super) frame_cursor: Style,
    /// Whether frames are filled by characters that say what they are.
    pub(super) fills: bool,
    /// Cells of a map, from empty to full.
    pub(super) heat: [Style; 5],
    /// Kernel code.
    pub(super) kernel: Style,
    /// What matches the filter, and the filter itself.
    pub(super) found: Style,
    /// A figure that is as it should be.
    pub(super) good: Style,
    /// A figure that asks for care.
    pub(super) warn: Style,
    /// A figure that spoils the picture.
    pub(super) bad: Style,
}

impl Theme {
    /// For dark terminals with 256 colours.
    pub(super) const DARK: Self = Self {
        text: Style::new(),
        dim: Style::new().fg(Color::Indexed(245)),
        strong: Style::new().fg(Color::Indexed(117)).add_modifier(Modifier::BOLD),
        cursor: Style::new().bg(Color::Indexed(238)).add_modifier(Modifier::BOLD),
        panel: Style::new().bg(Color::Indexed(236)),
        own: Style::new().fg(Color::Indexed(209)),
        total: Style::new().fg(Color::Indexed(67)),
        states: [
            Style::new().fg(Color::Indexed(209)),
            Style::new().fg(Color::Indexed(220)),
            Style::new().fg(Color::Indexed(75)),
            Style::new().fg(Color::Indexed(80)),
            Style::new().fg(Color::Indexed(141)),
            Style::new().fg(Color::Indexed(203)),
            Style::new().fg(Color::Indexed(180)),
            Style::new().fg(Color::Indexed(245)),
        ],
        frames: [
            indexed([203, 209]),
            indexed([179, 221]),
            indexed([208, 215]),
            indexed([137, 173]),
            indexed([71, 114]),
            indexed([246, 250]),
            indexed([140, 176]),
            indexed([69, 75]),
        ],
        cold_frames: [
            indexed([111, 117]),
            indexed([116, 152]),
            indexed([68, 69]),
            indexed([67, 74]),
            indexed([79, 115]),
            indexed([246, 250]),
            indexed([140, 176]),
            indexed([69, 75]),
        ],
        frame_found: Style::new()
            .fg(Color::Indexed(16))
            .bg(Color::Indexed(201))
            .add_modifier(Modifier::BOLD),
        frame_cursor: Style::new()
            .fg(Color::Indexed(16))
            .bg(Color::Indexed(231))
            .add_modifier(Modifier::BOLD),
        fills: false,
        heat: [
            Style::new().fg(Color::Indexed(238)),
            Style::new().fg(Color::Indexed(58)),
            Style::new().fg(Color::Indexed(136)),
            Style::new().fg(Color::Indexed(208)),
            Style::new().fg(Color::Indexed(196)),
        ],
        kernel: Style::new().fg(Color::Indexed(180)),
        found: Style::new().fg(Color::Indexed(220)),
        good: Style::new().fg(Color::Indexed(114)),
        warn: Style::new().fg(Color::Indexed(220)),
        bad: Style::new().fg(Color::Indexed(203)).add_modifier(Modifier::BOLD),
    };

    /// For light terminals with 256 colours.
    pub(super) const LIGHT: Self = Self {
        dim: Style::new().fg(Color::Indexed(242)),
        strong: Style::new().fg(Color::Indexed(25)).add_modifier(Modifier::BOLD),
        cursor: Style::new().bg(Color::Indexed(252)).add_modifier(Modifier::BOLD),
        panel: Style::new().bg(Color::Indexed(254)),
        own: Style::new().fg(Color::Indexed(166)),
        total: Style::new().fg(Color::Indexed(67)),
        states: [
            Style::new().fg(Color::Indexed(166)),
            Style::new().fg(Color::Indexed(136)),
            Style::new().fg(Color::Indexed(26)),
            Style::new().fg(Color::Indexed(30)),
            Style::new().fg(Color::Indexed(97)),
            Style::new().fg(Color::Indexed(160)),
            Style::new().fg(Color::Indexed(94)),
            Style::new().fg(Color::Indexed(242)),
        ],
        frame_cursor: Style::new()
            .fg(Color::Indexed(231))
            .bg(Color::Indexed(16))
            .add_modifier(Modifier::BOLD),
        heat: [
            Style::new().fg(Color::Indexed(252)),
            Style::new().fg(Color::Indexed(186)),
            Style::new().fg(Color::Indexed(178)),
            Style::new().fg(Color::Indexed(202)),
            Style::new().fg(Color::Indexed(160)),
        ],
        kernel: Style::new().fg(Color::Indexed(94)),
        found: Style::new()
            .fg(Color::Indexed(130))
            .add_modifier(Modifier::UNDERLINED),
        good: Style::new().fg(Color::Indexed(28)),
        warn: Style::new().fg(Color::Indexed(130)),
        bad: Style::new().fg(Color::Indexed(160)).add_modifier(Modifier::BOLD),
        ..Self::DARK
    };

    /// For terminals with 16 colours, whichever they are.
    pub(super) const SIXTEEN: Self = Self {
        text: Style::new(),
        dim: Style::new().add_modifier(Modifier::DIM),
        strong: Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
        cursor: Style::new().add_modifier(Modifier::REVERSED),
        panel: Style::new(),
        own: Style::new().fg(Color::Red),
        total: Style::new().fg(Color::Blue),
        states: [
            Style::new().fg(Color::Red),
            Style::new().fg(Color::Yellow),
            Style::new().fg(Color::Blue),
            Style::new().fg(Color::Cyan),
            Style::new().fg(Color::Magenta),
            Style::new().fg(Color::LightRed),
            Style::new().fg(Color::LightYellow),
            Style::new().add_modifier(Modifier::DIM),
        ],
        frames: [
            on([Color::Red, Color::LightRed]),
            on([Color::LightYellow, Color::LightYellow]),
            on([Color::Yellow, Color::Yellow]),
            on([Color::Gray, Color::Gray]),
            on([Color::Green, Color::LightGreen]),
            on([Color::Gray, Color::White]),
            on([Color::Magenta, Color::LightMagenta]),
            on([Color::Blue, Color::LightBlue]),
        ],
        cold_frames: [
            on([Color::Cyan, Color::LightCyan]),
            on([Color::Green, Color::LightGreen]),
            on([Color::LightBlue, Color::LightBlue]),
            on([Color::Gray, Color::Gray]),
            on([Color::Green, Color::LightGreen]),
            on([Color::Gray, Color::White]),
            on([Color::Magenta, Color::LightMagenta]),
            on([Color::Blue, Color::LightBlue]),
        ],
        frame_found: Style::new()
            .fg(Color::Black)
            .bg(Color::White)
            .add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
        frame_cursor: Style::new().add_modifier(Modifier::REVERSED),
        fills: true,
        heat: [
            Style::new(),
            Style::new().fg(Color::Yellow),
            Style::new().fg(Color::Yellow),
            Style::new().fg(Color::LightRed),
            Style::new().fg(Color::Red),
        ],
        kernel: Style::new().fg(Color::Yellow),
        found: Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
        good: Style::new().fg(Color::Green),
        warn: Style::new().fg(Color::Yellow),
        bad: Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    };

    /// No colour at all (<https://no-color.org>).
    pub(super) const PLAIN: Self = Self {
        text: Style::new(),
        dim: Style::new(),
        strong: Style::new().add_modifier(Modifier::BOLD),
        cursor: Style::new().add_modifier(Modifier::REVERSED),
        panel: Style::new(),
        own: Style::new(),
        total: Style::new(),
        states: [Style::new(); 8],
        frames: [[Style::new(); 2]; Kind::COUNT],
        cold_frames: [[Style::new(); 2]; Kind::COUNT],
        frame_found: Style::new().add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
        frame_cursor: Style::new().add_modifier(Modifier::REVERSED),
        fills: true,
        heat: [Style::new(); 5],
        kernel: Style::new(),
        found: Style::new().add_modifier(Modifier::UNDERLINED),
        good: Style::new(),
        warn: Style::new().add_modifier(Modifier::BOLD),
        bad: Style::new().add_modifier(Modifier::BOLD.union(Modifier::REVERSED)),
    };

    /// For a frame of a flame graph. The shade is the name's: equal names look alike in every graph.
    pub(super) fn frame(&self, kind: Kind, label: &str, cold: bool) -> Style {
        let shade = label
            .bytes()
            .fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        let frames = if cold { &self.cold_frames } else { &self.frames };
        frames[kind as usize][usize::from(shade >> 4 & 1)]
    }

    /// The one that is asked for, or that a terminal says in the environment that it can show.
    pub(super) fn of(asked: Option<Colours>, variable: impl Fn(&str) -> Option<String>) -> Self {
        let says = |name: &str, what: &str| variable(name).is_some_and(|value| value.contains(what));
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return Self::PLAIN;
        }
        match asked {
            Some(Colours::Dark) => return Self::DARK,
            Some(Colours::Light) => return Self::LIGHT,
            Some(Colours::Sixteen) => return Self::SIXTEEN,
            None => {}
        }
        if says("TERM", "256color") || says("COLORTERM", "truecolor") || says("COLORTERM", "24bit") {
            Self::DARK
        } else {
            Self::SIXTEEN
        }
    }
}

/// Black on two of 256 colours.
const fn indexed([a, b]: [u8; 2]) -> [Style; 2] {
    let black = Style::new().fg(Color::Indexed(16));
    [black.bg(Color::Indexed(a)), black.bg(Color::Indexed(b))]
}

/// Black on two of 16 colours.
const fn on([a, b]: [Color; 2]) -> [Style; 2] {
    let black = Style::new().fg(Color::Black);
    [black.bg(a), black.bg(b)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Theme {
        Theme::of(None, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn no_color_wins_unless_it_is_empty() {
        assert_eq!(of(&[("NO_COLOR", "1"), ("TERM", "xterm-256color")]), Theme::PLAIN);
        assert_eq!(of(&[("NO_COLOR", ""), ("TERM", "xterm-256color")]), Theme::DARK);
    }

    #[test]
    fn what_is_asked_for_counts_more_than_what_a_terminal_says_and_less_than_no_color() {
        let asked = |variable: &'static str| {
            Theme::of(Some(Colours::Light), move |name| {
                (name == variable).then(|| "1".to_owned())
            })
        };
        assert_eq!(asked("TERM"), Theme::LIGHT);
        assert_eq!(asked("NO_COLOR"), Theme::PLAIN);
        assert_eq!(Theme::of(Some(Colours::Sixteen), |_| None), Theme::SIXTEEN);
        assert_eq!(Theme::of(Some(Colours::Dark), |_| None), Theme::DARK);
    }

    #[test]
    fn a_terminal_that_promises_nothing_gets_sixteen_colours() {
        assert_eq!(of(&[("TERM", "linux")]), Theme::SIXTEEN);
        assert_eq!(of(&[]), Theme::SIXTEEN);
        assert_eq!(of(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]), Theme::DARK);
    }
}
