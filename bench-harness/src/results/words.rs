//! Figures as people read them; what is absent reads "n/a".

/// How an absent figure reads.
pub(crate) const ABSENT: &str = "n/a";

/// `value` by `show`, or "n/a".
pub(crate) fn or_absent<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| ABSENT.to_owned(), show)
}

/// A ratio: three significant digits up to 1000.
pub(crate) fn ratio(value: f64) -> String {
    match value.abs() {
        v if v < 9.995 => format!("{value:.2}"),
        v if v < 99.95 => format!("{value:.1}"),
        v if v < 9999.5 => format!("{value:.0}"),
        _ => format!("{value:.0e}"),
    }
}

/// A share as percent, without the sign.
pub(crate) fn percent(share: f64) -> String {
    let shown = format!("{:.1}", share * 100.0);
    if shown == "-0.0" { "0.0".to_owned() } else { shown }
}

/// Bytes with a binary unit and three significant digits.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// A difference of bytes, always with its sign.
pub(crate) fn signed_bytes(difference: i128) -> String {
    let magnitude = bytes(u64::try_from(difference.unsigned_abs()).unwrap_or(u64::MAX));
    match difference {
        0 => "0 B".to_owned(),
        d if d > 0 => format!("+{magnitude}"),
        _ => format!("−{magnitude}"),
    }
}

/// Nanoseconds as a bare number.
pub(crate) fn nanos(value: f64) -> String {
    if value < 99.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// A time in the unit that suits it.
pub(crate) fn time(nanos: f64) -> String {
    let (value, unit) = match nanos {
        n if n < 999.5 => (n, "ns"),
        n if n < 999_500.0 => (n / 1e3, "µs"),
        n if n < 999_500_000.0 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let decimals = if unit == "ns" || value >= 99.95 {
        0
    } else if value < 9.995 {
        2
    } else {
        1
    };
    format!("{value:.decimals$} {unit}")
}

/// A count with thin spaces between thousands.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut shown = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(4096), "4.00 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.00 MiB");
        assert_eq!(bytes(123 << 20), "123 MiB");
        assert_eq!(signed_bytes(-4096), "−4.00 KiB");
        assert_eq!(ratio(9.996), "10.0");
        assert_eq!(percent(-0.0001), "0.0");
        assert_eq!(time(999.9), "1.00 µs");
        assert_eq!(time(88_123.0), "88.1 µs");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(or_absent(None, percent), "n/a");
    }
}
