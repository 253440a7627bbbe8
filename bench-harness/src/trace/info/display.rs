//! [`Info`] as a text for people.

use super::{Info, Percentiles};
use std::fmt::{self, Display, Formatter};

impl Display for Info {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let c = &self.counts;
        let mut line = |what: &str, text: String| writeln!(f, "{what:<12} {text}");
        line("trace", format!("{} ({})", self.name, self.format))?;
        if let Some(cut_off) = &self.cut_off {
            line("cut off", cut_off.clone())?;
        }
        for (what, text) in [("program", &self.program), ("origin", &self.origin)] {
            if !text.is_empty() {
                line(what, text.clone())?;
            }
        }
        for (what, text) in &self.notes {
            line(what, text.clone())?;
        }
        line("duration", {
            let resolution = nanos(self.nanos_per_tick);
            format!("{}, to {resolution}", nanos(self.duration_nanos))
        })?;
        line("events", {
            let (allocate, zeroed) = (grouped(c.allocate), grouped(c.zeroed));
            let (reallocate, free) = (grouped(c.reallocate), grouped(c.free));
            let events = grouped(c.events);
            format!(
                "{events}: {allocate} allocate ({zeroed} zeroed), {reallocate} reallocate, {free} free"
            )
        })?;
        line("threads", {
            let [seen, alive] = [self.threads, self.threads_alive_peak].map(grouped);
            let [spawn, start, exit, join] = [c.spawn, c.start, c.exit, c.join].map(grouped);
            format!(
                "{seen}, at most {alive} alive at a time; {spawn} spawned, {start} started, {exit} ended, {join} joined"
            )
        })?;
        line("cross-thread", {
            let frees = share(self.cross_frees, c.free);
            let reallocs = share(self.cross_reallocs, c.reallocate);
            format!("frees {frees}, reallocs {reallocs}")
        })?;
        line("sizes", percentiles(self.sizes.as_ref(), bytes))?;
        line("alignments", alignments(self))?;
        line("zeroed", share(c.zeroed, c.allocate))?;
        let records = |number| grouped(number) + " records";
        line("lifetimes", percentiles(self.lifetime_records.as_ref(), records))?;
        line("", percentiles(self.lifetime_nanos.as_ref(), nanos))?;
        line("peak", {
            let [blocks, record, most] =
                [self.peak_bytes_blocks, self.peak_record, self.peak_blocks].map(grouped);
            format!(
                "{} in {blocks} blocks after record {record}; most blocks at a time: {most}",
                bytes(self.peak_bytes)
            )
        })?;
        let left = format!("{} blocks, {}", grouped(self.left_blocks), bytes(self.left_bytes));
        line("left alive", if self.left_blocks == 0 { "none".into() } else { left })
    }
}

fn alignments(info: &Info) -> String {
    let parts = info.alignments.iter().map(|part| {
        let what = match part.align_log2 {
            None => "none".to_owned(),
            Some(log2) => bytes(1 << log2),
        };
        format!("{what} {}", share(part.count, info.counts.allocate))
    });
    match parts.collect::<Vec<_>>() {
        parts if parts.is_empty() => "n/a".into(),
        parts => parts.join(", "),
    }
}

fn percentiles(of: Option<&Percentiles>, unit: fn(u64) -> String) -> String {
    of.map_or("n/a".into(), |of| {
        let [p50, p90, p99, max] = [of.p50, of.p90, of.p99, of.max].map(unit);
        format!("p50 {p50}, p90 {p90}, p99 {p99}, max {max}")
    })
}

/// `1,234 (12.3%)`, or n/a where there is no whole.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "n/a".into();
    }
    format!("{} ({:.1}%)", grouped(part), 100.0 * part as f64 / whole as f64)
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn bytes(number: u64) -> String {
    match number {
        0..10_240 => format!("{} B", grouped(number)),
        10_240..10_485_760 => format!("{:.1} KiB", number as f64 / 1024.0),
        _ => format!("{:.1} MiB", number as f64 / 1_048_576.0),
    }
}

fn nanos(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} ns"),
        1_000..1_000_000 => format!("{:.1} µs", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", number as f64 / 1e6),
        _ => format!("{:.2} s", number as f64 / 1e9),
    }
}
