//! From figures to places on a picture.

/// A number of a drawing, as short as a tenth of a unit allows.
pub(crate) fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A logarithmic axis from `low` to `high` over `from..to`.
#[derive(Clone, Copy)]
pub(super) struct Log {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Log {
    /// The place of `value`, held within the axis.
    pub(super) fn place(&self, value: f64) -> f64 {
        let span = (self.high / self.low).ln();
        let part = if span > 0.0 { (value / self.low).ln() / span } else { 0.5 };
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values within the axis: the fewer decades, the more of each.
    pub(super) fn marks(&self) -> Vec<f64> {
        let factors: &[f64] = match self.high / self.low {
            narrow if narrow < 8.0 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
            _ => &[1.0, 2.0, 5.0],
        };
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        (first..=last)
            .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)))
            .filter(|value| (self.low * 0.999..=self.high * 1.001).contains(value))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(-0.04), "0");
        assert_eq!(short(12.34), "12.3");
    }

    #[test]
    fn logarithmic_places() {
        let axis = Log { low: 1.0, high: 100.0, from: 0.0, to: 10.0 };
        assert!((axis.place(10.0) - 5.0).abs() < 1e-12);
        assert_eq!(axis.place(0.0), 0.0);
        assert_eq!(axis.marks(), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
    }
}
