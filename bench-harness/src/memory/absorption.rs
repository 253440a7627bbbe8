//! The curve of what free memory can serve, from a child's table.

use crate::child::absorb::{End, WATCHDOG, size};
use crate::child::control::Control;
use crate::results::{Absorbed, Absorption, Checkpoint};
use std::sync::atomic::Ordering::Relaxed;

/// Free bytes that are resident: of what the subject itself shows as free, or, where it shows nothing,
/// what lies between and beside its blocks. Whether all that it shows is resident comes with them: a
/// program feels nothing of a reservation that nobody touched, and blocks cut of it say nothing.
fn free(shown: Option<(u64, u64)>, at: &Checkpoint) -> (u64, bool) {
    match shown {
        Some((all, resident)) => (resident, all <= at.resident),
        None => (at.waterfall.holes + at.waterfall.kept, false),
    }
}

/// What the probes at a checkpoint found.
pub(crate) fn absorption(control: &Control, at: &Checkpoint) -> Absorption {
    let resident = Some(control.free_resident.load(Relaxed)).filter(|&bytes| bytes != u64::MAX);
    let shown = resident.map(|resident| (control.free_bytes.load(Relaxed), resident));
    let (free, all_resident) = free(shown, at);
    let point = |(index, found): (usize, &crate::child::absorb::Absorbed)| {
        let missing = match End::of(found.end.load(Relaxed)) {
            End::Grew | End::Refused => None,
            End::NoChild => Some("no process could be forked".to_owned()),
            End::Watchdog => Some(format!("not done after {WATCHDOG} s")),
            End::Died => Some("its process died".to_owned()),
        };
        let ranges = found.by_ranges.load(Relaxed);
        Absorbed {
            size: size(index) as u64,
            served: missing.is_none().then(|| found.bytes.load(Relaxed)),
            stride: Some(found.stride.load(Relaxed)).filter(|&stride| stride > 0),
            by_ranges: (all_resident && ranges != u64::MAX).then_some(ranges),
            missing,
        }
    };
    Absorption {
        free,
        points: control.absorbed.iter().enumerate().map(point).collect(),
        missing: None,
    }
}

#[cfg(test)]
mod tests {
    use super::free;
    use crate::results::{Checkpoint, Waterfall};

    #[test]
    fn ranges_beyond_what_is_resident_are_not_what_a_program_feels() {
        let waterfall = Waterfall { holes: 300, kept: 50, ..Waterfall::default() };
        let at = Checkpoint { resident: 4096, waterfall, ..Checkpoint::default() };
        assert_eq!(free(Some((4096, 4000)), &at), (4000, true));
        assert_eq!(free(Some((4097, 4000)), &at), (4000, false));
        assert_eq!(free(None, &at), (350, false));
    }
}
