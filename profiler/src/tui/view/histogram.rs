//! How long the calls under the cursor took, in a histogram.

use ratatui::{Frame, layout::Rect};

use super::{
    Columns, below, put_right, put_text, row,
    text::{bar, clean, count, fit, latency, percent, width},
};
use crate::{
    query::{Bucket, operation::operation, share},
    tui::{app::App, theme::Theme},
};

/// A line for each power of two; for each of four, of eight and so on where there is less room.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: &Theme) {
    let chosen = app.call_rows.get(app.shown_list().cursor());
    let calls = app.answers.calls.as_ref().zip(chosen);
    let Some(call) = calls.map(|(calls, chosen)| &calls.rows[chosen.index]) else {
        return;
    };
    let title = format!(" how long {} of {} took ", operation(call.operation), call.label);
    let title = fit(&title, usize::from(area.width).saturating_sub(4));
    let line = "─".repeat(usize::from(area.width).saturating_sub(width(&title) + 2));
    put_text(
        frame,
        row(area, 0),
        format!("──{}{line}", clean(&title)),
        theme.dim,
    );
    let area = below(area, 1);
    let bars = bars(&call.timing.buckets().collect::<Vec<_>>(), area.height.into());
    let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(0);
    for (line, (from_ns, number)) in (0..area.height).zip(bars) {
        let mut columns = Columns::of(row(area, line));
        put_right(
            frame,
            columns.next(10),
            &format!("≥ {}", latency(from_ns)),
            theme.text,
        );
        put_right(frame, columns.next(11), &count(number), theme.text);
        let part = share::percent(number, call.timing.timed);
        put_text(frame, columns.next(6), percent(part), theme.dim);
        let rest = columns.rest(1);
        put_text(frame, rest, bar(number, most, rest.width), theme.total);
    }
}

/// From where on and how many, of stretches as short as there is room for; those between two others may be empty.
fn bars(buckets: &[Bucket], room: usize) -> Vec<(u64, u64)> {
    let power = |bucket: &Bucket| bucket.from_ns.max(1).ilog2();
    let (Some(first), Some(last)) = (buckets.first().map(power), buckets.last().map(power)) else {
        return Vec::new();
    };
    let step = (last - first + 1).div_ceil(u32::try_from(room).unwrap_or(u32::MAX).max(1));
    let mut bars: Vec<(u64, u64)> = (first..=last)
        .step_by(step as usize)
        .map(|power| (1 << power, 0))
        .collect();
    for bucket in buckets {
        let (_, count) = &mut bars[((power(bucket) - first) / step) as usize];
        *count = count.saturating_add(bucket.count);
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_fine_as_there_is_room_for() {
        let bucket = |from_ns, count| Bucket {
            number: 0,
            from_ns,
            to_ns: None,
            count,
        };
        let buckets = [bucket(1_024, 5), bucket(1_536, 1), bucket(9_000, 2)];
        assert_eq!(
            bars(&buckets, 9),
            [(1_024, 6), (2_048, 0), (4_096, 0), (8_192, 2)]
        );
        assert_eq!(bars(&buckets, 2), [(1_024, 6), (4_096, 2)]);
        assert_eq!(bars(&buckets, 0), [(1_024, 8)]);
        assert_eq!(bars(&[], 5), []);
    }
}
