//! The word behind a block: that it is live or freed, and how many bytes the program has of it.
//!
//! A word is a hash of the block's address by the process's key, so that nobody who does not know the key can
//! make one, and no word is right elsewhere: not inside a block, nor in another's place. The highest 16 bits
//! take the **slack**, the bytes between the program's last one and the word: a free with another size shows
//! by them. On the first eight bytes of the slack stands a mark, so that a write of one byte too many shows
//! wherever the block ends. A freed block's word is another secret, the same for all: it proves only that nobody
//! wrote there, and so costs no hash.
//!
//! The hash is a multiplication folded in half, as in wyhash: it keeps from guessing, not from those who
//! read many words.

use strata_core::misuse;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

/// Bytes of a word.
const WORD: usize = size_of::<u64>();
/// Where the slack is in a word: at its highest addresses, so that a write that runs on changes the hash
/// before it changes the slack.
const SLACK: u32 = 48;
const HASH: u64 = (1 << SLACK) - 1;
/// A mark. Its bytes are not zero, which is what is written too far most often.
const MARKS: u64 = u64::from_ne_bytes([0xA7; WORD]);

const OVERRUN: &str = "a block was written beyond its end";
const NO_BLOCK: &str = "what was freed is no block, or was written beyond its end";
const TWICE: &str = "a block was freed twice, or resized after it was freed";
const OTHER_SIZE: &str = "a block was freed with another size than it has";

/// What nobody knows who cannot read it here.
struct Secrets {
    /// The process's key; zero until the first use.
    key: AtomicUsize,
    /// The word of freed blocks. Not made of the key: it stands in many places, and must not tell it.
    ///
    /// # Invariants
    ///
    /// 1. Not zero, and the last one, where the key is not zero.
    freed: AtomicUsize,
}

static SECRETS: Secrets = Secrets { key: AtomicUsize::new(0), freed: AtomicUsize::new(0) };

/// The process's key.
#[inline(always)]
pub(super) fn key() -> u64 {
    // Acquire: its partner is the Release in `key_slow`: the other secret was drawn before.
    match SECRETS.key.load(Ordering::Acquire) {
        0 => key_slow(),
        key => key as u64,
    }
}

#[cold]
#[inline(never)]
fn key_slow() -> u64 {
    let draw = |secret: &AtomicUsize| {
        let drawn = strata_os::random::bits() as usize | 1;
        // AcqRel and Acquire: see `key`. Whoever comes second takes the first one's.
        match secret.compare_exchange(0, drawn, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => drawn as u64,
            Err(other) => other as u64,
        }
    };
    draw(&SECRETS.freed);
    draw(&SECRETS.key)
}

/// [`key`] where a block was sealed before: nothing is drawn, and so nothing called. Zero otherwise.
#[inline(always)]
fn drawn_key() -> u64 {
    // Relaxed: see `freed`.
    SECRETS.key.load(Ordering::Relaxed) as u64
}

/// The word of freed blocks, where a block was sealed before.
#[inline(always)]
fn freed() -> u64 {
    // Relaxed: it never changes again. Who sealed a block, or got one from whoever did, sees both secrets.
    SECRETS.freed.load(Ordering::Relaxed) as u64
}

#[inline(always)]
fn hash(block: *mut u8, key: u64) -> u64 {
    let product = u128::from(block.addr() as u64 ^ key) * u128::from(key.rotate_left(29) | 1);
    product as u64 ^ (product >> 64) as u64
}

/// Where the word of a block stands.
///
/// # Safety
///
/// 1. `block` has `len` bytes, a multiple of 8 and at least that many, at a multiple of 8.
#[inline(always)]
unsafe fn word(block: *mut u8, len: usize) -> *mut u64 {
    debug_assert!(len >= WORD && len.is_multiple_of(WORD) && block.addr().is_multiple_of(WORD));
    // SAFETY: in the block (1.).
    unsafe { block.add(len - WORD).cast() }
}

/// Seals a block of `len` bytes of which the program has the first `size`.
///
/// # Safety
///
/// 1. `block` has `len` bytes, the caller's alone, as [`word`] wants them, and `size` is at most `len - 8`.
#[inline(always)]
pub(super) unsafe fn seal(block: *mut u8, len: usize, size: usize) {
    // SAFETY: 1. the caller's.
    unsafe { seal_by_hash(block, len, size, hash(block, key())) };
}

/// [`seal`] where a block was sealed before, by this thread or by whoever handed it one.
///
/// # Safety
///
/// 1. As there.
#[inline(always)]
pub(super) unsafe fn seal_another(block: *mut u8, len: usize, size: usize) {
    debug_assert!(drawn_key() != 0);
    // SAFETY: 1. the caller's.
    unsafe { seal_by_hash(block, len, size, hash(block, drawn_key())) };
}

/// # Safety
///
/// 1. As for [`seal`].
#[inline(always)]
unsafe fn seal_by_hash(block: *mut u8, len: usize, size: usize, hash: u64) {
    debug_assert!(size + WORD <= len);
    let slack = len - WORD - size;
    // SAFETY: in the block (1.): the mark ends where the word does, at most, and what of it lies on the
    // word's place is written over.
    unsafe {
        block.add(size).cast::<u64>().write_unaligned(MARKS);
        word(block, len).write((hash ^ (slack as u64) << SLACK).to_le());
    }
}

