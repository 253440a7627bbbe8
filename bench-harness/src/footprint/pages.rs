//! Which pages blocks lie on, and which of them the kernel still backs.

use super::blocks::Block;
use std::io;
use std::os::unix::fs::FileExt;

/// The system's page in bytes.
pub(crate) fn page_bytes() -> usize {
    // SAFETY: `sysconf` reads a constant of the system.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4096)
}

/// The numbers of the pages that `blocks` lie on, each once and in order, into `pages`; how many.
/// No block may lie on more pages than `pages` has places for each.
pub(super) fn under(blocks: &[Block], pages: &mut [u64]) -> usize {
    let page = page_bytes();
    let mut count = 0;
    for block in blocks {
        let last = (block.address() + block.bytes() - 1) / page;
        for number in block.address() / page..=last {
            pages[count] = number as u64;
            count += 1;
        }
    }
    let pages = &mut pages[..count];
    pages.sort_unstable();
    let mut kept = 0;
    for index in 0..count {
        if index == 0 || pages[index] != pages[kept - 1] {
            pages[kept] = pages[index];
            kept += 1;
        }
    }
    kept
}

/// Takes the pages of `taken` out of `pages`, both in order; how many are left, at the front.
pub(crate) fn without(pages: &mut [u64], taken: &[u64]) -> usize {
    let (mut kept, mut next) = (0, 0);
    for index in 0..pages.len() {
        while next < taken.len() && taken[next] < pages[index] {
            next += 1;
        }
        if taken.get(next) != Some(&pages[index]) {
            pages[kept] = pages[index];
            kept += 1;
        }
    }
    kept
}

/// How many of these pages, in order, have neither a frame nor a place in swap: given back, or
/// their addresses with them.
pub(crate) fn gone(pages: &[u64]) -> io::Result<usize> {
    const HELD: u64 = 3 << 62;
    const AT_ONCE: usize = 512;
    let file = std::fs::File::open("/proc/self/pagemap")?;
    let mut gone = 0;
    let mut rest = pages;
    while let Some(&first) = rest.first() {
        let near = rest.iter().take_while(|page| **page - first < AT_ONCE as u64).count();
        let span = (rest[near - 1] - first) as usize + 1;
        let mut entries = [0_u8; AT_ONCE * 8];
        // Beyond the last address there is nothing to read: such pages are gone too.
        let mut length = 0;
        while length < span * 8 {
            match file.read_at(&mut entries[length..span * 8], first * 8 + length as u64)? {
                0 => break,
                more => length += more,
            }
        }
        let held = |page: &&u64| {
            let at = (**page - first) as usize * 8;
            let mut entry = [0; 8];
            entry.copy_from_slice(&entries[at..at + 8]);
            u64::from_ne_bytes(entry) & HELD != 0
        };
        gone += near - rest[..near].iter().filter(held).count();
        rest = &rest[near..];
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_once_and_taken_out() {
        let page = page_bytes();
        let blocks =
            [Block::new(5 * page + 8, 16), Block::new(3 * page - 8, 16), Block::new(5 * page, 8)];
        let mut pages = [0; 8];
        let count = under(&blocks, &mut pages);
        assert_eq!(pages[..count], [2, 3, 5]);
        let left = without(&mut pages[..count], &[0, 3, 4, 9]);
        assert_eq!(pages[..left], [2, 5]);
    }

    #[test]
    fn a_page_that_was_given_back_is_gone() {
        let page = page_bytes();
        let shared = crate::shared::create(64 * page, true).unwrap();
        let mapping =
            crate::shared::Mapping::new(std::os::fd::AsRawFd::as_raw_fd(&shared), 64 * page)
                .unwrap();
        let first = mapping.start().addr() / page;
        for index in (0..64).step_by(2) {
            // SAFETY: the byte lies in the mapping.
            unsafe { mapping.start().add(index * page).write_volatile(1) };
        }
        let pages: Vec<u64> = (first..first + 64).map(|number| number as u64).collect();
        assert_eq!(gone(&pages).unwrap(), 32);
        assert_eq!(gone(&[pages[0], pages[1], pages[62]]).unwrap(), 1);
    }
}
