//! The page: what every program made of every allocator, as pictures and as tables.

use super::Program;
use super::row::Row;
use crate::footprint::{Figure, Limit};
use crate::report::page::Page;
use crate::report::scale::short;
use crate::results::{Header, words};
use maud::{Markup, html};

/// A picture: its width, where its bars begin and end, how high a line of it is.
const WIDTH: f64 = 268.0;
const FROM: f64 = 104.0;
const TO: f64 = 222.0;
const LINE: f64 = 15.0;

/// The whole page.
pub(crate) fn html(header: &Header, rows: &[Row]) -> String {
    let groups: Vec<&[Row]> = rows.chunk_by(|a, b| a.program == b.program).collect();
    let live = rows.first().map_or(0, |row| row.live as u64);
    let mut sections = vec!["summary"];
    sections.extend(groups.iter().map(|rows| rows[0].program.name()));
    let page = Page {
        title: "Adversaries",
        lead: html! {
            p { "Small programs that look at the addresses which they get and free what hurts most, each on "
                "each allocator in a process of its own, with " (words::bytes(live)) " live at most. "
                (header.date) }
        },
        sections: &sections,
        body: html! {
            h2 id="summary" { "Summary" }
            p.note { "One figure of each program; the sections below have all. The best of a column in bold." }
            (summary(&groups))
            @for rows in &groups { (section(rows)) }
        },
    };
    page.html(header)
}

/// Which way a program's figures are good.
fn longer_is_better(program: Program) -> bool {
    program == Program::Fill
}

/// The figure that stands for a program, and what it is called in the summary.
fn headline(row: &Row) -> Option<(String, &Figure)> {
    let all = &row.figures;
    let named = |figure: &Figure| figure.name.clone();
    match row.program {
        Program::Robson => all.iter().rfind(|figure| figure.limit.is_some()).map(|f| (named(f), f)),
        Program::Phase => {
            let worst = all.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
            worst.map(|figure| ("worst".into(), figure))
        }
        Program::Checkerboard => all.last().map(|f| (named(f), f)),
        Program::Fill => all.get(1).map(|f| (named(f), f)),
        Program::Idle => all.iter().rev().nth(1).map(|f| (named(f), f)),
    }
}

fn value(figure: &Figure) -> f64 {
    figure.value.unwrap_or(f64::NEG_INFINITY)
}

/// A line an allocator, a column a program.
fn summary(groups: &[&[Row]]) -> Markup {
    let mut labels: Vec<String> = Vec::new();
    for row in groups.iter().copied().flatten() {
        if !labels.contains(&row.label()) {
            labels.push(row.label());
        }
    }
    let head = |rows: &[Row]| rows.iter().find_map(headline).map(|(name, _)| name);
    let best = |rows: &[Row]| {
        let values = rows.iter().filter(|row| !row.subject.calibration);
        let values = values.filter_map(|row| headline(row)?.1.value);
        let better = longer_is_better(rows[0].program);
        values.reduce(if better { f64::max } else { f64::min })
    };
    html! {
        div.scroll tabindex="0" role="region" aria-label="Summary, a line an allocator" { table {
            thead { tr {
                th.words scope="col" { "allocator" }
                @for rows in groups { th scope="col" {
                    (rows[0].program.name()) br; small { (head(rows).unwrap_or_default()) }
                } }
            } }
            tbody { @for label in &labels { tr {
                th.words scope="row" { (label) }
                @for rows in groups {
                    @let row = rows.iter().find(|row| row.label() == *label);
                    td { @match row.and_then(headline) {
                        Some((_, figure)) if figure.value.is_some() && figure.value == best(rows) => { b { (figure.shown()) } },
                        Some((_, figure)) => { (figure.shown()) },
                        None => { span.bad { @if row.is_some() { "failed" } @else { (words::ABSENT) } } },
                    } }
                }
            } } }
        } }
    }
}

