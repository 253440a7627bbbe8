//! Huge pages for large blocks whose memory a program keeps using.
//!
//! Who writes many pages again and again pays for each of them in the processor's translation buffers:
//! a pass over 16 MiB that touches every page of 4 KiB takes two thirds of the time where pages have
//! 2 MiB. Advice from the beginning would make resident what the program never touches, and would stay
//! with the addresses when small blocks have them. So memory is looked at when it was used often, and
//! where every page of a sample has contents the system is asked once to [collapse] it: what it holds
//! becomes huge pages, with what pages without contents the sample missed, and what is mapped there later does not.
//!
//! [collapse]: https://man7.org/linux/man-pages/man2/madvise.2.html

/// Uses after which somebody looks first; then after four times as many, and so on.
const FIRST: u16 = 256;

/// What a block counts for that was cleared as a whole: that costs more with small pages than a word on each.
pub(crate) const CLEARED: u16 = 32;

/// How often a block's memory was used for another block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uses(u16);

impl Uses {
    pub(crate) const NONE: Self = Self(0);
    /// Nobody looks any more.
    pub(crate) const ENOUGH: Self = Self(u16::MAX);

    /// Counts so many uses more. Answers whether it is time to look.
    pub(crate) fn count(&mut self, more: u16) -> bool {
        let stage = |uses: u16| uses.checked_ilog2().unwrap_or(0) / 2;
        let before = self.0;
        self.0 = before.saturating_add(more);
        self.0 >= FIRST && stage(self.0) != stage(before)
    }
}

#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
pub(crate) mod process {
    //! What the process heap does about it.

    use core::ptr::NonNull;

    use strata_core::sync::Ordering;
    use strata_core::sync::unexplored::AtomicUsize;
    use strata_os::{limits, memory};

    use crate::class::FRAME;
    use crate::wishes;

    /// The least length that is worth a call: a block of less fits the buffers of most processors.
    const LEAST: usize = 4 << 20;
    /// A huge page.
    const HUGE: usize = 2 << 20;
    /// Pages of a sample.
    const SAMPLE: usize = 32;

    /// Asks for huge pages under `len` bytes at `at` if all of it seems to have contents, or is `dense` for
    /// sure. Answers whether to ask again makes no sense.
    ///
    /// # Safety
    ///
    /// 1. The bytes are a block's of the process heap, or a part, and the caller's alone.
    pub(crate) unsafe fn ask(at: NonNull<u8>, len: usize, dense: bool) -> bool {
        if len < LEAST || wishes::has_huge_pages() || !are_allowed() {
            return true;
        }
        // SAFETY: 1. the caller's, here and there.
        unsafe { (dense || is_dense(at, len)) && memory::collapse(at, len / FRAME * FRAME).is_ok() }
    }

    /// Has huge pages put under `len` bytes at `at`, which have no contents and will all be touched. Answers
    /// whether they are there.
    ///
    /// # Safety
    ///
    /// 1. As for [`ask`].
    pub(crate) unsafe fn fill(at: NonNull<u8>, len: usize) -> bool {
        if len < LEAST || wishes::has_huge_pages() || !are_allowed() {
            return false;
        }
        // The system makes a huge page only of what has a page already.
        let mut next = at.addr().get().next_multiple_of(HUGE) - at.addr().get();
        while next + HUGE <= len {
            // SAFETY: in the range (1.), which has no contents.
            unsafe { at.add(next).write_volatile(0) };
            next += HUGE;
        }
        // SAFETY: 1. the caller's.
        unsafe { memory::collapse(at, len / FRAME * FRAME).is_ok() }
    }

    /// Whether the system gives programs that ask for them huge pages.
    static ALLOWED: AtomicUsize = AtomicUsize::new(0);

    /// Asks the system whether it gives any, by calls that a sandbox which begins later may not know:
    /// once a process, at its first request.
    pub(crate) fn learn() {
        // Relaxed, here and there: a thread that reads the old value does without.
        ALLOWED.store(usize::from(limits::huge_pages()), Ordering::Relaxed);
    }

    fn are_allowed() -> bool {
        ALLOWED.load(Ordering::Relaxed) != 0
    }

    /// Whether all pages of a sample have a byte that is not zero: then they were touched.
    ///
    /// # Safety
    ///
    /// 1. As for [`ask`].
    unsafe fn is_dense(at: NonNull<u8>, len: usize) -> bool {
        const WORDS: usize = FRAME / size_of::<u64>();
        let pages = len / FRAME;
        (0..SAMPLE).all(|n| {
            // The middle of each of as many parts: the last page may be one that no block reaches to.
            let page = (2 * n + 1) * pages / (2 * SAMPLE);
            // SAFETY: in the range (1.), at a multiple of a page from a block's base.
            let words = unsafe { at.add(page * FRAME) }.cast::<u64>();
            // Volatile: what the program left there is nothing that the compiler may know.
            // SAFETY: as above; a page has that many words.
            (0..WORDS).any(|word| unsafe { words.add(word).read_volatile() } != 0)
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn memory_is_dense_if_every_sampled_page_has_contents() {
            let at = memory::map(LEAST, FRAME).unwrap();
            // SAFETY: the test's own, of that length.
            unsafe {
                assert!(!is_dense(at, LEAST));
                (0..LEAST / FRAME).for_each(|page| at.add(page * FRAME + page % FRAME).write(1));
                assert!(is_dense(at, LEAST));
                at.add((2 * 5 + 1) * LEAST / (2 * SAMPLE)).write_bytes(0, FRAME);
                assert!(!is_dense(at, LEAST));
                learn();
                assert_eq!(ask(at, LEAST, false), !are_allowed());
                assert!(ask(at, LEAST / 2, true), "too short for ever");
                memory::purge(at, LEAST).unwrap();
                assert!(!fill(at, LEAST / 2), "too short");
                if fill(at, LEAST) {
                    let mut there = [0; LEAST / FRAME];
                    memory::resident(at, LEAST, &mut there).unwrap();
                    assert!(there.iter().filter(|page| **page & 1 != 0).count() >= HUGE / FRAME);
                    assert!((0..LEAST).all(|byte| at.add(byte).read() == 0));
                }
                memory::release(at, LEAST).unwrap();
            }
        }
    }
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rare() {
        let mut uses = Uses::NONE;
        let looks: std::vec::Vec<u32> = (1..200_000).filter(|_| uses.count(1)).collect();
        assert_eq!(looks, [256, 1024, 4096, 16384]);

        let mut uses = Uses::NONE;
        assert_eq!((0..4000).filter(|_| uses.count(64)).count(), 4);
        let mut uses = Uses::ENOUGH;
        assert!((0..4000).all(|_| !uses.count(64)));
    }
}
