//! The space that tables live in, and its operations.

use core::fmt;
use core::ptr::NonNull;

use strata_core::{ByteCount, Exhausted, FrameId, Source};

use super::counts::Counts;
use super::nodes::{ENTRIES, NODE_BITS, Node, NodeId, Nodes};
use super::table::{PageTable, TableError, Write};
use super::take::TakeFrames;
use super::tree::Path;

/// A reading of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageStats {
    /// Frames that at least one table has.
    pub frames: u64,
    /// Nodes in use.
    pub nodes: u64,
    /// Bytes of nodes in use.
    pub node_bytes: ByteCount,
}

/// Tables over the frames of one zone, that share frames.
///
/// Up to 2^31 leaf entries: pages, those of shared nodes counted once.
///
/// Not for several threads at once: a scheduler that forks and evicts holds it, or a lock does.
/// Translations can be copied out of it by [`PageSpace::each`].
///
/// ```
/// # use core::mem::MaybeUninit;
/// use strata_core::source::Region;
/// use strata_page_frame::paging::{PageSpace, Write};
/// use strata_page_frame::{Geometry, PageFrames};
///
/// # let layout = PageFrames::metadata_layout(4096, 0, Geometry::DEFAULT)?;
/// # let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
/// let frames = PageFrames::new(4096, 0, Geometry::DEFAULT, &mut metadata)?;
/// let mut buffer = vec![MaybeUninit::<u8>::uninit(); 64 << 10];
/// let mut space = PageSpace::new(&frames, 4096, Region::new(&mut buffer))?;
///
/// let mut prompt = space.table();
/// space.extend(&mut prompt, 100)?;
/// let mut answer = space.fork_prefix(&prompt, 70)?;
/// assert_eq!(space.translate(&answer, 69), space.translate(&prompt, 69));
///
/// // The last page is shared: it gets a frame of its own, to which the caller copies.
/// let from = space.translate(&answer, 69).unwrap();
/// let Write::CopyNeeded { from: found, to } = space.write(&mut answer, 69)? else { panic!() };
/// assert_eq!((found, space.translate(&answer, 69)), (from, Some(to)));
/// assert_eq!(space.write(&mut answer, 69)?, Write::Ready(to));
///
/// space.release(answer);
/// space.release(prompt);
/// assert_eq!(frames.free_frames(), 4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PageSpace<F, S>
where
    F: TakeFrames,
    S: Source<Address = NonNull<u8>>,
{
    pub(super) frames: F,
    pub(super) source: S,
    pub(super) counts: Option<Counts>,
    pub(super) nodes: Nodes,
    /// Frames with a count.
    pub(super) held: u64,
}

impl<F: TakeFrames, S: Source<Address = NonNull<u8>>> PageSpace<F, S> {
    /// A space without tables over frames `0..zone`. Takes 4 bytes a frame from `source` at once (not
    /// touched, where the source's memory is zero) and nodes of 520 bytes as tables need them.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where the source has not enough.
    pub fn new(frames: F, zone: u64, source: S) -> Result<Self, Exhausted> {
        let counts = Some(Counts::new(&source, zone)?);
        Ok(Self { frames, source, counts, nodes: Nodes::new(), held: 0 })
    }

    /// A table without pages. Costs nothing.
    pub fn table(&self) -> PageTable {
        PageTable::EMPTY
    }

    /// Where the frames come from.
    pub fn frames(&self) -> &F {
        &self.frames
    }

    /// The frame of a page. O(levels), which are one for each factor of 64 in the length.
    pub fn translate(&self, table: &PageTable, page: u64) -> Option<FrameId> {
        if page >= table.len {
            return None;
        }
        let mut id = table.root?;
        for level in (1..table.height).rev() {
            id = node_in(self.nodes.get(id)?.entries[place(page, level)])?;
        }
        frame_in(self.nodes.get(id)?.entries[place(page, 0)])
    }

