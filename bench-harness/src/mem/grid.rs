//! Columns of text that fit a width: the least telling ones give way, then names are cut.

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    /// Which columns give way first where the width is short: the greatest number; 0 never does.
    pub(super) yields: u8,
    /// Words stand left, figures right.
    pub(super) words: bool,
}

impl Column {
    pub(super) const fn figure(head: &'static str, yields: u8) -> Self {
        Self { head, yields, words: false }
    }

    pub(super) const fn words(head: &'static str, yields: u8) -> Self {
        Self { head, yields, words: true }
    }
}

const GAP: usize = 2;

/// Lines of a table at most `width` characters wide; the last column is cut where it does not fit.
pub(super) fn table(columns: &[Column], rows: &[Vec<String>], width: usize) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let wide = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([columns[column].head.chars().count()]).max().unwrap_or(0)
    };
    let last = columns.len() - 1;
    // A name is worth this many characters before a column gives way to it.
    let needed = |column: usize| {
        if column == last && columns[last].words { wide(column).min(12) } else { wide(column) }
    };
    while kept.iter().map(|&column| needed(column) + GAP).sum::<usize>() > width + GAP {
        let most = kept.iter().copied().max_by_key(|&column| columns[column].yields);
        match most.filter(|&column| columns[column].yields > 0) {
            Some(column) => kept.retain(|&other| other != column),
            None => break,
        }
    }
    let mut text = String::new();
    let heads: Vec<String> = columns.iter().map(|column| column.head.to_owned()).collect();
    for row in std::iter::once(&heads).chain(&rows) {
        let mut line = String::new();
        for &column in &kept {
            let cell = row.get(column).map_or("", String::as_str);
            let room = wide(column);
            if !line.is_empty() {
                line.push_str("  ");
            }
            if columns[column].words {
                line.push_str(&format!("{cell:<room$}"));
            } else {
                line.push_str(&format!("{cell:>room$}"));
            }
        }
        text.push_str(&cut(line.trim_end(), width));
        text.push('\n');
    }
    text
}

/// Names with figures, as many beside one another as fit.
pub(super) fn facts(facts: &[(&str, String)], width: usize) -> String {
    let name = facts.iter().map(|fact| fact.0.chars().count()).max().unwrap_or(0);
    let value = facts.iter().map(|fact| fact.1.chars().count()).max().unwrap_or(0);
    let cell = name + 1 + value;
    let across = ((width + 3) / (cell + 3)).clamp(1, facts.len().max(1));
    let mut text = String::new();
    // In columns, so that what belongs together stands together at every width.
    let down = facts.len().div_ceil(across);
    for line in 0..down {
        let cells: Vec<String> = (0..across)
            .filter_map(|column| facts.get(column * down + line))
            .map(|(named, figure)| format!("{named:<name$} {figure:>value$}"))
            .collect();
        text.push_str(&cut(&cells.join("   "), width));
        text.push('\n');
    }
    text
}

/// Words that fill lines of a width.
pub(super) fn filled(words: &str, width: usize) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for word in clean(words).split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            text.push_str(&cut(&line, width));
            text.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    text.push_str(&cut(&line, width));
    text.push('\n');
    text
}

/// At most `width` characters, the last one telling that there were more.
pub(super) fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A program may call itself what it likes: nothing of it may move a terminal's cursor.
pub(super) fn clean(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Shares as parts of a bar of `width` characters, each by its own letter. What is there gets a
/// character at least, as long as there are enough of them.
pub(super) fn bar(parts: &[(u64, char)], width: usize) -> String {
    let total: u64 = parts.iter().map(|part| part.0).sum();
    if total == 0 || width == 0 {
        return "·".repeat(width);
    }
    let mut cells: Vec<usize> = parts
        .iter()
        .map(|&(bytes, _)| {
            let exact = (u128::from(bytes) * width as u128 / u128::from(total)) as usize;
            exact.max(usize::from(bytes > 0))
        })
        .collect();
    // Rounding is settled with the greatest part, which shows it least.
    let sum: usize = cells.iter().sum();
    if let Some(most) = cells.iter_mut().max() {
        *most = (*most + width).saturating_sub(sum);
    }
    let text: String = cells
        .iter()
        .zip(parts)
        .flat_map(|(&cells, part)| std::iter::repeat_n(part.1, cells))
        .collect();
    cut(&text, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::figure("Address", 0),
        Column::figure("RSS", 1),
        Column::figure("Dirty", 2),
        Column::words("Mapping", 0),
    ];

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        vec![
            row(["00007f6f3aa40000", "123456", "120000", "a library with a long name.so.6"]),
            row(["0000000000400000", "4", "0", "x\u{1b}[2J"]),
        ]
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        for width in 18..100 {
            let text = table(&COLUMNS, &rows(), width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
            assert!(text.contains("Address"), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
        let wide = table(&COLUMNS, &rows(), 200);
        assert!(wide.contains("a library with a long name.so.6\n"), "{wide}");
        let narrow = table(&COLUMNS, &rows(), 40);
        assert!(narrow.contains("RSS") && !narrow.contains("Dirty"), "{narrow}");
        assert!(narrow.contains('…'), "{narrow}");
    }

    #[test]
    fn facts_stand_in_as_many_columns_as_fit() {
        let facts_of =
            [("rss", "1".to_owned()), ("heapTotal", "22".into()), ("external", "3".into())];
        assert_eq!(facts(&facts_of, 12).lines().count(), 3);
        assert_eq!(facts(&facts_of, 40).lines().count(), 2);
        assert_eq!(facts(&facts_of, 42).lines().count(), 1);
        assert_eq!(filled("one two three", 7), "one two\nthree\n");
    }

    #[test]
    fn a_bar_is_as_long_as_asked_for_and_shows_what_is_there() {
        assert_eq!(bar(&[(50, 'a'), (50, 'b')], 4), "aabb");
        assert_eq!(bar(&[(1, 'a'), (1_000_000, 'b'), (0, 'c'), (1, 'd')], 6), "abbbbd");
        assert_eq!(bar(&[(u64::MAX / 4, 'a'), (u64::MAX / 4, 'b')], 3).chars().count(), 3);
        assert_eq!(bar(&[(0, 'a')], 3), "···");
        assert_eq!(bar(&[(1, 'a'), (1, 'b'), (1, 'c')], 2).chars().count(), 2);
        assert_eq!(bar(&[(1, 'a')], 0), "");
    }
}
