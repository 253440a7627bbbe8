//! The curve of what free memory can serve, from a child's table.

use crate::child::absorb::{End, WATCHDOG, size};
use crate::child::control::Control;
use crate::results::{Absorbed, Absorption, Checkpoint};
use std::sync::atomic::Ordering::Relaxed;

/// What the probes at a checkpoint found.
pub(crate) fn absorption(control: &Control, at: &Checkpoint) -> Absorption {
    let own = control.has_free_ranges.load(Relaxed) == 1;
    let free = match own {
        true => control.free_bytes.load(Relaxed),
        false => at.waterfall.holes + at.waterfall.kept,
    };
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
            by_ranges: (ranges != u64::MAX).then_some(ranges),
            missing,
        }
    };
    Absorption {
        free,
        points: control.absorbed.iter().enumerate().map(point).collect(),
        missing: None,
    }
}
