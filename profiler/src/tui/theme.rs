//! Colours.

use ratatui::style::{Color, Modifier, Style};

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
        kernel: Style::new().fg(Color::Indexed(180)),
        found: Style::new().fg(Color::Indexed(220)),
        good: Style::new().fg(Color::Indexed(114)),
        warn: Style::new().fg(Color::Indexed(220)),
        bad: Style::new().fg(Color::Indexed(203)).add_modifier(Modifier::BOLD),
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
        kernel: Style::new(),
        found: Style::new().add_modifier(Modifier::UNDERLINED),
        good: Style::new(),
        warn: Style::new().add_modifier(Modifier::BOLD),
        bad: Style::new().add_modifier(Modifier::BOLD.union(Modifier::REVERSED)),
    };

    /// The one for a terminal that says these things of itself in the environment.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let says = |name: &str, what: &str| variable(name).is_some_and(|value| value.contains(what));
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            Self::PLAIN
        } else if says("TERM", "256color") || says("COLORTERM", "truecolor") || says("COLORTERM", "24bit") {
            Self::DARK
        } else {
            Self::SIXTEEN
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Theme {
        Theme::of(|name| {
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
    fn a_terminal_that_promises_nothing_gets_sixteen_colours() {
        assert_eq!(of(&[("TERM", "linux")]), Theme::SIXTEEN);
        assert_eq!(of(&[]), Theme::SIXTEEN);
        assert_eq!(of(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]), Theme::DARK);
    }
}
