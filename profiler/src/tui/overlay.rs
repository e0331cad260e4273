//! A text that lies over the rest, longer than the screen maybe.

use super::keys::Action;

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays.
    Stays,
    /// It is closed.
    Closes,
    /// The dashboard ends.
    Quits,
}

/// Does what a key means to a text that `again`, which showed it, closes as well.
pub(super) fn read(scroll: &mut usize, action: Action, again: Action) -> Fate {
    match action {
        Action::Quit => return Fate::Quits,
        Action::Close | Action::Back | Action::Open => return Fate::Closes,
        _ if action == again => return Fate::Closes,
        Action::Move(rows) => *scroll = scroll.saturating_add_signed(rows),
        Action::Page(pages) => *scroll = scroll.saturating_add_signed(pages.saturating_mul(10)),
        Action::First => *scroll = 0,
        _ => {}
    }
    Fate::Stays
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_scrolls_and_closes_and_heeds_nothing_else() {
        let mut scroll = 3;
        let mut key = |action| (read(&mut scroll, action, Action::Help), scroll);
        assert_eq!(key(Action::Move(-9)), (Fate::Stays, 0));
        assert_eq!(key(Action::Page(2)), (Fate::Stays, 20));
        assert_eq!(key(Action::First), (Fate::Stays, 0));
        for action in [Action::Sort, Action::Detail] {
            assert_eq!(key(action), (Fate::Stays, 0));
        }
        for action in [Action::Help, Action::Close, Action::Back, Action::Open] {
            assert_eq!(key(action).0, Fate::Closes);
        }
        assert_eq!(key(Action::Quit).0, Fate::Quits);
    }
}