    /// Calls back with the frame of each page, in order: what a device or a mapping is told. O(len).
    pub fn each(&self, table: &PageTable, mut visit: impl FnMut(u64, FrameId)) {
        if let Some(root) = table.root {
            self.each_below(root, table.height, 0, table.len, &mut visit);
        }
    }

    fn each_below(
        &self,
        id: NodeId,
        height: u32,
        first: u64,
        len: u64,
        visit: &mut impl FnMut(u64, FrameId),
    ) {
        let Some(node) = self.nodes.get(id) else { return };
        let step = pages_of(height - 1);
        for (index, &entry) in node.entries.iter().enumerate() {
            let page = first + index as u64 * step;
            if page >= len {
                return;
            }
            match height {
                1 => frame_in(entry).into_iter().for_each(|frame| visit(page, frame)),
                _ => {
                    if let Some(child) = node_in(entry) {
                        self.each_below(child, height - 1, page, len, visit);
                    }
                }
            }
        }
    }

    /// One more page at the end of a table, on a frame of its own. The frame's contents are undefined.
    /// O(levels), and where the last node is shared, a copy of one node a level.
    ///
    /// # Errors
    ///
    /// [`TableError::Exhausted`]; nothing changed.
    pub fn push(&mut self, table: &mut PageTable) -> Result<FrameId, TableError> {
        let path = self.path_to_end(table)?;
        let frame = self.frames.take()?;
        if !self.hold(frame) {
            self.frames.give(frame);
            return Err(TableError::Exhausted);
        }
        self.append(table, path, frame);
        Ok(frame)
    }

    /// `pages` more pages at the end of a table, each on a frame of its own.
    ///
    /// # Errors
    ///
    /// [`TableError::Exhausted`]; the pages that were added are gone again.
    pub fn extend(&mut self, table: &mut PageTable, pages: u64) -> Result<(), TableError> {
        let before = table.len;
        for _ in 0..pages {
            if let Err(error) = self.push(table) {
                // What was pushed lies in nodes of the table's own: no node is needed to take it off.
                let _ = self.truncate(table, before);
                return Err(error);
            }
        }
        Ok(())
    }

    /// One more page at the end of a table, on a frame that a table of this space has already: for
    /// pages that are found to be equal, as those of equal prompts are.
    ///
    /// # Errors
    ///
    /// [`TableError::NotHeld`] and [`TableError::Exhausted`]; nothing changed.
    pub fn push_shared(&mut self, table: &mut PageTable, frame: FrameId) -> Result<(), TableError> {
        if self.entries_of(frame) == 0 {
            return Err(TableError::NotHeld);
        }
        let path = self.path_to_end(table)?;
        if !self.hold(frame) {
            return Err(TableError::Exhausted);
        }
        self.append(table, path, frame);
        Ok(())
    }

    /// A table with the pages of `table`, all of them shared. O(1).
    ///
    /// # Errors
    ///
    /// [`TableError::Exhausted`] after 2^31 forks; nothing changed.
    pub fn fork(&mut self, table: &PageTable) -> Result<PageTable, TableError> {
        if let Some(root) = table.root {
            self.share(root)?;
        }
        Ok(PageTable { root: table.root, height: table.height, len: table.len })
    }

    /// A table with the first `pages` pages of `table`, all of them shared. One node a level is copied
    /// where the prefix ends inside it; none where it ends with the table.
    ///
    /// # Errors
    ///
    /// [`TableError::OutOfRange`] where `table` has fewer pages, and [`TableError::Exhausted`]; nothing
    /// changed.
    pub fn fork_prefix(&mut self, table: &PageTable, pages: u64) -> Result<PageTable, TableError> {
        if pages > table.len {
            return Err(TableError::OutOfRange);
        }
        if pages == table.len {
            return self.fork(table);
        }
        self.prefix(table, pages)
    }

