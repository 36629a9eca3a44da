use std::{fmt, time::Duration};

use super::CodecReport;

impl fmt::Display for CodecReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = if self.samples == 1 { "value" } else { "values" };
        writeln!(f, "{} {values}; means of one", self.samples)?;
        write!(
            f,
            "{:<12} {:<8} {:>10} {:>10} {:>10}",
            "serializer", "compress", "bytes", "encode", "decode"
        )?;
        for row in &self.rows {
            write!(f, "\n{:<12} {:<8} ", row.serializer, row.compressor)?;
            match &row.cost {
                Ok(cost) => {
                    let [encode, decode] = [cost.encode, cost.decode].map(time);
                    write!(f, "{:>10.0} {encode:>10} {decode:>10}", cost.bytes)?;
                }
                Err(error) => write!(f, "{error}")?,
            }
        }
        Ok(())
    }
}

/// In the unit that leaves one to three digits before the point.
pub(super) fn time(span: Duration) -> String {
    let nanos = span.as_secs_f64() * 1e9;
    match nanos {
        0.0..1e3 => format!("{nanos:.0} ns"),
        1e3..1e6 => format!("{:.1} us", nanos / 1e3),
        _ => format!("{:.1} ms", nanos / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_unit_that_suits_it() {
        let shown = [45, 1_300, 6_700_000].map(|nanos| time(Duration::from_nanos(nanos)));
        assert_eq!(shown, ["45 ns", "1.3 us", "6.7 ms"]);
    }
}