/// The bits of so many marked bytes.
static MARKED: [u64; WORD + 1] = {
    let mut marked = [u64::MAX; WORD + 1];
    let mut bytes = 0;
    while bytes < WORD {
        marked[bytes] = (1 << (8 * bytes)) - 1;
        bytes += 1;
    }
    marked
};

/// Whether the mark stands.
///
/// # Safety
///
/// 1. At `from` there are `slack` bytes that were marked, and a word behind them.
#[inline(always)]
unsafe fn is_marked(from: *mut u8, slack: usize) -> bool {
    // SAFETY: 1. the caller's: where the slack is shorter, the rest is of the word, and left out.
    let found = u64::from_le(unsafe { from.cast::<u64>().read_unaligned() });
    (found ^ MARKS) & MARKED[slack.min(WORD)] == 0
}

/// How many bytes the program has of a block. Stops the process where the block is not sealed, was written
/// beyond its end, or has another size than was `said`.
///
/// # Safety
///
/// 1. `block` has `len` bytes, as [`word`] wants them. Where it is no block, which is what is looked for, a word
///    is read at that place, and nothing written.
#[inline(always)]
pub(super) unsafe fn size_of_sealed(block: *mut u8, len: usize, said: Option<usize>) -> usize {
    // SAFETY: 1. the caller's.
    unsafe { size_by_hash(block, len, said, hash(block, drawn_key())) }
}

/// # Safety
///
/// 1. As for [`size_of_sealed`].
#[inline(always)]
unsafe fn size_by_hash(block: *mut u8, len: usize, said: Option<usize>, hash: u64) -> usize {
    // SAFETY: 1. the caller's.
    let written = u64::from_le(unsafe { word(block, len).read() });
    let found = written ^ hash;
    let slack = (found >> SLACK) as usize;
    if found & HASH != 0 || slack > len - WORD {
        // Zero is no secret: nothing was sealed yet.
        let twice = written != 0 && written == freed();
        misuse::stop(if twice { TWICE } else { NO_BLOCK });
    }
    let size = len - WORD - slack;
    if said.is_some_and(|said| said != size) {
        misuse::stop(OTHER_SIZE);
    }
    // SAFETY: sealed, so so many bytes stand before the word, the first of them marked.
    if !unsafe { is_marked(block.add(size), slack) } {
        misuse::stop(OVERRUN);
    }
    size
}

/// [`size_of_sealed`] and [`unseal`].
///
/// # Safety
///
/// 1. `block` has `len` bytes, the caller's alone, as [`word`] wants them; where it is none, as for
///    [`size_of_sealed`].
#[inline(always)]
pub(super) unsafe fn break_seal(block: *mut u8, len: usize, said: Option<usize>) {
    let hash = hash(block, drawn_key());
    // SAFETY: 1. the caller's; behind the first call, which does not come back from what is none, it is a block.
    unsafe {
        size_by_hash(block, len, said, hash);
        word(block, len).write(freed().to_le());
    }
}

/// [`size_of_sealed`], and [`seal`] for another size.
///
/// # Safety
///
/// 1. As for [`break_seal`]; `new` is at most `len - 8`.
#[inline(always)]
pub(super) unsafe fn reseal(block: *mut u8, len: usize, said: Option<usize>, new: usize) {
    let hash = hash(block, drawn_key());
    // SAFETY: 1. the caller's; behind the first call it is a block.
    unsafe {
        size_by_hash(block, len, said, hash);
        seal_by_hash(block, len, new, hash);
    }
}

/// Marks a block as freed.
///
/// # Safety
///
/// 1. As for [`seal`].
#[inline(always)]
pub(super) unsafe fn unseal(block: *mut u8, len: usize) {
    // SAFETY: 1. the caller's.
    unsafe { word(block, len).write(freed().to_le()) };
}

/// Whether a block is marked as freed.
///
/// # Safety
///
/// 1. As for [`size_of_sealed`].
#[inline(always)]
pub(super) unsafe fn is_unsealed(block: *mut u8, len: usize) -> bool {
    // SAFETY: 1. the caller's.
    u64::from_le(unsafe { word(block, len).read() }) == freed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_says_the_size_and_is_of_one_place() {
        let mut words = [0_u64; 40];
        let block = words.as_mut_ptr().cast::<u8>();
        for len in (8..=256).step_by(8) {
            for size in 0..=len - WORD {
                // SAFETY: 1. in the array.
                unsafe {
                    seal(block, len, size);
                    assert_eq!(size_of_sealed(block, len, Some(size)), size);
                    assert!(!is_unsealed(block, len));
                    let next = block.add(8);
                    next.add(len - WORD).cast::<u64>().write(word(block, len).read());
                    assert_ne!(word(next, len).read() ^ hash(next, key()), 0);
                    unseal(block, len);
                    assert!(is_unsealed(block, len));
                }
            }
        }
    }

    #[test]
    fn a_byte_too_many_is_seen_at_every_size() {
        let mut words = [0_u64; 10];
        let block = words.as_mut_ptr().cast::<u8>();
        for size in 0..=56 {
            // SAFETY: 1. in the array.
            unsafe {
                seal(block, 64, size);
                *block.add(size) ^= 1;
                let found = u64::from_le(word(block, 64).read()) ^ hash(block, key());
                assert!(found & HASH != 0 || !is_marked(block.add(size), 56 - size), "{size}");
            }
        }
    }
}
