//! The report for people.

use core::fmt;

use strata_core::ByteCount;

use super::{ClassReport, Report};

/// Bytes with a unit that leaves a few digits.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
        let unit = (self.0.max(1).ilog2() / 10).min(3);
        let number = self.0 as f64 / (1_u64 << (10 * unit)) as f64;
        let places = if unit == 0 { 0 } else { 1 };
        write!(f, "{number:.places$} {}", UNITS[unit as usize])
    }
}

/// A figure that may not be kept.
struct Figure(Option<ByteCount>);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => Bytes(bytes.get()).fmt(f),
            None => f.write_str("not kept"),
        }
    }
}

/// A part of a whole.
struct Percent(Option<f64>);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(part) => write!(f, "{:.1} %", part * 100.0),
            None => f.write_str("not known"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &self.stats;
        writeln!(
            f,
            "allocated {} (requested {}), active {}, purged in it {}",
            Figure(stats.allocated),
            Figure(stats.requested),
            Figure(stats.active),
            Figure(stats.purged)
        )?;
        writeln!(
            f,
            "committed {}, cached {}, metadata {}, reserved {}",
            Figure(stats.committed),
            Figure(stats.cached),
            Figure(stats.metadata),
            Figure(stats.reserved)
        )?;
        writeln!(
            f,
            "internal fragmentation {}, external {}: holes {}",
            Percent(self.internal_fragmentation()),
            Percent(self.external_fragmentation()),
            Bytes(self.holes().get())
        )?;
        match self.budget {
            Some(budget) => write!(
                f,
                "may keep {} ({} of it learned)",
                Bytes(budget.get()),
                Bytes(self.learned.get())
            )?,
            None => f.write_str("may keep everything")?,
        }
        write!(f, "; idle frames {}", Bytes(self.idle_frames))?;
        match self.given_back {
            Some(back) => writeln!(f, "; {} purges of {}", back.purges, Bytes(back.purged))?,
            None => writeln!(f)?,
        }
        let large = &self.large;
        writeln!(
            f,
            "large: {} runs of {}, {} chunks of {}; in slots {}, spare {}",
            large.runs,
            Bytes(large.run_bytes),
            large.chunks,
            Bytes(large.chunk_bytes),
            Bytes(large.slotted),
            Bytes(large.spare)
        )?;
        writeln!(
            f,
            "{:>7} {:>9} {:>8} {:>7} {:>9} {:>9} {:>9}  spans by tenths taken",
            "block", "live", "stocked", "spans", "holes", "idle", "untouched"
        )?;
        for class in self.classes.iter().filter(|class| class.spans != 0) {
            write_class(class, f)?;
        }
        Ok(())
    }
}

fn write_class(class: &ClassReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let ClassReport { block_len, spans, stocked, holes, idle, untouched, .. } = *class;
    write!(
        f,
        "{block_len:>7} {:>9} {stocked:>8} {spans:>7} {holes:>9} {idle:>9} {untouched:>9} ",
        class.live()
    )?;
    for spans in class.occupancy {
        write!(f, " {spans}")?;
    }
    writeln!(f)
}
