//! A gallery of stored or fresh rows: a picture for each workload with every allocator on it, and an
//! index of them as Markdown.

mod index;
mod picture;

use crate::results::{
    Checkpoint, Header, HeapMap, MemoryRow, Mode, Outcome, Row, Threads, Workload,
};
use std::cmp::Reverse;

/// A file of the gallery, by its name in the folder.
#[derive(Clone, Debug)]
pub struct File {
    /// Without a folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// All allocators on one workload, the one with least resident at the peak first.
struct Scene<'a> {
    workload: &'a Workload,
    entries: Vec<Entry<'a>>,
    /// Who was to be measured and was not, and why.
    missing: Vec<(String, String)>,
}

/// One allocator.
struct Entry<'a> {
    label: String,
    memory: &'a MemoryRow,
    peak: &'a Checkpoint,
    /// At the peak; `None` where none was taken.
    map: Option<&'a HeapMap>,
}

impl Entry<'_> {
    /// Resident bytes for a live one at the peak.
    fn ratio(&self) -> f64 {
        self.peak.resident as f64 / self.peak.live_bytes.max(1) as f64
    }
}

impl Scene<'_> {
    /// Its name for people.
    fn title(&self) -> String {
        match self.workload.threads {
            Threads::Serial => self.workload.name.clone(),
            Threads::Recorded => format!("{}, on its threads", self.workload.name),
        }
    }

    /// The name of its picture.
    fn file(&self) -> String {
        match self.workload.threads {
            Threads::Serial => format!("{}.svg", self.workload.name),
            Threads::Recorded => format!("{}-threads.svg", self.workload.name),
        }
    }
}

/// The files of a gallery of the allocators that people would use: `README.md`, which shows all pictures,
/// and the pictures. `headers` are those of the runs that the rows are of. Without a row that has memory:
/// nothing.
pub fn files(headers: &[Header], rows: &[Row]) -> Vec<File> {
    let scenes = scenes(rows);
    if scenes.is_empty() {
        return Vec::new();
    }
    let index = File { name: "README.md".into(), text: index::markdown(headers, &scenes) };
    let pictures =
        scenes.iter().map(|scene| File { name: scene.file(), text: picture::svg(scene) });
    std::iter::once(index).chain(pictures).collect()
}

fn scenes(rows: &[Row]) -> Vec<Scene<'_>> {
    let mut scenes: Vec<Scene<'_>> = Vec::new();
    let shown = |row: &&Row| {
        !row.a_a
            && !row.subject.calibration
            && !matches!(row.mode, Mode::Computed | Mode::Global)
            && row.workload.family.is_none()
    };
    for row in rows.iter().filter(shown) {
        let same = |scene: &Scene<'_>| {
            (&scene.workload.name, scene.workload.threads)
                == (&row.workload.name, row.workload.threads)
        };
        let place = scenes.iter().position(same).unwrap_or_else(|| {
            scenes.push(Scene {
                workload: &row.workload,
                entries: Vec::new(),
                missing: Vec::new(),
            });
            scenes.len() - 1
        });
        let scene = &mut scenes[place];
        let label = row.subject.name.clone();
        let Some((memory, peak)) = row
            .memory
            .as_ref()
            .and_then(|memory| Some((memory, memory.checkpoints.get(memory.peak)?)))
        else {
            scene.missing.push((label, why_missing(&row.outcome)));
            continue;
        };
        let map = memory.maps.iter().find(|map| map.checkpoint == memory.peak);
        scene.entries.push(Entry { label, memory, peak, map });
    }
    scenes.retain(|scene| !scene.entries.is_empty());
    for scene in &mut scenes {
        scene.entries.sort_by_key(|entry| (entry.peak.resident, Reverse(entry.label.clone())));
    }
    scenes
}

fn why_missing(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok => "no memory was measured".into(),
        Outcome::Crashed { how, .. } => how.clone(),
        Outcome::Corrupted { .. } => "corrupted memory".into(),
        Outcome::NotAvailable { reason } => reason.clone(),
    }
}
