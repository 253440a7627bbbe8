//! What the process takes of the machine, and what it may take.

use std::path::{Path, PathBuf};
use std::string::String;
#[cfg(feature = "background")]
use std::vec::Vec;

use strata_core::ByteCount;
#[cfg(feature = "background")]
use strata_os::Pressure;

/// What the process takes and may take. A figure that the system does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Resident memory of the process.
    pub rss: Option<ByteCount>,
    /// What the heap has of the system: its `committed`.
    pub heap_total: ByteCount,
    /// What the program has of the heap: its `allocated`.
    pub heap_used: ByteCount,
    /// Resident memory that is not the heap's: code, stacks, other mappings. At least so much; the heap need not be
    /// resident as a whole.
    pub external: Option<ByteCount>,
    /// What the process's control group and those above it may take at the most, the least of them; `None`
    /// without a limit.
    pub limit: Option<ByteCount>,
    /// What they may take before the system slows them down (`memory.high`), the least of them.
    pub high: Option<ByteCount>,
    /// What the process's control group takes, other processes of it included.
    pub group_used: Option<ByteCount>,
    /// Page faults of the process that needed no file, and those that did.
    pub faults: Option<[u64; 2]>,
}

impl MemoryUsage {
    /// Asks the system.
    pub(crate) fn read(heap_total: ByteCount, heap_used: ByteCount) -> Self {
        Self::read_below(Path::new("/"), heap_total, heap_used)
    }

    /// [`read`](Self::read) of a system whose files are below `root`.
    fn read_below(root: &Path, heap_total: ByteCount, heap_used: ByteCount) -> Self {
        let rss = read(&root.join("proc/self/statm")).and_then(|text| resident(&text));
        let external = rss.map(|rss| ByteCount(rss.get().saturating_sub(heap_total.get())));
        let group = Group::of_process(root);
        Self {
            rss,
            heap_total,
            heap_used,
            external,
            limit: group.least("memory.max", "memory.limit_in_bytes"),
            high: group.least("memory.high", "memory.soft_limit_in_bytes"),
            group_used: group.own("memory.current", "memory.usage_in_bytes"),
            faults: read(&root.join("proc/self/stat")).and_then(|text| faults(&text)),
        }
    }
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The resident pages of `statm`.
fn resident(statm: &str) -> Option<ByteCount> {
    let pages: usize = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(strata_os::memory::page_size()).map(ByteCount)
}

/// The faults of `stat`, whose second word is a name in parentheses that may have anything in it.
fn faults(stat: &str) -> Option<[u64; 2]> {
    let mut words = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(7);
    let minor = words.next()?.parse().ok()?;
    let major = words.nth(1)?.parse().ok()?;
    Some([minor, major])
}

/// A control group of memory's.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    /// Where the files of the groups are, below the system's root; empty without one.
    root: PathBuf,
    /// The group below it.
    path: PathBuf,
    /// Whether it is of the first version.
    is_old: bool,
}

impl Group {
    /// The process's own, of a system whose files are below `root`; empty without one.
    fn of_process(root: &Path) -> Self {
        let group = read(&root.join("proc/self/cgroup")).and_then(|text| Self::of(&text));
        group.map_or_else(Self::default, |group| Self { root: root.join(&group.root), ..group })
    }

