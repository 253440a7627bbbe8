//! The linked peers keep the promises of subjects, and their versions are what is linked.

use crate::subject::conformance::each;

each! {
    #[cfg(feature = "strata-segregated")]
    strata_segregated_conforms: super::StrataSegregated = super::StrataSegregated::new();
    #[cfg(all(feature = "strata-segregated", not(feature = "global")))]
    strata_segregated_after_peaks_conforms: super::StrataSegregatedAfterPeaks =
        super::StrataSegregatedAfterPeaks::new();
    #[cfg(feature = "strata-page-frame")]
    strata_page_frame_conforms: super::StrataPageFrame = super::StrataPageFrame::new();
    #[cfg(feature = "strata-segment")]
    strata_segment_conforms: super::StrataSegment = super::StrataSegment::new();
    #[cfg(feature = "strata-pool")]
    strata_pool_conforms: super::StrataPool = super::StrataPool::new();
    #[cfg(feature = "rusty_alloc")]
    rusty_alloc_conforms: super::RustyAlloc = super::RustyAlloc::new();
    #[cfg(feature = "talc")]
    talc_conforms: super::Talc = super::Talc::new();
    #[cfg(feature = "rlsf")]
    rlsf_conforms: super::Rlsf = super::Rlsf::new();
    #[cfg(feature = "dlmalloc")]
    dlmalloc_conforms: super::Dlmalloc = super::Dlmalloc::new();
    #[cfg(any(feature = "mimalloc-v2", feature = "mimalloc-v3"))]
    mimalloc_conforms: super::Mimalloc = super::Mimalloc::new();
    #[cfg(feature = "jemalloc")]
    jemalloc_conforms: super::Jemalloc = super::Jemalloc::new();
    #[cfg(feature = "snmalloc")]
    snmalloc_conforms: super::Snmalloc = super::Snmalloc::new();
    #[cfg(feature = "rpmalloc")]
    rpmalloc_conforms: super::Rpmalloc = super::Rpmalloc::new();
}

#[cfg(feature = "smmalloc")]
#[test]
fn smmalloc_conforms() {
    static SUBJECT: super::Smmalloc = super::Smmalloc::new();
    if super::Smmalloc::has_address_space() {
        crate::subject::conformance::conforms(&SUBJECT);
    } else {
        eprintln!("skipped: this process may not map the 70 TB that smmalloc needs");
    }
}

/// Crates that state no version have it as a constant here: it must be the locked one.
#[test]
fn versions_are_those_of_the_lock_file() {
    let stated: &[(&str, &str)] = &[
        #[cfg(feature = "strata-segregated")]
        ("strata-segregated", super::strata_segregated::VERSION),
        #[cfg(feature = "strata-page-frame")]
        ("strata-page-frame", super::strata_page_frame::VERSION),
        #[cfg(feature = "strata-page-frame")]
        ("strata-page-frame", crate::frames::PAGE_FRAME_VERSION),
        #[cfg(feature = "strata-segment")]
        ("strata-segment", super::strata_segment::VERSION),
        #[cfg(feature = "strata-segment")]
        ("strata-segment", crate::regions::SEGMENT_VERSION),
        #[cfg(feature = "strata-pool")]
        ("strata-pool", super::strata_pool::VERSION),
        #[cfg(feature = "buddy_system_allocator")]
        ("buddy_system_allocator", crate::frames::BUDDY_VERSION),
        #[cfg(feature = "linked_list_allocator")]
        ("linked_list_allocator", crate::regions::LINKED_LIST_VERSION),
        #[cfg(feature = "offset-allocator")]
        ("offset-allocator", crate::regions::OFFSETS_VERSION),
        #[cfg(feature = "smmalloc")]
        ("smmalloc", super::smmalloc::VERSION),
        #[cfg(feature = "talc")]
        ("talc", super::talc::VERSION),
        #[cfg(feature = "rlsf")]
        ("rlsf", super::rlsf::VERSION),
        #[cfg(feature = "dlmalloc")]
        ("dlmalloc", super::dlmalloc::VERSION),
        #[cfg(feature = "snmalloc")]
        ("snmalloc-rs", super::snmalloc::VERSION),
        #[cfg(feature = "rpmalloc")]
        ("rpmalloc-sys", super::rpmalloc::VERSION),
    ];
    let crate_folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    // In the workspace above the crate, in a published package beside its manifest.
    let lock = [crate_folder.join("../Cargo.lock"), crate_folder.join("Cargo.lock")]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .expect("Cargo.lock is committed");
    for (name, version) in stated.iter().chain(crate::pools::VERSIONS) {
        let head = format!("name = \"{name}\"\nversion = \"");
        let (_, rest) = lock.split_once(&head).unwrap_or_else(|| panic!("{name} is not locked"));
        let locked = rest.split('"').next().unwrap_or_default();
        // What follows a plus is the commit of the sources, where the constant leaves it out.
        let short = locked.split('+').next().unwrap_or_default();
        assert!(*version == locked || *version == short, "{name}: {version}, locked {locked}");
    }
}
