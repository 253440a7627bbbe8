//! A graph that moves: vertices are segments, and their edges are handles in those segments.
//!
//! With pointers in place of handles, nothing of it could ever move. An edge to a vertex that was
//! removed is no dangling pointer but a stale handle, which the table tells.

use strata_segment::Policy;
use strata_segment::table::{Fault, Handle, Permissions, Refused, SegmentTable};

/// Bytes of a vertex's value, and of an edge.
const WORD: usize = 8;

/// The name of a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Vertex(Handle);

/// A graph in a table's segments: `│ value │ edge │ edge │ ...`, each of eight bytes.
#[derive(Debug)]
pub(crate) struct MovingGraph<'m, P: Policy> {
    table: SegmentTable<'m, P>,
}

fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

impl<'m, P: Policy> MovingGraph<'m, P> {
    /// A graph without vertices.
    pub(crate) fn new(table: SegmentTable<'m, P>) -> Self {
        Self { table }
    }

    /// A vertex without edges.
    pub(crate) fn add(&mut self, value: u64) -> Result<Vertex, Refused> {
        let vertex = self.table.create(WORD, Permissions::READ_WRITE)?;
        self.table.store(vertex, 0, &value.to_le_bytes())?;
        Ok(Vertex(vertex))
    }

    /// An edge. The vertex's segment grows by a word.
    pub(crate) fn connect(&mut self, from: Vertex, to: Vertex) -> Result<(), Refused> {
        self.table.limit(to.0)?;
        let len = self.table.limit(from.0)?;
        self.table.resize(from.0, len + WORD)?;
        self.table.store(from.0, len, &to.0.to_bits().to_le_bytes())?;
        Ok(())
    }

    /// Removes a vertex. Edges to it stay where they are and lead nowhere.
    pub(crate) fn remove(&mut self, vertex: Vertex) -> Result<(), Fault> {
        self.table.free(vertex.0)
    }

    /// The value of a vertex.
    pub(crate) fn value(&self, vertex: Vertex) -> Result<u64, Fault> {
        self.table.read(vertex.0, 0, WORD).map(word)
    }

    /// The vertices that the edges of this one lead to, without those that are gone.
    pub(crate) fn edges(&self, vertex: Vertex) -> Result<impl Iterator<Item = Vertex> + '_, Fault> {
        let len = self.table.limit(vertex.0)? - WORD;
        let edges = self.table.read(vertex.0, WORD, len)?.chunks_exact(WORD);
        let live = |handle: &Handle| self.table.limit(*handle).is_ok();
        Ok(edges.filter_map(|edge| Handle::from_bits(word(edge))).filter(live).map(Vertex))
    }

    /// Forgets edges that lead nowhere. The vertex's segment shrinks.
    pub(crate) fn tidy(&mut self, vertex: Vertex) -> Result<(), Refused> {
        let kept: Vec<Vertex> = self.edges(vertex)?.collect();
        for (at, edge) in (1..).zip(&kept) {
            self.table.store(vertex.0, at * WORD, &edge.0.to_bits().to_le_bytes())?;
        }
        self.table.resize(vertex.0, WORD * (1 + kept.len()))
    }

    /// The table, for compaction and its figures.
    pub(crate) fn table(&mut self) -> &mut SegmentTable<'m, P> {
        &mut self.table
    }
}