fn section(rows: &[Row]) -> Markup {
    let program = rows[0].program;
    let limited = rows.iter().flat_map(|row| &row.figures).any(|figure| figure.limit.is_some());
    let most = most(rows);
    html! {
        h2 id=(program.name()) { (program.name()) }
        p.note { (program.explain()) }
        div.key {
            span { @if longer_is_better(program) { "longer is better" } @else { "shorter is better" } }
            @if limited {
                span { i.live {} "pages that ever held a block" } span { i.rounding {} "resident" }
                span { i.line {} "the bound of whoever does not move blocks" }
            }
            span { "one scale for all" }
        }
        div.maps { @for row in rows { figure {
            figcaption { b { (row.label()) } span { (row.subject.version) } }
            (picture(row, most, limited))
        } } }
        (table(rows))
    }
}

/// What the scale ends with: the most of any allocator, and of calibration too where that is little more;
/// else its bars are cut off.
fn most(rows: &[Row]) -> f64 {
    let of = |calibration: bool| {
        let rows = rows.iter().filter(move |row| calibration || !row.subject.calibration);
        let ends = rows.flat_map(|row| &row.figures).flat_map(|f| [f.value, bound(f)]);
        ends.flatten().reduce(f64::max).filter(|&most| most > 0.0)
    };
    let all = of(true).unwrap_or(1.0);
    of(false).filter(|most| all > most * 1.1).unwrap_or(all)
}

fn bound(figure: &Figure) -> Option<f64> {
    match figure.limit? {
        Limit::AtMost(value) | Limit::AtLeast(value) => Some(value),
    }
}

/// A bar a figure.
fn picture(row: &Row, most: f64, limited: bool) -> Markup {
    let lines = row.figures.len().max(1) as f64;
    let place = |value: f64| FROM + (value / most).clamp(0.0, 1.0) * (TO - FROM);
    let told: Vec<String> =
        row.figures.iter().map(|f| format!("{} {}", f.name, f.shown())).collect();
    let told = format!("{} on {}: {}", row.label(), row.program.name(), told.join(", "));
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", short(lines * LINE + 2.0))) role="img" aria-label=(told) {
            @for (index, figure) in row.figures.iter().enumerate() {
                @let top = index as f64 * LINE;
                @let class = if limited && figure.limit.is_none() { "rounding" } else { "live" };
                text x=(short(FROM - 6.0)) y=(short(top + 10.5)) text-anchor="end" { (figure.name) }
                path.hair d=(format!("M{} {}V{}", short(FROM), short(top), short(top + LINE))) {}
                @if let Some(value) = figure.value {
                    rect class=(class) x=(short(FROM)) y=(short(top + 2.5)) width=(short(place(value) - FROM)) height="10" {}
                    @if value > most {
                        @let at = format!("M{} {}l5 -14M{} {0}l5 -14", short(TO - 16.0), short(top + 14.5), short(TO - 10.0));
                        path.halo stroke-width="2.5" d=(at) {}
                    }
                }
                @if let Some(bound) = bound(figure) {
                    path.ink stroke-width="2" d=(format!("M{} {}v14", short(place(bound)), short(top + 0.5))) {}
                }
                text.strong x=(short(WIDTH)) y=(short(top + 10.5)) text-anchor="end" { (figure.shown()) }
            }
            @if row.failed.is_some() { text style="fill:var(--alarm)" x=(short(FROM)) y=(short((lines - 1.0) * LINE + 10.5)) { "failed" } }
        }
    }
}

fn table(rows: &[Row]) -> Markup {
    let full = rows.iter().max_by_key(|row| row.figures.len());
    let heads = full.map_or(&[][..], |row| &row.figures);
    html! {
        details.inner {
            summary { "the numbers" }
            div { div.scroll tabindex="0" role="region" aria-label=(format!("Figures of {}", rows[0].program.name())) { table {
                thead { tr {
                    th.words scope="col" { "allocator" }
                    @for figure in heads { th scope="col" {
                        (figure.name) @if !figure.gate().is_empty() { br; small { (figure.gate()) } }
                    } }
                } }
                tbody { @for row in rows { tr {
                    th.words scope="row" { (row.label()) }
                    @for figure in &row.figures { td { (figure.shown()) } }
                    @if let Some(how) = &row.failed { td.words { span.bad { (how) } } }
                } } }
            } } }
        }
    }
}