    /// Reads lines like `0::/user.slice` and, of the first version, `4:memory:/user.slice`.
    fn of(cgroup: &str) -> Option<Self> {
        let parts = |line: &'_ str| -> Option<(String, String)> {
            let (kinds, path) = line.split_once(':')?.1.split_once(':')?;
            Some((kinds.into(), path.into()))
        };
        let lines = || cgroup.lines().filter_map(parts);
        let relative = |path: &str| PathBuf::from(path.trim_start_matches('/'));
        let old = lines().find(|(kinds, _)| kinds.split(',').any(|kind| kind == "memory"));
        if let Some((_, path)) = old {
            let root = PathBuf::from("sys/fs/cgroup/memory");
            return Some(Self { root, path: relative(&path), is_old: true });
        }
        let (_, path) = lines().find(|(kinds, _)| kinds.is_empty())?;
        Some(Self { root: PathBuf::from("sys/fs/cgroup"), path: relative(&path), is_old: false })
    }

    /// The least of a limit over the group and those above it. In a container the path may be one of the host's,
    /// which is not there: then it is the root's.
    fn least(&self, name: &str, old: &str) -> Option<ByteCount> {
        let name = if self.is_old { old } else { name };
        if self.root.as_os_str().is_empty() {
            return None;
        }
        let groups = self.path.ancestors().map(|path| self.root.join(path).join(name));
        groups.filter_map(|file| limit(&read(&file)?)).min()
    }

    fn own(&self, name: &str, old: &str) -> Option<ByteCount> {
        let name = if self.is_old { old } else { name };
        if self.root.as_os_str().is_empty() {
            return None;
        }
        let mut groups = self.path.ancestors().map(|path| self.root.join(path).join(name));
        groups.find_map(|file| limit(&read(&file)?))
    }
}

/// Files that tell of tasks that wait for memory, the nearest first: of the process's control group and those
/// above it, and of the whole machine, where groups have none or are of the first version.
#[cfg(feature = "background")]
fn pressures(root: &Path) -> Vec<PathBuf> {
    let groups = read(&root.join("proc/self/cgroup")).unwrap_or_default();
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    // Beside groups of the first version, those of the second have a place of their own.
    let places = ["sys/fs/cgroup", "sys/fs/cgroup/unified"].map(|place| root.join(place));
    let below = |place: &PathBuf| -> Vec<PathBuf> {
        Path::new(path).ancestors().map(|path| place.join(path).join("memory.pressure")).collect()
    };
    let files = places.iter().flat_map(below).chain([root.join("proc/pressure/memory")]);
    files.filter(|file| file.exists()).collect()
}

/// A trigger where tasks wait for memory, if the system has one.
#[cfg(feature = "background")]
pub(crate) fn watch_pressure() -> Option<Pressure> {
    pressures(Path::new("/")).iter().find_map(|file| Pressure::watch(file).ok())
}

/// Whether the process's control group is near its limit, or tasks wait for memory: more than a hundredth of
/// the time, lately.
#[cfg(feature = "background")]
pub(crate) fn is_tight() -> bool {
    is_tight_below(Path::new("/"))
}

/// [`is_tight`] of a system whose files are below `root`.
#[cfg(feature = "background")]
fn is_tight_below(root: &Path) -> bool {
    let usage = MemoryUsage::read_below(root, ByteCount(0), ByteCount(0));
    let limit = [usage.limit, usage.high].into_iter().flatten().min();
    let is_near = |limit: ByteCount| {
        usage.group_used.is_some_and(|used| used.get() >= limit.get() - limit.get() / 8)
    };
    let pressure = || pressures(root).iter().find_map(|file| read(file));
    limit.is_some_and(is_near) || pressure().is_some_and(|text| waits(&text))
}

/// Reads lines like `some avg10=1.53 avg60=0.87 avg300=0.40 total=157656722`.
#[cfg(feature = "background")]
fn waits(pressure: &str) -> bool {
    let percent = |line: &str| -> Option<u32> {
        line.strip_prefix("some avg10=")?.split('.').next()?.parse().ok()
    };
    pressure.lines().find_map(percent).is_some_and(|percent| percent >= 1)
}

