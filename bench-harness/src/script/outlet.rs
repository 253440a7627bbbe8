//! Operations on their way into a script: gathered until a cut, then written as a segment.

use super::build::{CheckpointPlan, Expected};
use super::{NO_CHECKPOINT, Op, Place, SegmentHead, Stream, bytes_of};
use crate::error::{Context, Result};
use std::fs::File;
use std::io::{BufWriter, Write};

/// How many operations a segment holds at most; it bounds the child's window. Small enough to stay in
/// a processor's second-level cache, and longer where a cut makes threads wait for one another.
const SEGMENT_OPS: usize = 1 << 15;
const SEGMENT_OPS_THREADED: usize = 1 << 17;

/// What is live after a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Records so far.
    pub(super) records: u64,
    pub(super) live_bytes: u64,
    pub(super) live_blocks: u64,
}

/// The file of one script, and the segment that is being gathered for it.
#[derive(Debug)]
pub(super) struct Outlet {
    out: BufWriter<File>,
    checkpoints: CheckpointPlan,
    /// By thread; one only in a serial script.
    streams: Vec<(Vec<Op>, Vec<Place>)>,
    limit: usize,
    first_record: u64,
    ops: usize,
    operations: u32,
    window_bytes: u64,
    expected: Vec<Expected>,
}

impl Outlet {
    /// Nothing is gathered; the file is a temporary one without a name.
    pub(super) fn new(threaded: bool, checkpoints: CheckpointPlan) -> Result<Self> {
        let file = tempfile::tempfile().context(|| "cannot make a temporary file".into())?;
        Ok(Self {
            out: BufWriter::with_capacity(1 << 18, file),
            checkpoints,
            streams: Vec::new(),
            limit: if threaded { SEGMENT_OPS_THREADED } else { SEGMENT_OPS },
            first_record: 0,
            ops: 0,
            operations: 0,
            window_bytes: 0,
            expected: Vec::new(),
        })
    }

    /// The next operation of a stream; `counts` is 1 for what counts as one and 0 for the rest.
    #[inline]
    pub(super) fn put(&mut self, stream: usize, op: Op, place: Place, counts: u32) {
        if self.streams.len() <= stream {
            self.streams.resize_with(stream + 1, Default::default);
        }
        let (ops, places) = &mut self.streams[stream];
        ops.push(op);
        places.push(place);
        self.ops += 1;
        self.operations += counts;
    }

    /// A record is done: the segment ends here where a checkpoint is planned or it is long enough.
    #[inline]
    pub(super) fn step(&mut self, now: Now) -> Result<()> {
        let planned = self.checkpoints.after.get(self.expected.len());
        if planned == Some(&now.records) {
            self.expected.push(Expected {
                record: now.records,
                live_bytes: now.live_bytes,
                live_blocks: now.live_blocks,
            });
            return self.cut(now.records, self.expected.len() as u32 - 1, false);
        }
        if self.ops >= self.limit {
            return self.cut(now.records, NO_CHECKPOINT, false);
        }
        Ok(())
    }

    /// Writes the last segment; the file.
    pub(super) fn finish(mut self, records: u64) -> Result<(File, u64, Vec<Expected>)> {
        self.cut(records, NO_CHECKPOINT, true)?;
        let file = self.out.into_inner().map_err(std::io::IntoInnerError::into_error);
        let file = file.context(|| "cannot write the replay script".into())?;
        Ok((file, self.window_bytes, self.expected))
    }

    fn cut(&mut self, records: u64, checkpoint: u32, last: bool) -> Result<()> {
        let mut table = Vec::new();
        let mut first = 0;
        for (thread, (ops, _)) in self.streams.iter().enumerate() {
            if !ops.is_empty() {
                let ops = ops.len() as u32;
                table.push(Stream { thread: thread as u32, ops, first, reserved: 0 });
                first += ops;
            }
        }
        let bytes = size_of_val(&table[..]) + self.ops * (size_of::<Op>() + size_of::<Place>());
        let head = SegmentHead {
            bytes: bytes as u64,
            first_record: self.first_record,
            streams: table.len() as u32,
            ops: self.ops as u32,
            operations: self.operations,
            checkpoint,
            last: u32::from(last),
            reserved: 0,
        };
        self.window_bytes = self.window_bytes.max((bytes + size_of::<SegmentHead>()) as u64);
        let failed = || "cannot write the replay script to a temporary file".to_owned();
        self.out.write_all(bytes_of(&[head])).context(failed)?;
        self.out.write_all(bytes_of(&table)).context(failed)?;
        for (ops, _) in &mut self.streams {
            self.out.write_all(bytes_of(ops)).context(failed)?;
            ops.clear();
        }
        for (_, places) in &mut self.streams {
            self.out.write_all(bytes_of(places)).context(failed)?;
            places.clear();
        }
        (self.ops, self.operations, self.first_record) = (0, 0, records);
        Ok(())
    }
}
