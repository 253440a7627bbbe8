//! Sharing and unsharing of nodes.
//!
//! A node is *shared* where it or one above it has more than one reference: then more than one table
//! reaches it. Whoever changes a node first makes it and all above it its own, by copies. A copy of a
//! node names the same children, so each child gets a reference more, and is shared from then on.

use core::ptr::NonNull;

use strata_core::{FrameId, Source};

use super::nodes::{ENTRIES, NodeId};
use super::space::{PageSpace, frame_in, node_in, pages_of, place};
use super::table::{PageTable, TableError};
use super::take::TakeFrames;

/// Levels at most: more pages than there can be frames.
pub(super) const MAX_HEIGHT: u32 = 8;

/// What a change on the way to a page will cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// Nodes on the way, from the first shared one down.
    copies: u32,
    /// Levels to be put on top of the root, and nodes that are not there yet.
    grown: u32,
    missing: u32,
}

impl Path {
    pub(super) const fn is_shared(self) -> bool {
        self.copies > 0
    }

    /// Nodes that must be copied.
    pub(super) const fn copies(self) -> u32 {
        self.copies
    }

    /// Nodes that must be made.
    pub(super) const fn missing(self) -> u32 {
        self.missing
    }
}

impl<F: TakeFrames, S: Source<Address = NonNull<u8>>> PageSpace<F, S> {
    /// The way to a page of the table, or to the one after its last.
    pub(super) fn path(&self, table: &PageTable, page: u64) -> Result<Path, TableError> {
        let mut path = Path { copies: 0, grown: 0, missing: 0 };
        let Some(root) = table.root else {
            path.missing = 1;
            return Ok(path);
        };
        if page >= pages_of(table.height) {
            // One level more: a root above the old one, and a way down beside it.
            if table.height + 1 > MAX_HEIGHT {
                return Err(TableError::Exhausted);
            }
            path.grown = 1;
            path.missing = table.height + 1;
            return Ok(path);
        }
        let mut id = root;
        for level in (0..table.height).rev() {
            let node = self.nodes.get(id).ok_or(TableError::OutOfRange)?;
            if path.copies > 0 || node.refs > 1 {
                path.copies += 1;
            }
            if level > 0 {
                match node_in(node.entries[place(page, level)]) {
                    Some(child) => id = child,
                    None => {
                        path.missing = level;
                        break;
                    }
                }
            }
        }
        Ok(path)
    }

    /// Makes all nodes on the way to a page the table's own, and those that are missing, out of what is
    /// in reserve. The leaf.
    pub(super) fn own(&mut self, table: &mut PageTable, page: u64, path: Path) -> Option<NodeId> {
        if path.grown > 0 || table.root.is_none() {
            let root = self.nodes.take()?;
            if let Some(old) = table.root {
                self.nodes.get_mut(root)?.entries[0] = u64::from(old.0) + 1;
            }
            table.root = Some(root);
            table.height += 1;
        }
        let mut id = self.own_one(table.root?, table.height - 1)?;
        table.root = Some(id);
        for level in (1..table.height).rev() {
            let entry = self.nodes.get(id)?.entries[place(page, level)];
            let child = match node_in(entry) {
                Some(child) => self.own_one(child, level - 1)?,
                None => self.nodes.take()?,
            };
            self.nodes.get_mut(id)?.entries[place(page, level)] = u64::from(child.0) + 1;
            id = child;
        }
        Some(id)
    }

    /// A node that has one reference: this one, or a copy that takes over one of its references.
    fn own_one(&mut self, id: NodeId, level: u32) -> Option<NodeId> {
        if self.nodes.get(id)?.refs <= 1 {
            return Some(id);
        }
        let copy = self.nodes.take()?;
        let entries = self.nodes.get(id)?.entries;
        for &entry in entries.iter().filter(|&&entry| entry != 0) {
            self.hold_entry(entry, level);
        }
        self.nodes.get_mut(copy)?.entries = entries;
        self.nodes.get_mut(id)?.refs -= 1;
        Some(copy)
    }

    /// Puts a held frame after the last page.
    pub(super) fn append(&mut self, table: &mut PageTable, path: Path, frame: FrameId) {
        let page = table.len;
        let leaf = self.own(table, page, path);
        if let Some(node) = leaf.and_then(|leaf| self.nodes.get_mut(leaf)) {
            node.entries[place(page, 0)] = frame.get() + 1;
            table.len += 1;
        }
    }

    /// A table of fewer pages, not zero less than all: the nodes at its end are copies, the others
    /// shared.
    pub(super) fn prefix(
        &mut self,
        table: &PageTable,
        pages: u64,
    ) -> Result<PageTable, TableError> {
        let Some(mut id) = table.root.filter(|_| pages > 0) else {
            return Ok(PageTable::EMPTY);
        };
        let mut height = table.height;
        while height > 1 && pages <= pages_of(height - 1) {
            let first = self.nodes.get(id).map(|node| node.entries[0]);
            id = first.and_then(node_in).ok_or(TableError::OutOfRange)?;
            height -= 1;
        }
        self.nodes.reserve(&self.source, height)?;
        let root = self.copy_prefix(id, height, pages).ok_or(TableError::Exhausted)?;
        Ok(PageTable { root: Some(root), height, len: pages })
    }

