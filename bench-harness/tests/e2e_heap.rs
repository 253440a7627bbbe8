//! `heap`: the page and the picture are of the report that a heap wrote, and what is none is refused.

mod common;

use common::Place;
use std::process::Stdio;

/// The report of a heap with two classes, a third of the larger ones freed.
const SAMPLE: &str = r#"{"stats":{"requested":null,"allocated":1460000,"active":2101248,"purged":65536,"cached":40960,
"metadata":131072,"committed":2207744,"reserved":8388608},"internal_fragmentation":null,"external_fragmentation":0.25,
"holes":480000,"idle_frames":40960,"budget":1048576,"learned":0,"given_back":{"purges":3,"purged":65536},
"large":{"runs":2,"run_bytes":400000,"chunks":0,"chunk_bytes":0,"slotted":100000,"spare":0},"classes":[
{"block_len":64,"spans":4,"capacity":4096,"taken":2600,"stocked":100,"occupancy":[0,0,1,0,0,0,1,0,1,1],
"holes":80000,"idle":8192,"untouched":65536},
{"block_len":1024,"spans":20,"capacity":1280,"taken":1000,"stocked":0,"occupancy":[0,0,0,0,0,0,0,20,0,0],
"holes":400000,"idle":0,"untouched":0}]}"#;

fn with(sample: &str) -> Place {
    let place = Place::new();
    std::fs::write(place.path().join("shop.json"), sample).unwrap();
    place
}

fn read(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.path().join(name)).unwrap()
}

