//! `main!`: the whole command in a crate of a few lines.

/// Makes `fn main` and the `#[global_allocator]` of a `strata-bench` executable.
///
/// `main!(MyAlloc)` takes a constant of a type that implements `GlobalAlloc`, named like its type,
/// and gives the whole command with that allocator among the subjects. Any other constant needs its
/// type and a name: `main!("my-alloc", MyAlloc, MyAlloc::new())`. A type that implements
/// [`Subject`](crate::subject::Subject), with hooks, is given as
/// `main!(subject MyAlloc, MyAlloc::new())`, and one that implements
/// [`FrameSubject`](crate::frames::FrameSubject) as `main!(frames MyFrames)`. Without arguments the subjects are those that
/// strata-bench itself links.
///
/// The executable's global allocator is the harness's own heap, never the subject, so that what is
/// measured is the subject alone.
///
/// ```no_run
/// use std::alloc::{GlobalAlloc, Layout, System};
///
/// struct MyAlloc;
///
/// unsafe impl GlobalAlloc for MyAlloc {
///     unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
///         unsafe { System.alloc(layout) }
///     }
///     unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
///         unsafe { System.dealloc(block, layout) }
///     }
/// }
///
/// strata_bench::main!(MyAlloc);
/// ```
#[macro_export]
macro_rules! main {
    () => {
        #[global_allocator]
        static HARNESS_HEAP: $crate::heap::HarnessHeap = $crate::heap::HarnessHeap::new();

        fn main() -> ::std::process::ExitCode {
            $crate::command(&$crate::subject::linked(), $crate::results::Mode::Explicit)
        }
    };
    (frames $type:ty) => {
        #[global_allocator]
        static HARNESS_HEAP: $crate::heap::HarnessHeap = $crate::heap::HarnessHeap::new();

        fn main() -> ::std::process::ExitCode {
            let mut frames = $crate::frames::linked();
            frames.push($crate::frames::Entry::of::<$type>());
            $crate::command_with_frames(
                &$crate::subject::linked(),
                $crate::results::Mode::Explicit,
                &frames,
            )
        }
    };
    (subject $type:ty, $value:expr) => {
        #[global_allocator]
        static HARNESS_HEAP: $crate::heap::HarnessHeap = $crate::heap::HarnessHeap::new();

        fn main() -> ::std::process::ExitCode {
            let mut subjects = $crate::subject::linked();
            subjects.push($crate::subject!($type, $value));
            $crate::command(&subjects, $crate::results::Mode::Explicit)
        }
    };
    ($name:expr, $type:ty, $value:expr) => {
        $crate::main!(subject $crate::subject::Plain<$type>,
            $crate::subject::Plain::new($name, $value));
    };
    ($alloc:ident) => {
        $crate::main!(::core::stringify!($alloc), $alloc, $alloc);
    };
}
