//! How what is said once, or once a second, is written as columns: the host, and the quality of a stretch of time.

use crate::profile::{Metadata, QualityWindow};

use super::{
    columns::{Bytes, Columns, ColumnsWriter, Lengths, Malformed},
    rows::{Row, time},
};

impl Row for Metadata {
    const LAST_COLUMN: u8 = 20;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        for row in rows {
            let Self {
                hostname,
                kernel_release,
                machine,
                kernel_build_id,
                cpus,
                recorder,
                command_line,
                target_command,
                filters,
                clock,
                frequency_hz,
                period,
                start_monotonic_ns,
                start_unix_ns,
                kernel_stacks,
                user_stacks,
                max_stack,
            } = row;
            columns.texts(1, [hostname]);
            columns.texts(2, [kernel_release]);
            columns.texts(3, [machine]);
            columns.texts(4, [kernel_build_id]);
            columns.varints(5, [u64::from(*cpus)]);
            columns.texts(6, [recorder]);
            columns.varints(7, [command_line.len() as u64]);
            columns.texts(8, command_line);
            columns.varints(9, [target_command.len() as u64]);
            columns.texts(10, target_command);
            columns.varints(11, [filters.len() as u64]);
            columns.texts(12, filters);
            columns.texts(13, [clock]);
            columns.varints(14, [u64::from(*frequency_hz)]);
            columns.varints(15, [*period]);
            columns.varints(16, [*start_monotonic_ns]);
            columns.varints(17, [*start_unix_ns]);
            columns.varints(18, [u64::from(*kernel_stacks)]);
            columns.varints(19, [u64::from(*user_stacks)]);
            columns.varints(20, [u64::from(*max_stack)]);
        }
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        if rows != 1 {
            return Err(Malformed("not one row"));
        }
        let text = |id| columns.bytes(id)?.next_text();
        let number = |id| columns.varints(id)?.next();
        let small = |id| columns.varints(id)?.next_as::<u32>();
        let list = |id| texts(&mut columns.lengths(id, [id + 1])?, &mut columns.bytes(id + 1)?);
        Ok(vec![Self {
            hostname: text(1)?,
            kernel_release: text(2)?,
            machine: text(3)?,
            kernel_build_id: text(4)?,
            cpus: small(5)?,
            recorder: text(6)?,
            command_line: list(7)?,
            target_command: list(9)?,
            filters: list(11)?,
            clock: text(13)?,
            frequency_hz: small(14)?,
            period: time(number(15)?)?,
            start_monotonic_ns: time(number(16)?)?,
            start_unix_ns: time(number(17)?)?,
            kernel_stacks: number(18)? != 0,
            user_stacks: number(19)? != 0,
            max_stack: small(20)?,
        }])
    }
}

fn texts(lengths: &mut Lengths<'_>, items: &mut Bytes<'_>) -> Result<Vec<String>, Malformed> {
    (0..lengths.next()?).map(|_| items.next_text()).collect()
}

impl Row for QualityWindow {
    const LAST_COLUMN: u8 = 18;

    fn encode(rows: &[Self], _: u64, columns: &mut ColumnsWriter) {
        let lost = || rows.iter().flat_map(|row| &row.lost);
        columns.deltas(1, rows.iter().map(|row| row.start_ns));
        columns.deltas(2, rows.iter().map(|row| row.end_ns));
        columns.varints(3, rows.iter().map(|row| row.samples));
        columns.varints(4, rows.iter().map(|row| row.idle));
        columns.varints(5, rows.iter().map(|row| row.filtered));
        columns.varints(6, rows.iter().map(|row| row.expected));
        columns.varints(7, rows.iter().map(|row| row.lost.len() as u64));
        columns.texts(8, lost().map(|(reason, _)| reason));
        columns.varints(9, lost().map(|(_, &count)| count));
        columns.varints(10, rows.iter().map(|row| row.own_cpu_ns));
        columns.varints(11, rows.iter().map(|row| row.bpf_ns));
        columns.varints(12, rows.iter().map(|row| row.bpf_measured_ns));
        columns.varints(13, rows.iter().map(|row| row.host_busy_ns));
        columns.varints(14, rows.iter().map(|row| row.host_idle_ns));
        let shed = || rows.iter().flat_map(|row| &row.shed_ns);
        columns.varints(15, rows.iter().map(|row| row.not_kept));
        columns.varints(16, rows.iter().map(|row| row.shed_ns.len() as u64));
        columns.texts(17, shed().map(|(probe, _)| probe));
        columns.varints(18, shed().map(|(_, &ns)| ns));
    }

    fn decode(columns: &Columns<'_>, _: u64, rows: usize) -> Result<Vec<Self>, Malformed> {
        let (mut start_ns, mut end_ns) = (columns.deltas(1)?, columns.deltas(2)?);
        let (mut samples, mut idle) = (columns.varints(3)?, columns.varints(4)?);
        let (mut filtered, mut expected) = (columns.varints(5)?, columns.varints(6)?);
        let (mut lengths, mut reasons, mut counts) =
            (columns.lengths(7, [8])?, columns.bytes(8)?, columns.varints(9)?);
        let (mut own_cpu_ns, mut bpf_ns, mut bpf_measured_ns) =
            (columns.varints(10)?, columns.varints(11)?, columns.varints(12)?);
        let (mut host_busy_ns, mut host_idle_ns) = (columns.varints(13)?, columns.varints(14)?);
        let (mut not_kept, mut probes) = (columns.varints(15)?, columns.lengths(16, [17])?);
        let (mut names, mut shed_ns) = (columns.bytes(17)?, columns.varints(18)?);
        let mut reason = || Ok((reasons.next_text()?, counts.next()?));
        let mut shed = || Ok((names.next_text()?, shed_ns.next()?));
        let mut row = || {
            Ok(Self {
                start_ns: time(start_ns.next()?)?,
                end_ns: time(end_ns.next()?)?,
                samples: samples.next()?,
                idle: idle.next()?,
                filtered: filtered.next()?,
                expected: expected.next()?,
                lost: (0..lengths.next()?).map(|_| reason()).collect::<Result<_, _>>()?,
                own_cpu_ns: own_cpu_ns.next()?,
                bpf_ns: bpf_ns.next()?,
                bpf_measured_ns: bpf_measured_ns.next()?,
                host_busy_ns: host_busy_ns.next()?,
                host_idle_ns: host_idle_ns.next()?,
                not_kept: not_kept.next()?,
                shed_ns: (0..probes.next()?).map(|_| shed()).collect::<Result<_, _>>()?,
            })
        };
        (0..rows).map(|_| row()).collect()
    }
}