/// A number of bytes; `max`, and the number that the first version says instead, are none.
fn limit(text: &str) -> Option<ByteCount> {
    let bytes: usize = text.trim().parse().ok()?;
    (bytes < isize::MAX as usize & !0xFFFF).then_some(ByteCount(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_system_are_understood() {
        let page = strata_os::memory::page_size();
        assert_eq!(resident("1234 56 7 8 0 9 0\n"), Some(ByteCount(56 * page)));
        let stat = "1 (a) b) S 0 1 1 0 -1 4194560 71 72 73 74 75 76";
        assert_eq!(faults(stat), Some([71, 73]));
        assert_eq!(faults("1 (a"), None);
        let group = Group::of("0::/user.slice/a\n").unwrap();
        assert_eq!((group.path, group.is_old), (PathBuf::from("user.slice/a"), false));
        let group = Group::of("5:cpu:/x\n4:hugetlb,memory:/docker/1\n0::/y\n").unwrap();
        assert_eq!((group.path, group.is_old), (PathBuf::from("docker/1"), true));
        assert_eq!(Group::of("nothing"), None);
        assert_eq!(limit("4096\n"), Some(ByteCount(4096)));
        assert!(
            ["max\n", "9223372036854771712\n", "", "-1"].iter().all(|text| limit(text).is_none())
        );
    }

    #[cfg(feature = "background")]
    #[test]
    fn pressure_is_understood() {
        assert!(waits("some avg10=1.53 avg60=0.87 avg300=0.40 total=15\nfull avg10=0.00"));
        assert!(!waits("some avg10=0.99 avg60=9.87 avg300=0.40 total=15"));
        assert!(!waits("") && !waits("some avg10"));
        // Whatever there is here, it can be asked.
        is_tight();
    }

    /// A system of so many files, below a folder of the test's own.
    #[cfg(feature = "background")]
    fn with_files<R>(name: &str, files: &[(&str, &str)], work: impl FnOnce(&Path) -> R) -> R {
        let root = std::env::temp_dir().join(std::format!("strata-{name}-{}", std::process::id()));
        for (file, text) in files {
            let file = root.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let result = work(&root);
        std::fs::remove_dir_all(&root).unwrap();
        result
    }

    #[cfg(feature = "background")]
    #[test]
    fn a_group_is_tight_near_what_it_or_one_above_it_may_take() {
        const GROUP: &str = "sys/fs/cgroup/a/b";
        for (high, max, used, is_tight) in [
            ("1048576", "max", "917504", true),
            ("1048576", "max", "917503", false),
            ("max", "1048576", "1000000", true),
            ("max", "max", "1000000", false),
        ] {
            let file = |name| std::format!("{GROUP}/{name}");
            let (current, above) = (file("memory.current"), "sys/fs/cgroup/a/memory.high");
            let files = [
                ("proc/self/cgroup", "0::/a/b\n"),
                (above, high),
                (&file("memory.high"), "max\n"),
                (&file("memory.max"), max),
                (&current, used),
            ];
            let files = files.map(|(name, text)| (name, text));
            let seen = with_files("tight", &files, is_tight_below);
            assert_eq!(seen, is_tight, "{high} {max} {used}");
        }
        let old = [
            ("proc/self/cgroup", "4:memory:/c\n0::/\n"),
            ("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "1048576\n"),
            ("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "1000000\n"),
        ];
        assert!(with_files("old", &old, is_tight_below));
    }

    #[cfg(feature = "background")]
    #[test]
    fn pressure_is_the_nearest_file_s() {
        let (much, none) = ("some avg10=9.00 avg60=0", "some avg10=0.00 avg60=9");
        let own = ("sys/fs/cgroup/a/b/memory.pressure", much);
        let machine = ("proc/pressure/memory", none);
        let group = ("proc/self/cgroup", "0::/a/b\n");
        assert!(with_files("near", &[group, own, machine], is_tight_below));
        assert!(!with_files("machine", &[group, machine], is_tight_below));
        let beside = ("sys/fs/cgroup/unified/memory.pressure", much);
        let old = ("proc/self/cgroup", "4:memory:/c\n0::/\n");
        assert!(with_files("beside", &[old, beside, machine], is_tight_below));
        assert!(!with_files("none", &[group], is_tight_below));
    }

    #[test]
    fn a_process_has_resident_memory_and_had_faults() {
        let usage = MemoryUsage::read(ByteCount(4096), ByteCount(100));
        assert!(usage.rss.unwrap() > usage.external.unwrap());
        assert!(usage.faults.unwrap()[0] > 0);
        assert_eq!(Group::default().least("memory.max", ""), None);
    }
}