/// Tags that are opened are closed, in order; none needs the network.
fn is_sound(text: &str) {
    for outside in ["http:", "https:", "src=", "url(", "@import", "<script", "<iframe"] {
        assert!(!text.replace("http://www.w3.org/2000/svg", "").contains(outside), "{outside}");
    }
    let mut open = Vec::new();
    for tag in text.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        let name = tag.split(|c: char| c.is_whitespace()).next().unwrap();
        let is_alone = tag.ends_with('/') || ["meta", "link", "!DOCTYPE"].contains(&name);
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if !is_alone => open.push(name),
            None => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_page_begins_with_what_matters() {
    let place = with(SAMPLE);
    let ended = place.run(["heap", "shop.json"]).fine();
    assert_eq!(ended.stdout, "wrote heap.html\n");
    let page = read(&place, "heap.html");
    is_sound(&page);
    let first = page.split("<main>").next().unwrap();
    for words in [
        "<h1>shop</h1>",
        "1.39 MiB in 3\u{202f}502 live blocks",
        "holes: 469 KiB, of which 391 KiB lie beside blocks of 1.00 KiB",
        "<b>1.51</b><span>bytes for a live one",
        "<b>28.7%</b><span>external fragmentation",
        "<b>n/a</b><span>internal fragmentation",
        "color-scheme\" content=\"light dark",
    ] {
        assert!(first.contains(words), "{words} in {first}");
    }
    assert!(page.contains("<svg class=\"hv\"") && page.contains("prefers-color-scheme:dark"));
    assert!(page.contains("64.0 KiB in 3 purges") && page.contains("strata-bench heap shop.json"));
    assert_eq!(place.left_behind(), ["heap.html", "shop.json"]);
}

#[test]
fn a_picture_has_a_line_a_class_and_the_large_blocks() {
    let place = with(SAMPLE);
    let words = ["heap", "shop.json", "--out", "shop.svg", "--title", "the <shop>"];
    place.run(words).fine();
    let picture = read(&place, "shop.svg");
    is_sound(&picture);
    assert!(
        picture.starts_with("<svg class=\"hv\" xmlns=") && picture.contains("the &lt;shop&gt;")
    );
    for words in [
        "64 B",
        "1.00 KiB",
        "large, to 1 MiB",
        "2\u{202f}500 · 4 · 78.1 KiB",
        "20 spans, to 80% taken",
    ] {
        assert!(picture.contains(words), "{words} in {picture}");
    }
    assert!(!picture.contains("large, above"));
}

#[test]
fn a_report_may_come_by_standard_input_and_be_empty_of_blocks() {
    let place = with(SAMPLE);
    let empty =
        SAMPLE.split("\"classes\"").next().unwrap().replace("400000", "0").replace("100000", "0")
            + "\"classes\":[]}";
    std::fs::write(place.path().join("empty.json"), empty.replace("1460000", "0")).unwrap();
    let file = std::fs::File::open(place.path().join("empty.json")).unwrap();
    let mut command = place.command(common::executable());
    let ended = command.args(["heap", "-", "-o", "to.html"]).stdin(Stdio::from(file)).output();
    assert_eq!(ended.unwrap().status.code(), Some(0));
    let page = read(&place, "to.html");
    is_sound(&page);
    assert!(page.contains("No class has a span.") && page.contains("<h1>heap</h1>"));
}

#[test]
fn what_is_no_report_is_refused_in_one_line_and_nothing_is_written() {
    for (sample, words) in [
        ("", ["shop.json", "empty"]),
        ("{", ["shop.json", "no heap report"]),
        ("{}", ["shop.json", "missing field `stats`"]),
        ("[1, 2]", ["shop.json", "no heap report"]),
        (&SAMPLE.replace("\"taken\":1000", "\"taken\":-1"), ["shop.json", "no heap report"]),
        (&SAMPLE.replace("\"taken\":1000", "\"taken\":1281"), ["1024 B", "more blocks taken"]),
        (&SAMPLE.replace("\"stocked\":100", "\"stocked\":2601"), ["64 B", "in stocks"]),
        (&SAMPLE.replace("0,20,0,0]", "0,19,0,0]"), ["1024 B", "occupancy"]),
        (&SAMPLE.replace("0,20,0,0]", "0,20,0]"), ["shop.json", "no heap report"]),
        (&SAMPLE.replace("\"block_len\":64", "\"block_len\":0"), ["class of 0 B", "no bytes"]),
        (
            &SAMPLE.replace("\"holes\":80000", "\"holes\":18446744073709551615"),
            ["64 B", "more than"],
        ),
        (
            &SAMPLE.replace("\"capacity\":4096", "\"capacity\":9007199254740992000"),
            ["64 B", "more than"],
        ),
        (&SAMPLE.replace("\"slotted\":100000", "\"slotted\":500000"), ["contradicts", "slots"]),
        (&(SAMPLE.to_owned() + SAMPLE), ["shop.json", "trailing"]),
    ] {
        let place = with(sample);
        let ended = place.run(["heap", "shop.json"]);
        ended.refused(2, &words);
        assert_eq!((ended.stdout.as_str(), place.left_behind()), ("", vec!["shop.json".into()]));
    }
    let place = with(SAMPLE);
    place.run(["heap", "nowhere.json"]).refused(2, &["nowhere.json"]);
    place.run(["heap", "shop.json", "--out", "."]).refused(2, &["cannot write .", "folder"]);
    place.run(["heap", "shop.json", "--out", "no/where.svg"]).refused(2, &["no/where.svg"]);
    place.run(["heap", "."]).refused(2, &["cannot read ."]);
    assert_eq!(place.left_behind(), ["shop.json"]);
}

/// What the allocator writes today is what is read here.
#[cfg(feature = "strata-segregated")]
#[test]
fn the_report_of_a_real_heap_is_drawn() {
    use std::alloc::Layout;
    use std::mem::MaybeUninit;
    use strata_bench::heap_report::HeapReport;
    use strata_core::source::{Locked, Region};
    use strata_segregated::Heap;

    let mut buffer = vec![MaybeUninit::<u8>::uninit(); 4 << 20];
    let heap: Heap<_> = Heap::new(Locked::new(Region::new(&mut buffer)));
    let small = Layout::new::<[u8; 64]>();
    let blocks: Vec<_> = (0..1000).map(|_| heap.allocate(small).unwrap()).collect();
    heap.allocate(Layout::new::<[u8; 200_000]>()).unwrap();
    for block in blocks.iter().step_by(2) {
        // SAFETY: 1. allocated above, freed once.
        unsafe { heap.deallocate(*block, small) };
    }
    let told = heap.report();
    let place = with(&told.json().to_string());
    place.run(["heap", "shop.json", "--out", "real.html"]).fine();
    is_sound(&read(&place, "real.html"));
    let report = HeapReport::read(&place.path().join("shop.json")).unwrap();
    assert_eq!((report.live_blocks(), report.holes()), (501, told.holes().get() as u64));
    assert_eq!(Some(report.live_bytes()), told.stats.allocated.map(|bytes| bytes.get() as u64));
    assert_eq!(report.external_fragmentation(), told.external_fragmentation());
    assert_eq!(report.classes.len(), 1);
}
