//! The probes, and what is promised of each.

use crate::End::{self, Neutralised, Stopped, WentWrong};
use crate::faces::Face;

/// Writes a byte that is another one than before.
fn damage(at: *mut u8) {
    // SAFETY: none, on purpose, in a child that ends.
    unsafe { at.write_volatile(at.read_volatile() ^ 0x5A) };
}

const SECRET: u8 = 0x77;

fn fill(block: *mut u8, size: usize) {
    // SAFETY: a live block of so many bytes.
    unsafe { block.write_bytes(SECRET, size) };
}

/// Whether a byte of the secret can be read.
fn shows(block: *mut u8, size: usize) -> bool {
    // SAFETY: none, on purpose, in a child that ends.
    (0..size).any(|at| unsafe { block.add(at).read_volatile() } == SECRET)
}

fn neutral(is_neutral: bool) -> End {
    if is_neutral { Neutralised } else { WentWrong }
}

fn overflow(face: Face, size: usize, bytes: usize) -> End {
    let block = face.allocate(size);
    fill(block, size);
    (0..bytes).for_each(|at| damage(block.wrapping_add(size + at)));
    face.free(block, size);
    WentWrong
}

fn double(face: Face, size: usize, between: bool) -> End {
    let (block, other) = (face.allocate(size), face.allocate(size));
    face.free(block, size);
    if between {
        face.free(other, size);
    }
    face.free(block, size);
    face.flush();
    // Seen and left alone, it serves nobody twice.
    let mut blocks: Vec<_> = (0..300).map(|_| face.allocate(size).addr()).collect();
    blocks.sort_unstable();
    neutral(blocks.windows(2).all(|pair| pair[0] != pair[1]))
}

fn wrong_size(face: Face, size: usize, said: usize) -> End {
    let block = face.allocate_sized(size);
    if block.is_null() {
        return End::NoSuchFree;
    }
    face.free_sized(block, said);
    face.flush();
    WentWrong
}

fn read_after_free(face: Face, size: usize) -> End {
    let block = face.allocate(size);
    fill(block, size);
    face.free(block, size);
    neutral(!shows(block, size))
}

fn write_after_free(face: Face, size: usize) -> End {
    let block = face.allocate(size);
    face.free(block, size);
    damage(block.wrapping_add(size / 2));
    face.flush();
    WentWrong
}

fn reuse(face: Face, size: usize) -> End {
    for _ in 0..2000 {
        let block = face.allocate(size);
        fill(block, size);
        face.free(block, size);
    }
    let blocks: Vec<_> = (0..64).map(|_| face.allocate(size)).collect();
    neutral(!blocks.iter().any(|block| shows(*block, size)))
}

fn misaligned_resize(face: Face, size: usize, by: usize, new: usize) -> End {
    if !CANARIES && size < LARGE && face != Face::C {
        // Nobody looks, and what is filled and read there is at no word.
        return WentWrong;
    }
    face.resize(face.allocate(size).wrapping_add(by), size, new);
    face.flush();
    WentWrong
}

/// Whether what a shrink cuts off can be read, where it was or, with `regrows`, in the block that grew again. Its
/// first bytes are of the word that stands behind the shorter block, and that nobody shall learn.
fn shrink(face: Face, size: usize, new: usize, regrows: bool) -> End {
    let block = face.allocate(size);
    fill(block, size);
    let less = face.resize(block, size, new);
    // SAFETY: with a word behind it, a block is longer than what was asked for.
    let word = |block: *mut u8| unsafe { block.add(new).cast::<u64>().read_unaligned() };
    let sealed = CANARIES.then(|| word(less));
    let at = if regrows { face.resize(less, new, size) } else { block };
    let learns = regrows && sealed.is_some_and(|sealed| sealed == word(at));
    let from = new + if CANARIES { 8 } else { 0 };
    neutral(!learns && !shows(at.wrapping_add(from), size - from))
}

fn sampled(face: Face) -> End {
    for _ in 0..200_000 {
        let block = face.allocate(64);
        damage(block.wrapping_add(64));
    }
    WentWrong
}

pub(crate) type Probe = fn(Face) -> End;
/// What is promised: by which measures, and what.
pub(crate) type Promise = (bool, End);

const CANARIES: bool = cfg!(feature = "canaries");
const QUARANTINE: bool = cfg!(feature = "quarantine");
const ZERO: bool = cfg!(feature = "zero-on-free");
const GUARDS: bool = cfg!(feature = "guard-pages");
pub(crate) const LARGE: usize = 100 << 10;
/// A block that ends where its pages do, whether there is a word behind it or not.
const FULL: usize = (64 << 10) - if CANARIES { 8 } else { 0 };
/// The same, of a chunk of its own.
const HUGE_FULL: usize = (2 << 20) - if CANARIES { 8 } else { 0 };

