//! Times of records and log lines, written and read without a time library: a log line costs microseconds at most.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, for a record: `2026-11-21T01:41:02.631261702Z`.
pub fn now() -> String {
    rfc3339(SystemTime::now(), 0)
}

/// `2026-11-21T01:41:02.631261702+00:00`, or `Z` at the end when `offset` (seconds east of Greenwich) is `None`-like 0
/// in records: see [`log_time`] for the form logs use.
pub fn rfc3339(time: SystemTime, offset: i32) -> String {
    let mut out = String::with_capacity(36);
    push_time(&mut out, time, offset);
    if offset == 0 {
        out.push('Z');
    } else {
        push_offset(&mut out, offset);
    }
    out
}

/// As log lines have it: the offset always as `+hh:mm`.
pub fn log_time(time: SystemTime, offset: i32) -> String {
    let mut out = String::with_capacity(36);
    push_time(&mut out, time, offset);
    push_offset(&mut out, offset);
    out
}

fn push_offset(out: &mut String, offset: i32) {
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs() / 60;
    out.push(sign);
    push_padded(out, u64::from(minutes / 60), 2);
    out.push(':');
    push_padded(out, u64::from(minutes % 60), 2);
}

fn push_time(out: &mut String, time: SystemTime, offset: i32) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let secs = since.as_secs().saturating_add_signed(i64::from(offset));
    let (year, month, day) = civil(secs / 86400);
    let second = secs % 86400;
    push_padded(out, year, 4);
    for (sign, value) in [
        ('-', month),
        ('-', day),
        ('T', second / 3600),
        (':', second / 60 % 60),
        (':', second % 60),
    ] {
        out.push(sign);
        push_padded(out, value, 2);
    }
    out.push('.');
    push_padded(out, u64::from(since.subsec_nanos()), 9);
}

fn push_padded(out: &mut String, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend(digits[at..].iter().map(|&b| char::from(b)));
}

/// Year, month, day of a day counted from 1970-01-01 (Gregorian calendar, eras of 400 years beginning in March).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Reads what [`rfc3339`] and [`log_time`] write.
pub fn parse(text: &str) -> Option<SystemTime> {
    let stamp: jiff::Timestamp = text.parse().ok()?;
    let nanos = stamp.as_nanosecond();
    let nanos = u64::try_from(nanos).ok()?;
    Some(UNIX_EPOCH + Duration::from_nanos(nanos))
}

/// Seconds east of Greenwich that local time has now.
pub fn local_offset() -> i32 {
    let now = jiff::Timestamp::now();
    jiff::tz::TimeZone::system().to_offset(now).seconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_written() {
        let table = [
            (
                0,
                0,
                "1970-01-01T00:00:00.000000000Z",
                "1970-01-01T00:00:00.000000000+00:00",
            ),
            (
                951_782_400,
                0,
                "2000-02-29T00:00:00.000000000Z",
                "2000-02-29T00:00:00.000000000+00:00",
            ),
            (
                1_795_225_262,
                3600,
                "2026-11-21T02:41:02.000000000+01:00",
                "2026-11-21T02:41:02.000000000+01:00",
            ),
            (
                1_795_225_262,
                -12_600,
                "2026-11-20T22:11:02.000000000-03:30",
                "2026-11-20T22:11:02.000000000-03:30",
            ),
            (
                4_107_542_399,
                0,
                "2100-02-28T23:59:59.000000000Z",
                "2100-02-28T23:59:59.000000000+00:00",
            ),
        ];
        for (secs, offset, record, log) in table {
            let time = UNIX_EPOCH + Duration::from_secs(secs);
            assert_eq!(rfc3339(time, offset), record);
            assert_eq!(log_time(time, offset), log);
            assert_eq!(parse(record), Some(time), "{record}");
        }
    }

    #[test]
    fn nanoseconds_are_nine_digits() {
        let time = UNIX_EPOCH + Duration::new(1, 2_003);
        assert_eq!(rfc3339(time, 0), "1970-01-01T00:00:01.000002003Z");
    }
}
