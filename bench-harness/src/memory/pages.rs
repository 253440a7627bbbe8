//! Resident pages, found by address in constant time.

use super::scan::Run;

/// Bytes of the unit that the waterfall counts in: the smallest page of every Linux here.
pub(crate) const PAGE: u64 = 4096;

/// Pages of one GiB.
const GROUP: u64 = 1 << 18;

/// GiB of user address space.
const GROUPS: u64 = 1 << 17;

/// The resident anonymous pages of a process, numbered by address.
#[derive(Debug)]
pub(crate) struct Pages {
    /// Page number (address / 4096) by index.
    numbers: Vec<u64>,
    /// Whether a huge page backs it, by index.
    huge: Vec<bool>,
    /// By GiB: 1 + index into `groups`, 0 for nothing resident.
    table: Vec<u32>,
    /// By page within a GiB: 1 + index into `numbers`, 0 for not resident.
    groups: Vec<Vec<u32>>,
}

impl Pages {
    /// Numbers the pages of `runs`.
    pub(crate) fn new(runs: &[Run]) -> Self {
        let mut numbers = Vec::new();
        let mut huge = Vec::new();
        let mut table = vec![0; GROUPS as usize];
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for run in runs {
            for page in run.start / PAGE..run.end / PAGE {
                numbers.push(page);
                huge.push(run.huge);
                let entry = &mut table[(page / GROUP % GROUPS) as usize];
                if *entry == 0 {
                    groups.push(vec![0; GROUP as usize]);
                    *entry = groups.len() as u32;
                }
                groups[*entry as usize - 1][(page % GROUP) as usize] = numbers.len() as u32;
            }
        }
        Self { numbers, huge, table, groups }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Index of a page, if it is resident.
    #[inline]
    pub(crate) fn index(&self, page: u64) -> Option<usize> {
        let group = self.table[(page / GROUP % GROUPS) as usize].checked_sub(1)?;
        (self.groups[group as usize][(page % GROUP) as usize] as usize).checked_sub(1)
    }

    /// Page number of an index.
    pub(crate) fn number(&self, index: usize) -> u64 {
        self.numbers[index]
    }

    /// Whether a huge page backs it.
    pub(crate) fn is_huge(&self, index: usize) -> bool {
        self.huge[index]
    }
}
