//! Doubly linked lists of free segments, by their two links.

use crate::metadata::{Bookkeeping, Name};

const NEXT: usize = 0;
const PREVIOUS: usize = 1;

/// Puts a segment first on the list that `head` heads.
#[inline]
pub(super) fn push<M: Bookkeeping>(meta: &mut M, head: &mut u32, segment: Name) {
    let next = Name(*head);
    meta.set_link(segment, NEXT, next);
    meta.set_link(segment, PREVIOUS, Name::NONE);
    if !next.is_none() {
        meta.set_link(next, PREVIOUS, segment);
    }
    *head = segment.0;
}

/// Takes a segment off the list that `head` heads.
#[inline]
pub(super) fn unlink<M: Bookkeeping>(meta: &mut M, head: &mut u32, segment: Name) {
    let (next, previous) = (meta.link(segment, NEXT), meta.link(segment, PREVIOUS));
    if !next.is_none() {
        meta.set_link(next, PREVIOUS, previous);
    }
    if *head == segment.0 {
        *head = next.0;
    } else {
        meta.set_link(previous, NEXT, next);
    }
}

/// What follows a segment.
#[inline]
pub(super) fn next<M: Bookkeeping>(meta: &M, segment: Name) -> Name {
    meta.link(segment, NEXT)
}

/// Tells `seen` of a list; whether its links agree.
pub(super) fn validate<M: Bookkeeping>(meta: &M, head: u32, seen: &mut dyn FnMut(Name)) -> bool {
    let (mut previous, mut at) = (Name::NONE, Name(head));
    while !at.is_none() {
        if !meta.is_free(at) || meta.link(at, PREVIOUS) != previous {
            return false;
        }
        seen(at);
        (previous, at) = (at, next(meta, at));
    }
    true
}
