//! The gallery: an index and a picture for each workload, small and whole.

mod common;
mod report_sample;

use common::Place;
use strata_bench::report::gallery;
use strata_bench::results::Mode;

#[test]
fn every_workload_has_a_picture_that_the_index_shows() {
    let (header, mut rows) = (report_sample::header(), report_sample::rows());
    rows[0].mode = Mode::Explicit;
    let files = gallery::files(std::slice::from_ref(&header), &rows);
    let (index, pictures) = files.split_first().expect("an index");
    assert_eq!(index.name, "README.md");
    assert!(index.text.contains(&header.command));
    assert!(files.iter().all(|file| file.text.len() < 500_000));
    for picture in pictures {
        assert!(index.text.contains(&format!("]({})", picture.name)), "{}", picture.name);
        let text = &picture.text;
        assert!(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\""));
        assert!(text.contains("<title>") && text.contains("<desc>") && text.ends_with("</svg>"));
        // A picture's bytes as text may spell anything.
        let drawn: String =
            text.split("base64,").map(|part| part.split_once('"').map_or(part, |p| p.1)).collect();
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{}", picture.name);
        for reference in text.split("href=\"").skip(1) {
            assert!(reference.starts_with("data:"), "{}", picture.name);
        }
        // Nobody is shown whom no program would use.
        assert!(!text.contains(">noop<") && !text.contains(">ideal<"), "{}", picture.name);
    }
    assert!(gallery::files(&[header], &[]).is_empty());
}

#[test]
fn the_command_measures_and_draws() {
    let place = Place::new();
    let words = "gallery --alloc strata-segregated --workload xml-xpath --out pictures";
    let said = place.run(words.split(' ')).fine().stdout;
    assert!(said.contains("1 pictures beside it"), "{said}");
    let read = |name: &str| std::fs::read_to_string(place.path().join("pictures").join(name));
    let index = read("README.md").unwrap();
    assert!(index.contains("strata-bench gallery --alloc strata-segregated"), "{index}");
    assert!(index.contains("| [xml-xpath](xml-xpath.svg) |"), "{index}");
    let picture = read("xml-xpath.svg").unwrap();
    assert!(picture.contains(">system<") && picture.contains(">strata-segregated<"));
    place.run(["gallery", "none.jsonl"]).refused(2, &["none.jsonl"]);
    place.run(["gallery", "--alloc", "nobody"]).refused(2, &["nobody"]);
    assert_eq!(place.left_behind(), ["pictures"]);
}
