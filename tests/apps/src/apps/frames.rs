//! A game's frame loop: creatures that move, meet, speak, breed and die in an entity store.
//!
//! What a frame works with is made in the frame and gone with it; what it changes stays.

use crate::Checksum;
use crate::workload::{Draw, Scale, word};
use hecs::{Entity, World};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::hash::Hasher;

const FRAMES: usize = 900;
const CREATURES: usize = 2500;
const WIDTH: i32 = 20_000;
const CELL: i32 = 300;
const REACH: i32 = 120;

/// Plays the frames; the checksum is of the sounds and of who is left.
pub fn run(scale: Scale) -> u64 {
    let mut draw = Draw::seeded(13);
    let mut game = Game { world: World::new(), said: VecDeque::new() };
    for _ in 0..CREATURES {
        game.spawn(&mut draw);
    }
    let mut sum = Checksum::EMPTY;
    for frame in 0..scale.of(FRAMES) {
        sum.text(&game.frame(frame as u32, &mut draw));
    }
    for (name, trail) in game.world.query::<(&Name, &Trail)>().iter() {
        sum.text(&name.0);
        sum.number(trail.0.len() as u64);
    }
    sum.finish()
}

#[derive(Clone, Copy)]
struct Place(i32, i32);
struct Motion(i32, i32);
struct Health(i32);
struct Name(String);
struct Trail(Vec<(i32, i32)>);
struct Carried(Vec<String>);
struct Asleep {
    until: u32,
}

struct Game {
    world: World,
    said: VecDeque<String>,
}

/// What systems want changed once nobody iterates any more.
enum Change {
    Hurt(Entity, i32),
    Sleep(Entity, u32),
    Wake(Entity),
    Give(Entity, String),
}

impl Game {
    fn spawn(&mut self, draw: &mut Draw) {
        let place = Place(draw.below(WIDTH as usize) as i32, draw.below(WIDTH as usize) as i32);
        let motion = Motion(draw.below(121) as i32 - 60, draw.below(121) as i32 - 60);
        let name = Name(format!("{} the {}", word(draw.below(6000)), word(draw.below(50))));
        let health = Health(60 + draw.below(100) as i32);
        if draw.once_in(3) {
            let carried = (0..draw.below(6)).map(|_| draw.text(2)).collect();
            self.world.spawn((place, motion, name, health, Trail(Vec::new()), Carried(carried)));
        } else {
            self.world.spawn((place, motion, name, health, Trail(Vec::new())));
        }
    }

    fn frame(&mut self, frame: u32, draw: &mut Draw) -> String {
        self.roam();
        let mut changes = self.meet(frame, draw);
        for (entity, asleep) in self.world.query_mut::<(Entity, &Asleep)>() {
            if asleep.until <= frame {
                changes.push(Change::Wake(entity));
            }
        }
        for change in changes {
            self.apply(change);
        }
        self.bury(draw);
        while self.said.len() > 200 {
            self.said.pop_front();
        }
        self.said.iter().rev().take(8).map(String::as_str).collect::<Vec<_>>().join(" | ")
    }

    fn roam(&mut self) {
        type Awake<'a> = (&'a mut Place, &'a mut Motion, &'a mut Trail);
        for (place, motion, trail) in self.world.query_mut::<Awake<'_>>().without::<&Asleep>() {
            place.0 += motion.0;
            place.1 += motion.1;
            if !(0..WIDTH).contains(&place.0) {
                motion.0 = -motion.0;
                place.0 = place.0.clamp(0, WIDTH - 1);
            }
            if !(0..WIDTH).contains(&place.1) {
                motion.1 = -motion.1;
                place.1 = place.1.clamp(0, WIDTH - 1);
            }
            trail.0.push((place.0, place.1));
            if trail.0.len() == 64 {
                trail.0 = trail.0.split_off(48);
            }
        }
    }

    /// Finds who is near whom, by a grid built for this frame.
    fn meet(&mut self, frame: u32, draw: &mut Draw) -> Vec<Change> {
        let mut grid: FxHashMap<(i32, i32), Vec<(Entity, Place)>> = FxHashMap::default();
        for (entity, place) in self.world.query::<(Entity, &Place)>().iter() {
            grid.entry((place.0 / CELL, place.1 / CELL)).or_default().push((entity, *place));
        }
        let mut cells: Vec<_> = grid.into_iter().collect();
        cells.sort_unstable_by_key(|(cell, _)| *cell);
        let mut changes = Vec::new();
        for (_, inside) in &cells {
            for (nth, (one, at)) in inside.iter().enumerate() {
                for (other, there) in &inside[nth + 1..] {
                    if (at.0 - there.0).abs() + (at.1 - there.1).abs() < REACH {
                        self.encounter(*one, *other, frame, draw, &mut changes);
                    }
                }
            }
        }
        changes
    }

    fn encounter(
        &mut self,
        one: Entity,
        other: Entity,
        frame: u32,
        draw: &mut Draw,
        changes: &mut Vec<Change>,
    ) {
        match draw.below(5) {
            0 => changes.push(Change::Sleep(one, frame + 5 + draw.below(20) as u32)),
            1 => changes.push(Change::Give(other, draw.text(2))),
            2 => {
                let words = 3 + draw.below(9);
                let name = self.world.get::<&Name>(one).expect("it was in the grid");
                let said = format!("{}: {}!", name.0, draw.text(words));
                drop(name);
                self.said.push_back(said);
            }
            _ => {
                changes.push(Change::Hurt(one, draw.below(30) as i32));
                changes.push(Change::Hurt(other, draw.below(30) as i32));
            }
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Hurt(entity, loss) => {
                self.world.get::<&mut Health>(entity).expect("nobody has died yet").0 -= loss;
            }
            Change::Sleep(entity, until) => {
                self.world.insert_one(entity, Asleep { until }).expect("nobody has died yet");
            }
            Change::Wake(entity) => {
                self.world.remove_one::<Asleep>(entity).expect("it was asleep");
            }
            Change::Give(entity, thing) => {
                if let Ok(mut carried) = self.world.get::<&mut Carried>(entity) {
                    return carried.0.push(thing);
                }
                self.world.insert_one(entity, Carried(vec![thing])).expect("nobody has died yet");
            }
        }
    }

    /// Removes the dead; somebody new comes for each.
    fn bury(&mut self, draw: &mut Draw) {
        let query = self.world.query_mut::<(Entity, &Health)>();
        let dead: Vec<Entity> = query
            .into_iter()
            .filter(|(_, health)| health.0 <= 0)
            .map(|(entity, _)| entity)
            .collect();
        for entity in dead {
            self.world.despawn(entity).expect("it is listed once");
            self.spawn(draw);
        }
    }
}
