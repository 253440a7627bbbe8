//! What every page of a command has around its own sections.

use crate::results::Header;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The head of a page: its title, and its style with what is the page's own.
pub(crate) fn head(title: &str, style: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · strata-bench" }
            link rel="icon" href="data:,";
            style { (PreEscaped(include_str!("style.css"))) (PreEscaped(style)) }
        }
    }
}

/// How to read a page, as it is known to people who have the sources: a page is passed on alone.
pub(crate) fn reading() -> Markup {
    html! {
        details id="reading" {
            summary { "How to read this" }
            pre style="white-space:pre-wrap" { (include_str!("../../READING.md")) }
        }
    }
}

/// A page: what it is called, what it says first, its sections.
pub(crate) struct Page<'a> {
    pub(crate) title: &'a str,
    /// Below the title.
    pub(crate) lead: Markup,
    /// Sections that links lead to, by their `id`, which is what they are called too.
    pub(crate) sections: &'a [&'a str],
    pub(crate) body: Markup,
}

impl Page<'_> {
    /// One file that needs nothing else; where it comes from is told at its end.
    pub(crate) fn html(&self, header: &Header) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                (head(self.title, ""))
                body {
                    header {
                        h1 { (self.title) }
                        (self.lead)
                    }
                    nav aria-label="Sections" { div {
                        @for name in self.sections { a href=(format!("#{name}")) { (name) } }
                        a href="#provenance" { "provenance" }
                        a href="#reading" { "how to read this" }
                    } }
                    main {
                        (self.body)
                        h2 id="provenance" { "Provenance" }
                        p { "The command that repeats this run:" }
                        pre { (header.command) }
                        dl.facts { @for (name, value) in &header.provenance { dt { (name) } dd { (value) } } }
                        (reading())
                    }
                    footer { "strata-bench " (header.version) " · " (header.schema) " · this file needs no network" }
                }
            }
        }
        .into_string()
    }
}
