//! The crate `typed-arena`: chunks that grow; nothing comes back but all of it.

use super::described;
use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;
use std::ptr::NonNull;

pub(super) const VERSION: &str = "2.0.2";

/// `Arena`, made anew where everything was given back.
pub struct TypedArena;

impl PoolSubject for TypedArena {
    type Local<'a> = typed_arena::Arena<Payload>;
    const FREES: bool = false;

    fn describe() -> Description {
        described("typed-arena", VERSION, "all at once")
    }

    fn new(_capacity: usize) -> Option<Self> {
        Some(Self)
    }

    fn local(&self) -> Self::Local<'_> {
        typed_arena::Arena::new()
    }
}

impl PoolLocal for typed_arena::Arena<Payload> {
    type Held = NonNull<Payload>;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        Some(NonNull::from(self.alloc(Payload::new(word))))
    }

    #[inline(always)]
    fn give(&mut self, _held: Self::Held) {}

    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
        // SAFETY: the arena is emptied when nothing is out any more.
        unsafe { held.as_ref() }
    }

    fn emptied(&mut self) {
        *self = typed_arena::Arena::new();
    }
}