pub(crate) const PROBES: [(&str, Probe, Promise); 33] = [
    // What is wrong of these is seen without any measure, but late.
    ("double free", |face| double(face, 48, false), (true, Stopped)),
    ("double free, another between", |face| double(face, 48, true), (true, Stopped)),
    ("double free, large", |face| double(face, LARGE, false), (true, Stopped)),
    ("double free, huge", |face| double(face, 3 << 20, true), (true, Stopped)),
    ("overflow by one", |face| overflow(face, 41, 1), (CANARIES, Stopped)),
    ("overflow by one, no slack", |face| overflow(face, 40, 1), (CANARIES, Stopped)),
    ("overflow by eight", |face| overflow(face, 40, 8), (CANARIES, Stopped)),
    ("overflow by one, large", |face| overflow(face, LARGE, 1), (CANARIES, Stopped)),
    ("overflow by eight, large", |face| overflow(face, LARGE, 8), (CANARIES, Stopped)),
    ("overflow by a page", |face| overflow(face, FULL, 4096), (CANARIES || GUARDS, Stopped)),
    ("read after free", |face| read_after_free(face, 100), (QUARANTINE || ZERO, Neutralised)),
    (
        "read after free, large",
        |face| read_after_free(face, LARGE),
        (QUARANTINE || ZERO, Neutralised),
    ),
    ("read after free, zeroed", |face| read_after_free(face, 3 << 20), (QUARANTINE, Stopped)),
    ("write after free", |face| write_after_free(face, 100), (QUARANTINE, Stopped)),
    ("write after free, large", |face| write_after_free(face, LARGE), (QUARANTINE, Stopped)),
    ("uninitialised reuse", |face| reuse(face, 100), (QUARANTINE || ZERO, Neutralised)),
    ("uninitialised reuse, large", |face| reuse(face, 40 << 10), (ZERO, Neutralised)),
    (
        "foreign free",
        |face| {
            let mut foreign = [SECRET; 256];
            let middle = foreign.as_mut_ptr().wrapping_add(64);
            face.free(middle.wrapping_sub(middle.addr() % 16), 48);
            face.flush();
            WentWrong
        },
        (true, Stopped),
    ),
    (
        "interior free",
        |face| {
            face.free(face.allocate(96).wrapping_add(16), 96);
            face.flush();
            WentWrong
        },
        (true, Stopped),
    ),
    (
        "interior free, large",
        |face| {
            face.free(face.allocate(LARGE).wrapping_add(4096), LARGE);
            WentWrong
        },
        (true, Stopped),
    ),
    ("wrong size", |face| wrong_size(face, 48, 200), (true, Stopped)),
    ("wrong size of the same class", |face| wrong_size(face, 48, 47), (CANARIES, Stopped)),
    ("wrong size, large", |face| wrong_size(face, LARGE, 2 * LARGE), (true, Stopped)),
    ("misaligned resize", |face| misaligned_resize(face, 96, 4, 90), (CANARIES, Stopped)),
    (
        "misaligned resize, to another class",
        |face| misaligned_resize(face, 96, 4, 300),
        (CANARIES, Stopped),
    ),
    (
        "misaligned resize, large",
        |face| misaligned_resize(face, LARGE, 4, 2 * LARGE),
        (true, Stopped),
    ),
    (
        "read of what a shrink cut off, within pages",
        |face| shrink(face, LARGE, LARGE - 1000, false),
        (CANARIES && (QUARANTINE || ZERO), Neutralised),
    ),
    (
        "read of what a shrink cut off",
        |face| shrink(face, LARGE, FULL, false),
        (QUARANTINE || ZERO, Neutralised),
    ),
    (
        "read of what a shrink cut off, huge",
        |face| shrink(face, 6 << 20, HUGE_FULL, false),
        (QUARANTINE || ZERO, Neutralised),
    ),
    (
        "growth over what a shrink cut off",
        |face| shrink(face, LARGE, FULL, true),
        (QUARANTINE || ZERO, Neutralised),
    ),
    (
        "growth over what a shrink cut off, huge",
        |face| shrink(face, 6 << 20, HUGE_FULL, true),
        (QUARANTINE || ZERO, Neutralised),
    ),
    (
        "size overflow",
        |face| {
            let sizes = [isize::MAX as usize - 7, isize::MAX as usize - 4096, usize::MAX / 2 - 64];
            neutral(sizes.iter().all(|size| face.allocate(*size).is_null()))
        },
        (true, Neutralised),
    ),
    (
        "overflow by one, one block in thousands",
        sampled,
        (cfg!(feature = "sampled-guards"), Stopped),
    ),
];
