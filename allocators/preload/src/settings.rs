//! What the environment may choose: how memory goes back, and huge pages.
//!
//! | variable | values |
//! |---|---|
//! | `STRATA_GIVE_BACK` | `budget`, `after-peaks`, `eager`, `lazy`, `never`: see [`GiveBack`] |
//! | `STRATA_HUGE_PAGES` | `prefer`, `avoid` |
//! | `STRATA_LIMIT` | with the feature `limit`: bytes that the heap may hold, or so many `k`, `m`, `g` |
//! | `STRATA_BACKGROUND` | with the feature `background`: `on`, `off`: a thread that gives idle memory back |
//! | `STRATA_PROFILE` and others | with the feature `profile`: see `profile.rs` |
//!
//! Read once, when the library's constructor runs; what is allocated before follows the defaults.
//! Unknown values of the first two are as none; what is wrong with others is said by a line on the standard
//! error, and they are as none, too. A program that has more rights than who started it (set-user-ID, file
//! capabilities) is not told by that person's environment.

use core::ffi::CStr;

#[cfg(any(feature = "limit", feature = "background", feature = "profile"))]
use std::io::Write;

#[cfg(feature = "limit")]
use strata_core::ByteCount;
#[cfg(feature = "background")]
use strata_segregated::Background;
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

/// A number of bytes, from 1 on.
#[cfg(feature = "limit")]
fn bytes(value: &CStr) -> Option<ByteCount> {
    let value = value.to_str().ok()?.trim();
    let (number, shift) = match value.as_bytes().last()? {
        b'k' => (&value[..value.len() - 1], 10),
        b'm' => (&value[..value.len() - 1], 20),
        b'g' => (&value[..value.len() - 1], 30),
        _ => (value, 0),
    };
    let number: usize = number.parse().ok()?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes != 0).map(ByteCount)
}

/// A line on the standard error.
#[cfg(any(feature = "limit", feature = "background", feature = "profile"))]
pub(crate) fn say(what: &str, why: &dyn core::fmt::Display) {
    // Nothing is left to do about a standard error that is closed.
    let _ = writeln!(std::io::stderr(), "strata: {what}: {why}");
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
    #[cfg(feature = "limit")]
    if let Some(value) = variable(c"STRATA_LIMIT") {
        match bytes(value) {
            None => say("STRATA_LIMIT", &"not a number of bytes, k, m or g; there is no limit"),
            limit => {
                if let Err(why) = heap.set_limit(limit) {
                    say("STRATA_LIMIT", &why);
                }
            }
        }
    }
    #[cfg(feature = "background")]
    if let Some(value) = variable(c"STRATA_BACKGROUND") {
        match value.to_bytes() {
            b"on" => {
                if let Err(why) = heap.start_background(Background::default()) {
                    say("STRATA_BACKGROUND", &why);
                }
            }
            b"off" => {}
            _ => say("STRATA_BACKGROUND", &"neither on nor off; there is no thread"),
        }
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

    #[cfg(feature = "limit")]
    #[test]
    fn bytes_have_units_and_are_not_none() {
        assert_eq!(bytes(c"4096"), Some(ByteCount(4096)));
        assert_eq!(bytes(c" 3g "), Some(ByteCount(3 << 30)));
        for wrong in [c"", c"0", c"k", c"1.5m", c"-1", c"99999999999g", c"64MB"] {
            assert_eq!(bytes(wrong), None, "{wrong:?}");
        }
    }
}
