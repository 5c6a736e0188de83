//! Times and sizes for people, as docker/go-units writes them.

use std::time::{Duration, SystemTime};

/// `9 minutes`, `About an hour`, `Less than a second`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let minutes = seconds / 60;
    // Go: int(d.Hours() + 0.5).
    let hours = (seconds + 1800) / 3600;
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        () if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// `9 minutes ago`. A time that is still to come (the clock was set back) is less than a second ago.
pub fn ago(time: SystemTime, now: SystemTime) -> String {
    format!(
        "{} ago",
        duration(now.duration_since(time).unwrap_or_default())
    )
}

/// A time as configs of images give it; none for Go's zero time, by which builders say that there is none.
pub fn time_of(text: &str) -> Option<jiff::Timestamp> {
    text.parse()
        .ok()
        .filter(|_| !text.starts_with("0001-01-01T00:00:00"))
}

/// Decimal units with `digits` significant digits, without trailing zeros: `8.1MB`, `11.2kB`, `0B`.
pub fn size(bytes: u64, digits: usize) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    // Rounded first: 999,999 bytes are 1MB, not 1e+03kB.
    while rounded(value, digits) >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let text = format!("{:.*}", decimals(value, digits), value);
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{}", UNITS[unit])
}

fn decimals(value: f64, digits: usize) -> usize {
    let before = match value {
        v if v >= 100.0 => 3,
        v if v >= 10.0 => 2,
        _ => 1,
    };
    digits.saturating_sub(before)
}

fn rounded(value: f64, digits: usize) -> f64 {
    let scale = 10f64.powi(decimals(value, digits) as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        const HOUR: u64 = 3600;
        const DAY: u64 = 24 * HOUR;
        for (seconds, want) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (HOUR, "About an hour"),
            (2 * HOUR, "2 hours"),
            (47 * HOUR, "47 hours"),
            (2 * DAY, "2 days"),
            (13 * DAY, "13 days"),
            (14 * DAY, "2 weeks"),
            (60 * DAY, "2 months"),
            (729 * DAY, "24 months"),
            (731 * DAY, "2 years"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), want, "{seconds}");
        }
    }

    #[test]
    fn sizes() {
        for (bytes, digits, want) in [
            (0, 3, "0B"),
            (999, 3, "999B"),
            (11_200, 3, "11.2kB"),
            (8_100_000, 3, "8.1MB"),
            (8_123_456, 3, "8.12MB"),
            (8_123_456, 4, "8.123MB"),
            (188_700_000, 3, "189MB"),
            (999_999, 3, "1MB"),
            (1_000_000_000_000, 3, "1TB"),
        ] {
            assert_eq!(size(bytes, digits), want);
        }
    }

    #[test]
    fn the_future_is_now() {
        let now = SystemTime::UNIX_EPOCH;
        let later = now + Duration::from_secs(60);
        assert_eq!(ago(later, now), "Less than a second ago");
    }
}
