//! The report for programs.

use core::fmt;

use strata_core::ByteCount;

use super::{ClassReport, GivenBack, LargeReport, Report};

pub(super) struct Json<'a>(pub(super) &'a Report);

/// A figure, or `null`.
struct Figure(Option<ByteCount>);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => bytes.get().fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// A part of a whole, or `null`. It is finite: a quotient by more than zero.
struct Part(Option<f64>);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(part) => write!(f, "{part:.6}"),
            None => f.write_str("null"),
        }
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let stats = &report.stats;
        write!(f, "{{\"stats\":{{\"requested\":{}", Figure(stats.requested))?;
        for (name, figure) in [
            ("allocated", stats.allocated),
            ("active", stats.active),
            ("purged", stats.purged),
            ("cached", stats.cached),
            ("metadata", stats.metadata),
            ("committed", stats.committed),
            ("reserved", stats.reserved),
        ] {
            write!(f, ",\"{name}\":{}", Figure(figure))?;
        }
        write!(f, "}},\"internal_fragmentation\":{}", Part(report.internal_fragmentation()))?;
        write!(f, ",\"external_fragmentation\":{}", Part(report.external_fragmentation()))?;
        write!(f, ",\"holes\":{},\"idle_frames\":{}", report.holes().get(), report.idle_frames)?;
        write!(f, ",\"budget\":{}", Figure(report.budget))?;
        write!(f, ",\"learned\":{},\"given_back\":", report.learned.get())?;
        match report.given_back {
            Some(GivenBack { purges, purged }) => {
                write!(f, "{{\"purges\":{purges},\"purged\":{purged}}}")?;
            }
            None => f.write_str("null")?,
        }
        let LargeReport { runs, run_bytes, chunks, chunk_bytes, slotted, spare } = report.large;
        write!(f, ",\"large\":{{\"runs\":{runs},\"run_bytes\":{run_bytes},\"chunks\":{chunks}")?;
        write!(f, ",\"chunk_bytes\":{chunk_bytes},\"slotted\":{slotted},\"spare\":{spare}}}")?;
        f.write_str(",\"classes\":[")?;
        let used = report.classes.iter().filter(|class| class.spans != 0);
        for (number, class) in used.enumerate() {
            if number != 0 {
                f.write_str(",")?;
            }
            write_class(class, f)?;
        }
        f.write_str("]}")
    }
}

/// A class, if it has spans.
fn write_class(class: &ClassReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let ClassReport { block_len, spans, capacity, taken, stocked, .. } = *class;
    let ClassReport { occupancy, holes, idle, untouched, .. } = *class;
    write!(f, "{{\"block_len\":{block_len},\"spans\":{spans},\"capacity\":{capacity}")?;
    write!(f, ",\"taken\":{taken},\"stocked\":{stocked},\"occupancy\":[")?;
    for (number, spans) in occupancy.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        write!(f, "{comma}{spans}")?;
    }
    write!(f, "],\"holes\":{holes},\"idle\":{idle},\"untouched\":{untouched}}}")
}
