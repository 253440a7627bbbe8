//! The fixed window: one segment of the script at a time.

use super::control::Table;
use crate::script::{Op, Place, SegmentHead, Stream};
use std::io;

/// Reads segments of the script into the window.
#[derive(Debug)]
pub(crate) struct Segments {
    script: i32,
    offset: i64,
    window: *mut u8,
    window_bytes: usize,
    /// Whether anybody reads [`Place`]s: half of the script's bytes.
    with_places: bool,
}

// SAFETY: the window belongs to the reader alone; `next` is the only writer and takes `&mut self`.
unsafe impl Send for Segments {}

/// A segment in the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) head: SegmentHead,
    pub(crate) streams: &'a [Stream],
    pub(crate) ops: &'a [Op],
    pub(crate) places: &'a [Place],
}

impl<'a> Segment<'a> {
    /// The operations of a stream, and where they stand in the trace.
    pub(crate) fn of(&self, stream: &Stream) -> (&'a [Op], &'a [Place]) {
        let range = stream.first as usize..(stream.first + stream.ops) as usize;
        (&self.ops[range.clone()], &self.places[range])
    }
}

impl Segments {
    /// From the first segment. Without places, those of its segments are zeroes or older ones.
    pub(crate) fn new(table: &Table, with_places: bool) -> Self {
        let (window, window_bytes) = table.window();
        Self { script: table.control().script, offset: 0, window, window_bytes, with_places }
    }

    /// Starts again at the first segment.
    pub(crate) fn rewind(&mut self) {
        self.offset = 0;
    }

    /// The next segment. The one before must not be used any more.
    ///
    /// # Safety
    ///
    /// 1. No reference into an earlier segment is used after this call.
    pub(crate) unsafe fn next<'a>(&mut self) -> io::Result<Segment<'a>> {
        let head_bytes = size_of::<SegmentHead>();
        self.fill(0, head_bytes)?;
        // SAFETY: the window is page-aligned and holds a whole head now.
        let head = unsafe { self.window.cast::<SegmentHead>().read() };
        // The tables must lie on 16 bytes; the head is read from the window's start and is not
        // needed there any more.
        let bytes = head.bytes as usize;
        if bytes > self.window_bytes {
            return Err(io::Error::other("the replay script is damaged"));
        }
        let streams_bytes = head.streams as usize * size_of::<Stream>();
        let ops_bytes = head.ops as usize * size_of::<Op>();
        let places_bytes = head.ops as usize * size_of::<Place>();
        if streams_bytes + ops_bytes + places_bytes != bytes {
            return Err(io::Error::other("the replay script is damaged"));
        }
        if self.with_places {
            self.fill(0, bytes)?;
        } else {
            self.fill(0, bytes - places_bytes)?;
            self.offset += places_bytes as i64;
        }
        // SAFETY: the parts follow one another inside the window, as just checked; each length is
        // a multiple of 16 bytes, the window is page-aligned, and every byte was read from the
        // script or is plain shared memory, any bytes of which are a `Place`. By obligation 1 nobody else uses the window.
        unsafe {
            let streams = self.window;
            let ops = streams.add(streams_bytes);
            let places = ops.add(ops_bytes);
            Ok(Segment {
                head,
                streams: std::slice::from_raw_parts(streams.cast(), head.streams as usize),
                ops: std::slice::from_raw_parts(ops.cast(), head.ops as usize),
                places: std::slice::from_raw_parts(places.cast(), head.ops as usize),
            })
        }
    }

    /// Reads the next `bytes` of the script to the window's place `at`.
    fn fill(&mut self, at: usize, bytes: usize) -> io::Result<()> {
        let mut done = 0;
        while done < bytes {
            // SAFETY: the caller keeps `at + bytes` within the window.
            let got = unsafe {
                let to = self.window.add(at + done);
                libc::pread(self.script, to.cast(), bytes - done, self.offset)
            };
            match usize::try_from(got) {
                Ok(0) => return Err(io::Error::other("the replay script ends too early")),
                Ok(got) => {
                    done += got;
                    self.offset += got as i64;
                }
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }
}
