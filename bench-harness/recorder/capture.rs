//! The capture file of this process image: making it, and getting room in it.
//!
//! No descriptor is kept open, for programs close descriptors that they do not know, and then use
//! their numbers. The file is opened by its path each time that a piece is needed.

use crate::format::{
    DIRECTORY_VARIABLE, FORKED, HEADER_BYTES, Header, MAGIC, PIECE_MAGIC, PieceHeader, UNIT,
    VERSION,
};
use crate::sys::{self, File};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::{Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicUsize};

const PATH_BYTES: usize = 1024;

/// The folder's path, then the file's name, then a zero byte.
struct Path(UnsafeCell<[u8; PATH_BYTES]>);

// SAFETY: written only by the one thread that starts a process image (`session` sees to that),
// before it lets any thread record; read afterwards.
unsafe impl Sync for Path {}

static PATH: Path = Path(UnsafeCell::new([0; PATH_BYTES]));
/// Bytes of the folder's path in `PATH`; 0 before it is known.
static DIRECTORY_BYTES: AtomicUsize = AtomicUsize::new(0);
/// The header of this process image.
static HEADER: AtomicPtr<Header> = AtomicPtr::new(core::ptr::null_mut());

/// The header; only while the session is on.
pub(crate) fn header() -> &'static Header {
    // SAFETY: set before the session is on (Relaxed: the session's word publishes it), and never
    // unmapped while it is.
    unsafe { &*HEADER.load(Relaxed) }
}

/// Makes the capture of this process image.
///
/// # Safety
///
/// 1. No other thread records, or starts an image, meanwhile.
pub(crate) unsafe fn create(forked: bool) -> Result<(), i32> {
    // SAFETY: by obligation 1 no other thread uses the path.
    let path = unsafe { &mut *PATH.0.get() };
    let mut directory = DIRECTORY_BYTES.load(Relaxed);
    if directory == 0 {
        // Room for the name of the file stays free.
        directory = directory_of_environment(&mut path[..PATH_BYTES - 64])?;
        DIRECTORY_BYTES.store(directory, Relaxed);
    }
    let file = create_file(path, directory)?;
    file.reserve(0, UNIT)?;
    let address = file.map(0, HEADER_BYTES)?.cast::<Header>();
    let old = HEADER.swap(address, Relaxed);
    if !old.is_null() {
        // SAFETY: (1) the header of the process that forked this one, which this one has no use
        // for; it was mapped by the same call.
        unsafe { sys::unmap(old.cast(), HEADER_BYTES) };
    }
    // SAFETY: a fresh shared mapping of a fresh file, zero and long enough, seen by nobody yet.
    unsafe {
        (*address).version = VERSION;
        (*address).pid = sys::pid();
        (*address).parent = sys::parent();
        (*address).flags = if forked { FORKED } else { 0 };
        (*address).program_bytes =
            sys::read_link(b"/proc/self/exe\0", &mut (*address).program) as u32;
        if let Ok(file) = File::open(b"/proc/self/cmdline\0") {
            (*address).command_bytes = file.read(&mut (*address).command).unwrap_or(0) as u32;
        }
        (*address).start_nanos = sys::now();
        (*address).next_offset.store(UNIT, Relaxed);
        // Release: for a reader that looks while this process still runs; it acquires the magic.
        (*address).magic.store(MAGIC, Release);
    }
    Ok(())
}

/// Names and creates the file: the process id, and a count that tells its images apart.
fn create_file(path: &mut [u8; PATH_BYTES], directory: usize) -> Result<File, i32> {
    let mut result = Err(sys::EEXIST);
    for image in 0..100_000 {
        let mut end = directory;
        path[end] = b'/';
        end = put_number(path, end + 1, sys::pid());
        path[end] = b'-';
        end = put_number(path, end + 1, image);
        path[end..end + 5].copy_from_slice(b".raw\0");
        result = File::create(&path[..end + 5]);
        if !matches!(result, Err(sys::EEXIST)) {
            break;
        }
    }
    result
}

fn put_number(path: &mut [u8; PATH_BYTES], at: usize, number: u32) -> usize {
    let mut digits = [0_u8; 10];
    let mut count = 0;
    let mut rest = number;
    loop {
        digits[count] = b'0' + (rest % 10) as u8;
        count += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for (place, digit) in digits[..count].iter().rev().enumerate() {
        path[at + place] = *digit;
    }
    at + count
}

/// Reads the folder from the environment that the process image was started with. The C library
/// may not know it yet: the loader allocates before the library is ready.
fn directory_of_environment(into: &mut [u8]) -> Result<usize, i32> {
    const NAME: &[u8] = DIRECTORY_VARIABLE.as_bytes();
    let Ok(file) = File::open(b"/proc/self/environ\0") else {
        return sys::variable(NAME, into).filter(|&bytes| bytes > 0).ok_or(0);
    };
    let mut buffer = [0_u8; 1024];
    // Bytes of the current entry seen so far, as long as they agree with `NAME=`, then its value.
    let (mut place, mut agrees, mut value) = (0, true, 0);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return if agrees && value > 0 { Ok(value) } else { Err(0) };
        }
        for &byte in &buffer[..count] {
            match byte {
                0 if agrees && value > 0 => return Ok(value),
                0 => (place, agrees, value) = (0, true, 0),
                _ if !agrees => {}
                _ if place < NAME.len() => agrees = byte == NAME[place],
                b'=' if place == NAME.len() => {}
                _ if place == NAME.len() => agrees = false,
                _ => {
                    *into.get_mut(value).ok_or(0)? = byte;
                    value += 1;
                }
            }
            place += usize::from(byte != 0);
        }
    }
}

/// A mapped piece.
pub(crate) struct Piece {
    pub(crate) address: *mut u8,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// Takes a fresh piece for a thread, its head written.
pub(crate) fn take_piece(thread: u32, nth: u32, bytes: u64) -> Result<Piece, i32> {
    // Relaxed: a counter; the ranges that it hands out are disjoint whatever the order.
    let offset = header().next_offset.fetch_add(bytes, Relaxed);
    let file = open()?;
    file.reserve(offset, bytes)?;
    let address = file.map(offset, bytes as usize)?;
    let head = address.cast::<PieceHeader>();
    // SAFETY: a fresh mapping of a range of the file that belongs to this thread alone.
    unsafe {
        (*head).thread = thread;
        (*head).nth = nth;
        (*head).bytes = bytes;
        // Release: for a reader of a living process, which acquires it.
        (*head).magic.store(PIECE_MAGIC, Release);
    }
    Ok(Piece { address, offset, bytes })
}

/// Maps a piece again.
pub(crate) fn map_piece(offset: u64, bytes: u64) -> Result<*mut u8, i32> {
    open()?.map(offset, bytes as usize)
}

fn open() -> Result<File, i32> {
    // SAFETY: while the session is on nobody writes the path.
    let path = unsafe { &*PATH.0.get() };
    let end = path.iter().position(|&byte| byte == 0).ok_or(0)?;
    File::open_rw(&path[..=end])
}
