//! Facts about the machine and the run, for whoever reads the figures later.

use crate::results::{Header, SCHEMA};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// The header of a results file.
pub(crate) fn header(command: String, more: Vec<(String, String)>) -> Header {
    let mut provenance = machine();
    provenance.extend(more);
    Header {
        schema: SCHEMA.into(),
        command,
        date: now(),
        version: env!("CARGO_PKG_VERSION").into(),
        provenance,
        kernels: None,
    }
}

fn machine() -> Vec<(String, String)> {
    let first_line = |path: &str| {
        fs::read_to_string(path).ok().and_then(|text| text.lines().next().map(str::to_owned))
    };
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let chosen = |text: String| {
        let start = text.find('[')? + 1;
        Some(text[start..].split(']').next()?.to_owned())
    };
    let thp = "/sys/kernel/mm/transparent_hugepage/enabled";
    let governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    let cores = std::thread::available_parallelism().map(|count| count.to_string()).ok();
    let facts = [
        ("kernel", first_line("/proc/sys/kernel/osrelease")),
        ("processor", field("/proc/cpuinfo", "model name")),
        ("cores", cores),
        ("memory", field("/proc/meminfo", "MemTotal")),
        ("transparent huge pages", first_line(thp).and_then(chosen)),
        ("governor", first_line(governor)),
        ("microcode", field("/proc/cpuinfo", "microcode")),
        ("overcommit", first_line("/proc/sys/vm/overcommit_memory")),
        ("load at the start", first_line("/proc/loadavg")),
        ("C library", Some(c_library())),
    ];
    let named = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?));
    facts.into_iter().filter_map(named).collect()
}

fn c_library() -> String {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: the function answers a static C string.
        let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
        format!("glibc {}", version.to_string_lossy())
    }
    #[cfg(not(target_env = "gnu"))]
    "other than glibc".to_owned()
}

/// UTC, ISO 8601, to the second.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    utc(seconds)
}

/// Civil date from days, after Howard Hinnant's `civil_from_days`.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn dates_agree_with_known_ones() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(utc(4_102_444_799), "2099-12-31T23:59:59Z");
    }
}
