//! The page: a table and the curves of every scenario, in one file that needs nothing else.

use super::row::{Figure, Place, Row};
use super::table::{by_scenario, heads};
use crate::report::page::Page;
use crate::report::scale::short;
use crate::results::{Header, words};
use maud::{Markup, html};

const WIDTH: f64 = 216.0;
const HEIGHT: f64 = 100.0;
const TOP: f64 = 12.0;

/// The whole page.
pub(crate) fn html(header: &Header, rows: &[Row]) -> String {
    let groups = by_scenario(rows);
    let sections: Vec<&str> = groups.iter().map(|(scenario, _)| scenario.name()).collect();
    let page = Page {
        title: "Footprints",
        lead: html! {
            p { "Private dirty bytes of a child that runs one scenario on one allocator, beyond "
                "what system's child has at idle. " (header.date) }
        },
        sections: &sections,
        body: html! { @for (scenario, rows) in &groups {
            h2 id=(scenario.name()) { (scenario.name()) }
            p.note { (scenario.explain()) }
            (table(rows))
            (curves(rows))
        } },
    };
    page.html(header)
}

fn table(rows: &[&Row]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th.words { "allocator" }
                @for (name, gate) in heads(rows) { th { (name) @if !gate.is_empty() { br; small { (gate) } } } }
            } }
            tbody { @for row in rows { tr {
                td.words { (row.label()) " " small { (row.subject.version) } }
                @for figure in &row.figures { (cell(figure)) }
                @if let Some(how) = &row.failed { td.words { span.bad { (how) } } }
            } } }
        } }
    }
}

fn cell(figure: &Figure) -> Markup {
    html! {
        td { @match figure.pass {
            Some(true) => { b { (figure.shown()) } " ✓" },
            Some(false) => { span.bad { (figure.shown()) } " ✗" },
            None => { (figure.shown()) },
        } }
    }
}

/// One small picture a subject, one scale for all.
fn curves(rows: &[&Row]) -> Markup {
    let drawn = || rows.iter().filter(|row| row.curve.len() > 1);
    let places = || drawn().flat_map(|row| &row.curve);
    let most = places().map(|place| place.dirty.max(place.live as i64)).max().unwrap_or(0);
    let most = most.max(1) as f64 * 1.04;
    let last = places().map(|place| place.at).fold(0.0, f64::max);
    html! {
        @if drawn().next().is_some() {
            div.key { span { i.live {} "live" } span { i.kept {} "private dirty" } }
            div.multiples { @for row in drawn() { figure {
                figcaption { b { (row.label()) } span { "to " (end(row, last)) } }
                (picture(&row.curve, most, last))
            } } }
        }
    }
}

fn end(row: &Row, last: f64) -> String {
    format!("{} {}", words::count(last as u64), row.axis)
}

fn picture(curve: &[Place], most: f64, last: f64) -> Markup {
    let x = |place: &Place| place.at / last.max(f64::MIN_POSITIVE) * WIDTH;
    let y = |bytes: f64| TOP + (1.0 - (bytes / most).clamp(0.0, 1.0)) * (HEIGHT - TOP);
    let line = |of: fn(&Place) -> f64| {
        let mut path = String::new();
        for (index, place) in curve.iter().enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            path.push_str(&format!("{letter}{} {}", short(x(place)), short(y(of(place)))));
        }
        path
    };
    let start = curve.first().map_or(0.0, x);
    let end = curve.last().map_or(0.0, x);
    let area = |of| format!("{}L{} {HEIGHT}H{}Z", line(of), short(end), short(start));
    let dirty: fn(&Place) -> f64 = |place| place.dirty as f64;
    let live: fn(&Place) -> f64 = |place| place.live as f64;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", HEIGHT + 4.0)) {
            path.hair d=(format!("M0 {TOP}H{WIDTH}M0 {HEIGHT}H{WIDTH}")) {}
            text x="0" y="9" { (words::bytes(most as u64)) }
            path.a-kept d=(area(dirty)) {}
            path.a-live d=(area(live)) {}
            path.r-line d=(line(dirty)) {}
        }
    }
}
