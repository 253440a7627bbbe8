//! `main!`: the whole command in a crate of a few lines.

/// Makes `fn main` and the `#[global_allocator]` of a `strata-bench` executable.
///
/// `main!(MyAlloc)` takes a constant of a type that implements `GlobalAlloc`, named like its type,
/// and gives the whole command with that allocator among the subjects. Any other constant needs its
/// type and a name: `main!("my-alloc", MyAlloc, MyAlloc::new())`. A type that implements
/// [`Subject`](crate::subject::Subject), with hooks, is given as
/// `main!(subject MyAlloc, MyAlloc::new())`, and one that implements
/// [`FrameSubject`](crate::frames::FrameSubject) as `main!(frames MyFrames)`, a
/// [`RegionSubject`](crate::regions::RegionSubject) as `main!(regions MyRegion)`, a
/// [`PoolSubject`](crate::pools::PoolSubject) as `main!(pools MyPool)`, or `main!(shared pools MyPool)`
/// where threads may share it. Without arguments the subjects are those that
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
        $crate::main!(@with frames $type);
    };
    (regions $type:ty) => {
        $crate::main!(@with regions $type);
    };
    (pools $type:ty) => {
        $crate::main!(@with pools $type);
    };
    (shared pools $type:ty) => {
        $crate::main!(@entry pools, $crate::pools::Entry::shared::<$type>());
    };
    (@with $kind:ident $type:ty) => {
        $crate::main!(@entry $kind, $crate::$kind::Entry::of::<$type>());
    };
    (@entry $kind:ident, $entry:expr) => {
        #[global_allocator]
        static HARNESS_HEAP: $crate::heap::HarnessHeap = $crate::heap::HarnessHeap::new();

        fn main() -> ::std::process::ExitCode {
            let mut linked = $crate::Linked::new(
                $crate::subject::linked(),
                $crate::results::Mode::Explicit,
            );
            linked.$kind.push($entry);
            $crate::command_with(&linked)
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
