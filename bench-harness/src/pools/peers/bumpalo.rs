//! The crate `bumpalo`: chunks that double; nothing comes back but all of it.

use super::described;
use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;
use bumpalo::Bump;
use std::ptr::NonNull;

pub(super) const VERSION: &str = "3.20.4";

/// `Bump`, reset where everything was given back.
pub struct Bumpalo;

impl PoolSubject for Bumpalo {
    type Local<'a> = Bump;
    const FREES: bool = false;

    fn describe() -> Description {
        described("bumpalo", VERSION, "all at once")
    }

    fn new(_capacity: usize) -> Option<Self> {
        Some(Self)
    }

    fn local(&self) -> Bump {
        Bump::new()
    }
}

impl PoolLocal for Bump {
    type Held = NonNull<Payload>;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        Some(NonNull::from(self.alloc(Payload::new(word))))
    }

    #[inline(always)]
    fn give(&mut self, _held: Self::Held) {}

    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
        // SAFETY: the chunks are emptied when nothing is out any more.
        unsafe { held.as_ref() }
    }

    fn emptied(&mut self) {
        self.reset();
    }
}
