//! The six terms of the waterfall: names, colours, values.

use crate::results::Waterfall;

/// One term; its class names its colour in the style sheet.
pub(super) struct Term {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) bytes: fn(&Waterfall) -> Option<u64>,
}

/// From what the program asked for to what the allocator keeps for itself.
pub(super) const TERMS: [Term; 6] = [
    Term { name: "live", class: "live", bytes: |w| Some(w.live) },
    Term { name: "rounding", class: "rounding", bytes: |w| Some(w.rounding) },
    Term { name: "headers", class: "headers", bytes: |w| w.headers },
    Term { name: "holes", class: "holes", bytes: |w| Some(w.holes) },
    Term { name: "kept", class: "kept", bytes: |w| Some(w.kept) },
    Term { name: "metadata", class: "metadata", bytes: |w| Some(w.metadata) },
];