    /// A node with the first `pages` pages below `id`, of which there are more than none.
    fn copy_prefix(&mut self, id: NodeId, height: u32, pages: u64) -> Option<NodeId> {
        if pages == pages_of(height) {
            self.hold_entry(u64::from(id.0) + 1, height);
            return Some(id);
        }
        let copy = self.nodes.take()?;
        let entries = self.nodes.get(id)?.entries;
        let below = pages_of(height - 1);
        let (whole, rest) = ((pages / below) as usize, pages % below);
        for (index, &entry) in entries.iter().enumerate().take(whole) {
            self.hold_entry(entry, height - 1);
            self.nodes.get_mut(copy)?.entries[index] = entry;
        }
        if rest > 0 {
            let child = self.copy_prefix(node_in(entries[whole])?, height - 1, rest)?;
            self.nodes.get_mut(copy)?.entries[whole] = u64::from(child.0) + 1;
        }
        Some(copy)
    }

    /// Cuts a table where it lies, if no node that must lose an entry is shared. False where one is;
    /// nothing changed then.
    pub(super) fn cut(&mut self, table: &mut PageTable, pages: u64) -> bool {
        let Some(last) = pages.checked_sub(1) else {
            let all = core::mem::replace(table, PageTable::EMPTY);
            self.release(all);
            return true;
        };
        let Some(lowest) = self.lowest_cut(table, pages) else { return false };
        let mut id = table.root;
        for level in (lowest..table.height).rev() {
            let Some(here) = id else { break };
            for index in place(last, level) + 1..ENTRIES {
                let node = self.nodes.get_mut(here);
                let entry = node.map_or(0, |node| core::mem::take(&mut node.entries[index]));
                self.drop_entry(entry, level);
            }
            let entry = self.nodes.get(here).map(|node| node.entries[place(last, level)]);
            id = entry.and_then(node_in);
        }
        table.len = pages;
        self.lower(table);
        true
    }

    /// The lowest level whose node on the way to the last page that stays must lose entries; `None`
    /// where such a node is shared. A shared node that stays whole is no matter.
    fn lowest_cut(&self, table: &PageTable, pages: u64) -> Option<u32> {
        let mut id = table.root?;
        for level in (0..table.height).rev() {
            let node = self.nodes.get(id)?;
            if node.refs > 1 {
                return pages.is_multiple_of(pages_of(level + 1)).then_some(level + 1);
            }
            if level > 0 {
                id = node_in(node.entries[place(pages - 1, level)])?;
            }
        }
        Some(0)
    }

    /// Takes levels off the top that hold one entry only.
    fn lower(&mut self, table: &mut PageTable) {
        while table.height > 1 && table.len <= pages_of(table.height - 1) {
            let Some(root) = table.root else { return };
            let Some(node) = self.nodes.get_mut(root) else { return };
            let only = node.entries[0];
            node.refs = 0;
            self.nodes.give(root);
            table.root = node_in(only);
            table.height -= 1;
        }
    }

    /// One more reference to a root. Half of what a count can hold is left to parents, of which there
    /// are fewer than that.
    pub(super) fn share(&mut self, id: NodeId) -> Result<(), TableError> {
        let node = self.nodes.get_mut(id).ok_or(TableError::OutOfRange)?;
        if node.refs > u32::MAX / 2 {
            return Err(TableError::Exhausted);
        }
        node.refs += 1;
        Ok(())
    }

    /// One more leaf entry that names a frame; false, and nothing changed, where that cannot be
    /// counted.
    pub(super) fn hold(&mut self, frame: FrameId) -> bool {
        let Some(counts) = &mut self.counts else { return false };
        let fresh = counts.get(frame) == Some(0);
        let counted = counts.add(frame);
        self.held += u64::from(counted && fresh);
        counted
    }

    /// One more reference to what an entry at a level names: a frame at 0, else a node. Counts do not
    /// overflow: there are fewer than 2^31 entries in all.
    fn hold_entry(&mut self, entry: u64, level: u32) {
        if level == 0 {
            let held = frame_in(entry).is_none_or(|frame| self.hold(frame));
            debug_assert!(held, "a frame in a table has a count");
        } else if let Some(node) = node_in(entry).and_then(|id| self.nodes.get_mut(id)) {
            node.refs += 1;
        }
    }

    /// One reference less.
    fn drop_entry(&mut self, entry: u64, level: u32) {
        if level == 0 {
            frame_in(entry).into_iter().for_each(|frame| self.drop_frame(frame));
        } else if let Some(id) = node_in(entry) {
            self.drop_node(id, level);
        }
    }

    /// One leaf entry less that names a frame.
    pub(super) fn drop_frame(&mut self, frame: FrameId) {
        let left = self.counts.as_mut().and_then(|counts| counts.sub(frame));
        if left == Some(0) {
            self.held -= 1;
            self.frames.give(frame);
        }
    }

    /// One reference less to a node of so many levels; the last one takes what is below along.
    pub(super) fn drop_node(&mut self, id: NodeId, height: u32) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        node.refs = node.refs.saturating_sub(1);
        if node.refs > 0 {
            return;
        }
        let entries = node.entries;
        self.nodes.give(id);
        for &entry in entries.iter().filter(|&&entry| entry != 0) {
            self.drop_entry(entry, height - 1);
        }
    }
}
