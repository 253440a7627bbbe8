//! The HTML report and the heap map.

mod report_sample;

use std::sync::LazyLock;
use strata_bench::report::{LIMIT, heapmap::heap_map_svg, html};
use strata_bench::results::{Outcome, Row};

/// The report of the sample rows, made once.
fn sample() -> &'static str {
    static PAGE: LazyLock<String> =
        LazyLock::new(|| html(&report_sample::header(), &report_sample::rows()));
    &PAGE
}

#[test]
fn it_is_below_the_limit_and_needs_nothing_else() {
    let page = sample();
    assert!(page.len() < LIMIT, "{} bytes", page.len());
    assert!(page.len() > LIMIT / 10, "the sample is a full one");
    for outside in ["http:", "https:", "src=", "url(", "@import", "//cdn", "<iframe", "<object"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for reference in page.split("href=\"").skip(1) {
        assert!(
            reference.starts_with('#') || reference.starts_with("data:"),
            "{}",
            &reference[..40]
        );
    }
}

#[test]
fn every_section_is_there() {
    let page = sample();
    for id in [
        "summary",
        "memory",
        "time",
        "workloads",
        "outcomes",
        "provenance",
        "definitions",
        "reading",
    ] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "{id}");
    }
    for words in [
        "strata-bench run --suite std --seed 7 --out results/std",
        "Linux 6.18.5",
        "Heap maps",
        "after 1000 small pairs",
        "Latency",
        "signal 11 (SIGSEGV)",
        "Overlap: block 0x7f21_8000_1010",
        "its fixed region of 64 MiB is too small",
        "usable bytes of live blocks",
        "left out to keep this file under 3 MB",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(page.matches("<details id=\"w").count(), 17);
}

#[test]
fn markup_is_balanced() {
    let page = sample();
    for name in ["div", "table", "tr", "td", "svg", "path", "details", "span", "figure", "text"] {
        let opened =
            page.matches(&format!("<{name}>")).count() + page.matches(&format!("<{name} ")).count();
        assert_eq!(opened, page.matches(&format!("</{name}>")).count(), "{name}");
    }
    for wrong in [">NaN", "\"NaN", " NaN", ">inf<", " inf\"", "\"inf", ">-0<"] {
        assert!(!page.contains(wrong), "only figures are printed: {wrong}");
    }
}

#[test]
fn a_file_that_would_be_too_large_loses_parts_and_says_so() {
    let mut rows = report_sample::rows();
    let more: Vec<Row> = (0..2)
        .flat_map(|copy| {
            rows.iter().cloned().map(move |mut row| {
                row.workload.name = format!("{}-{copy}", row.workload.name);
                row
            })
        })
        .collect();
    rows.extend(more);
    let page = html(&report_sample::header(), &rows);
    assert!(page.len() < LIMIT, "{} bytes", page.len());
    assert!(page.contains("Latencies are left out"));
}

#[test]
fn what_is_absent_reads_so() {
    let mut rows = report_sample::rows();
    rows.retain(|row| row.subject.name == "talc" && row.workload.name == "pair");
    for row in &mut rows {
        (row.time, row.memory, row.instructions) = (None, None, None);
        row.latency.clear();
        row.outcome = Outcome::Ok;
    }
    let page = html(&report_sample::header(), &rows);
    let figures = page.split("<main>").nth(1).unwrap().split("id=\"provenance\"").next().unwrap();
    assert!(figures.matches("n/a").count() >= 16, "{}", figures.matches("n/a").count());
    for zero in [">0<", ">0.0<", ">0.00<", "0 B<"] {
        assert!(!figures.contains(zero), "{zero}");
    }
}

#[test]
fn what_does_not_repeat_is_named() {
    let page = html(&report_sample::header(), &report_sample::rows());
    let notes: Vec<&str> = page.split("<p class=\"note\">").skip(1).collect();
    let differing: Vec<&&str> =
        notes.iter().filter(|note| note.contains("the memory passes differ")).collect();
    assert!(!differing.is_empty());
    assert!(differing.iter().all(|note| note.starts_with("talc")), "{differing:?}");
}

#[test]
fn nothing_at_all_is_still_a_page() {
    let page = html(&report_sample::header(), &[]);
    assert!(page.contains("0 allocators on 0 workloads"));
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "</script><img src=x onerror=alert(1)>\"'&";
    let mut rows = report_sample::rows();
    rows.truncate(18);
    for row in &mut rows {
        row.workload.name = hostile.to_owned();
        row.subject.version = hostile.to_owned();
        row.subject.purge_settings = hostile.to_owned();
        row.profile = hostile.to_owned();
    }
    rows[1].subject.name = hostile.to_owned();
    rows[2].outcome = Outcome::Crashed { how: hostile.to_owned(), record: None };
    let mut header = report_sample::header();
    header.command = hostile.to_owned();
    header.provenance.push((hostile.to_owned(), hostile.to_owned()));
    let page = html(&header, &rows);
    assert!(!page.contains("<img"), "{}", page.find("<img").unwrap());
    assert_eq!(page.matches("</script>").count(), 1);
    let (map, at) = report_sample::large_map(2);
    let picture = heap_map_svg(hostile, hostile, &map, &at, 4096);
    assert!(!picture.contains("<img") && picture.contains("&lt;img"));
}

#[test]
fn a_heap_of_a_hundred_tiles_is_one_modest_picture() {
    let (map, at) = report_sample::large_map(100);
    let picture = heap_map_svg("jemalloc on rustc-frontend", "at the peak", &map, &at, 4096);
    assert!(picture.len() < 2_000_000, "{} bytes", picture.len());
    assert_eq!(picture.matches("class=\"outline").count(), 100);
    assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    assert!(picture.contains("of addresses not mapped"));
    let empty = heap_map_svg("x", "y", &Default::default(), &Default::default(), 4096);
    assert!(empty.contains("No page of the heap is resident."));
}

#[test]
#[ignore = "writes the pictures to look at into the folder that STRATA_REPORT_SAMPLE names"]
fn write() {
    let folder = std::path::PathBuf::from(std::env::var_os("STRATA_REPORT_SAMPLE").unwrap());
    std::fs::write(folder.join("report.html"), sample()).unwrap();
    for tiles in [5, 20, 100] {
        let (map, at) = report_sample::large_map(tiles);
        let picture = heap_map_svg(
            "mimalloc-v3 on rustc-frontend",
            "at the peak of live bytes, record 3 611 904",
            &map,
            &at,
            4096,
        );
        std::fs::write(folder.join(format!("map-{tiles}.svg")), picture).unwrap();
    }
}