    /// The frame of a page for writing to it: at once where it is this table's alone, else after a copy
    /// that the caller makes. O(levels), and where nodes are shared, a copy of one node a level.
    ///
    /// # Errors
    ///
    /// [`TableError::OutOfRange`] and [`TableError::Exhausted`]; nothing changed.
    pub fn write(&mut self, table: &mut PageTable, page: u64) -> Result<Write, TableError> {
        if page >= table.len {
            return Err(TableError::OutOfRange);
        }
        let from = self.translate(table, page).ok_or(TableError::OutOfRange)?;
        let path = self.path(table, page)?;
        if !path.is_shared() && self.entries_of(from) <= 1 {
            return Ok(Write::Ready(from));
        }
        self.nodes.reserve(&self.source, path.copies())?;
        let to = self.frames.take()?;
        if !self.hold(to) {
            self.frames.give(to);
            return Err(TableError::Exhausted);
        }
        let leaf = self.own(table, page, path);
        if let Some(node) = leaf.and_then(|leaf| self.nodes.get_mut(leaf)) {
            node.entries[place(page, 0)] = to.get() + 1;
        }
        self.drop_frame(from);
        Ok(Write::CopyNeeded { from, to })
    }

    /// Takes pages off the end of a table, until it has `pages`. Frames that no table has any more go
    /// back.
    ///
    /// # Errors
    ///
    /// [`TableError::OutOfRange`] where it has fewer; [`TableError::Exhausted`] where the end lies in a
    /// shared node and there is no memory for a copy of it; nothing changed.
    pub fn truncate(&mut self, table: &mut PageTable, pages: u64) -> Result<(), TableError> {
        if pages > table.len {
            return Err(TableError::OutOfRange);
        }
        if pages < table.len && !self.cut(table, pages) {
            let short = self.prefix(table, pages)?;
            self.release(core::mem::replace(table, short));
        }
        Ok(())
    }

    /// Gives a table back. Frames that no table has any more go back. O(nodes that were its alone).
    pub fn release(&mut self, table: PageTable) {
        if let Some(root) = table.root {
            self.drop_node(root, table.height);
        }
    }

    /// Leaf entries that name a frame: 0 of one that no table has. Tables that share a node share its
    /// entries, so this is no count of tables.
    pub fn entries_of(&self, frame: FrameId) -> u32 {
        self.counts.as_ref().and_then(|counts| counts.get(frame)).unwrap_or(0)
    }

    /// This space's figures. O(1).
    pub fn stats(&self) -> PageStats {
        let nodes = u64::from(self.nodes.in_use());
        PageStats {
            frames: self.held,
            nodes,
            node_bytes: ByteCount(nodes as usize * size_of::<Node>()),
        }
    }

    /// The way to the page after the last, with the nodes that a push will need in reserve.
    fn path_to_end(&mut self, table: &PageTable) -> Result<Path, TableError> {
        let path = self.path(table, table.len)?;
        self.nodes.reserve(&self.source, path.copies() + path.missing())?;
        Ok(path)
    }
}

impl<F: TakeFrames, S: Source<Address = NonNull<u8>>> Drop for PageSpace<F, S> {
    /// Releases the memory of nodes and counts. Frames of tables that were not released stay taken.
    fn drop(&mut self) {
        let counts = self.counts.take().map(Counts::into_chunk);
        for chunk in self.nodes.chunks().chain(counts) {
            // SAFETY: 1. acquired from this source, whole. 2. nodes and counts are gone.
            unsafe { self.source.release(chunk) };
        }
    }
}

impl<F: TakeFrames, S: Source<Address = NonNull<u8>>> fmt::Debug for PageSpace<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageSpace").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// Pages below a node of so many levels.
pub(super) const fn pages_of(height: u32) -> u64 {
    1 << (NODE_BITS * height)
}

/// The entry of a page in the node at a level, which is 0 for leaves.
pub(super) const fn place(page: u64, level: u32) -> usize {
    (page >> (NODE_BITS * level)) as usize % ENTRIES
}

/// The node that an entry names.
pub(super) fn node_in(entry: u64) -> Option<NodeId> {
    entry.checked_sub(1).map(|number| NodeId(number as u32))
}

/// The frame that an entry names.
pub(super) fn frame_in(entry: u64) -> Option<FrameId> {
    entry.checked_sub(1).map(FrameId)
}
