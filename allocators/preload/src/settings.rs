//! What the environment may choose: how memory goes back, and huge pages.
//!
//! | variable | values |
//! |---|---|
//! | `STRATA_GIVE_BACK` | `budget`, `after-peaks`, `eager`, `lazy`, `never`: see [`GiveBack`] |
//! | `STRATA_HUGE_PAGES` | `prefer`, `avoid` |
//! | `STRATA_PROFILE` and others | with the feature `profile`: see `profile.rs` |
//!
//! Read once, when the library's constructor runs; what is allocated before follows the defaults.
//! Unknown values are as none. A program that has more rights than who started it (set-user-ID, file
//! capabilities) is not told by that person's environment.

use core::ffi::CStr;

use strata_segregated::{GiveBack, HugePages, SegregatedAlloc};

/// How memory goes back, by name.
fn give_back(name: &CStr) -> Option<GiveBack> {
    Some(match name.to_bytes() {
        b"budget" => GiveBack::Budget,
        b"after-peaks" => GiveBack::AfterPeaks,
        b"eager" => GiveBack::Eager,
        b"lazy" => GiveBack::Lazy,
        b"never" => GiveBack::Never,
        _ => return None,
    })
}

/// What is wished of huge pages, by name.
fn huge_pages(name: &CStr) -> Option<HugePages> {
    Some(match name.to_bytes() {
        b"prefer" => HugePages::Prefer,
        b"avoid" => HugePages::Avoid,
        _ => return None,
    })
}

/// The value of a variable that may be believed.
pub(crate) fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: a C string; constructors run before there are threads that could change the
    // environment, or in a `dlopen` whose caller answers for those that do.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    // SAFETY: a C string of the environment, which stays while it is read here.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

/// Does what the environment says.
extern "C" fn read() {
    // SAFETY: a plain question.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return;
    }
    let heap = SegregatedAlloc::new();
    if let Some(mode) = variable(c"STRATA_GIVE_BACK").and_then(give_back) {
        heap.set_give_back(mode);
    }
    if let Some(wish) = variable(c"STRATA_HUGE_PAGES").and_then(huge_pages) {
        heap.set_huge_pages(wish);
    }
    #[cfg(feature = "profile")]
    crate::profile::begin();
}

#[used]
#[cfg_attr(not(test), unsafe(link_section = ".init_array"))]
static CONSTRUCTOR: extern "C" fn() = read;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_and_others_are_as_none() {
        assert_eq!(give_back(c"eager"), Some(GiveBack::Eager));
        assert_eq!(give_back(c"never"), Some(GiveBack::Never));
        assert_eq!(give_back(c""), None);
        assert_eq!(huge_pages(c"prefer"), Some(HugePages::Prefer));
        assert_eq!(huge_pages(c"on"), None);
    }
}
