//! Numbers inside sentences: three digits and a unit, as everywhere on screen.

use std::time::Duration;

/// `41 ms`, `2.1 s`, `2m05`, `3h10`, `2d04`.
pub(super) fn span(d: Duration) -> String {
    let (s, ms) = (d.as_secs(), d.as_millis());
    match s {
        0 => format!("{ms} ms"),
        1..=9 => format!("{:.1} s", (ms / 100) as f64 / 10.0),
        10..=59 => format!("{s} s"),
        60..=3_599 => format!("{}m{:02}", s / 60, s % 60),
        3_600..=86_399 => format!("{}h{:02}", s / 3_600, s % 3_600 / 60),
        _ => format!("{}d{:02}", s / 86_400, s % 86_400 / 3_600),
    }
}

/// `212`, `4.1k`, `31k`, `1.2M`.
pub(super) fn count(n: u64) -> String {
    let short = |n: u64, unit: u64, sign: char| {
        let tenths = n / (unit / 10);
        if tenths < 100 {
            format!("{}.{}{sign}", tenths / 10, tenths % 10)
        } else {
            format!("{}{sign}", n / unit)
        }
    };
    match n {
        0..=999 => n.to_string(),
        1_000..=999_999 => short(n, 1_000, 'k'),
        1_000_000..=999_999_999 => short(n, 1_000_000, 'M'),
        _ => short(n, 1_000_000_000, 'G'),
    }
}

/// `31 %`, `1.2 %`.
pub(super) fn share(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// `1 message`, `3 messages`.
pub(super) fn messages(n: u64) -> String {
    format!("{} {}", count(n), if n == 1 { "message" } else { "messages" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        let ms = Duration::from_millis;
        let spans = [41, 2_149, 12_400, 125_000, 11_400_000, 187_200_000].map(|n| span(ms(n)));
        assert_eq!(spans, ["41 ms", "2.1 s", "12 s", "2m05", "3h10", "2d04"]);
        assert_eq!([212, 4_100, 31_999, 1_230_000].map(count), ["212", "4.1k", "31k", "1.2M"]);
        assert_eq!([0.31, 0.012].map(share), ["31 %", "1.2 %"]);
        assert_eq!([1, 3].map(messages), ["1 message", "3 messages"]);
    }
}
