//! A road network with names: looked up, searched for ways, and changed all the time.

use crate::Checksum;
use crate::workload::{Draw, Scale, word};
use petgraph::algo::astar;
use petgraph::stable_graph::{NodeIndex, StableUnGraph};
use petgraph::visit::EdgeRef;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::Hasher;

const TOWNS: usize = 20_000;
const STEPS: usize = 40_000;
/// Towns stand on a square this wide, in metres.
const WIDTH: usize = 100_000;
/// Neighbours are looked for in squares this wide.
const SQUARE: usize = 2_500;

/// Builds the network, then travels and rebuilds; the checksum is of every journey described.
pub fn run(scale: Scale) -> u64 {
    let mut draw = Draw::seeded(3);
    let mut network = Network::default();
    for _ in 0..scale.of(TOWNS) {
        network.found(&mut draw);
    }
    let mut journeys = Checksum::EMPTY;
    for _ in 0..scale.of(STEPS) {
        match draw.below(8) {
            0..=2 => network.found(&mut draw),
            3..=5 => network.abandon(&mut draw),
            6 => network.rename(&mut draw),
            _ if draw.once_in(8) => {
                let (from, to) = (network.any(&mut draw), network.any(&mut draw));
                journeys.text(&network.journey(&from, &to));
            }
            _ => {
                let from = word(draw.below(6000));
                for (name, _) in network.by_name.range(from..).take(12) {
                    journeys.text(name);
                }
            }
        }
    }
    journeys.number(network.roads.edge_count() as u64);
    journeys.finish()
}

struct Town {
    name: String,
    east: usize,
    north: usize,
}

struct Road {
    name: String,
    metres: u64,
}

#[derive(Default)]
struct Network {
    roads: StableUnGraph<Town, Road>,
    by_name: BTreeMap<String, NodeIndex>,
    by_square: FxHashMap<(usize, usize), Vec<NodeIndex>>,
    founded: usize,
}

impl Network {
    /// Founds a town and joins it to some towns near by.
    fn found(&mut self, draw: &mut Draw) {
        let (east, north) = (draw.below(WIDTH), draw.below(WIDTH));
        let name = format!("{}-{}", word(draw.below(6000)), self.founded);
        self.founded += 1;
        let mut near: Vec<NodeIndex> = Vec::new();
        for x in (east / SQUARE).saturating_sub(1)..=east / SQUARE + 1 {
            for y in (north / SQUARE).saturating_sub(1)..=north / SQUARE + 1 {
                near.extend(self.by_square.get(&(x, y)).into_iter().flatten());
            }
        }
        near.sort_by_key(|&town| {
            let town = &self.roads[town];
            town.east.abs_diff(east).pow(2) + town.north.abs_diff(north).pow(2)
        });
        let town = self.roads.add_node(Town { name: name.clone(), east, north });
        for other in near.into_iter().take(2 + draw.below(3)) {
            let road = Road {
                name: format!("{} road to {}", word(draw.below(300)), self.roads[other].name),
                metres: self.metres(town, other),
            };
            self.roads.add_edge(town, other, road);
        }
        self.by_name.insert(name, town);
        self.by_square.entry((east / SQUARE, north / SQUARE)).or_default().push(town);
    }

    /// Removes a town and its roads.
    fn abandon(&mut self, draw: &mut Draw) {
        let name = self.any(draw);
        let town = self.by_name.remove(&name).expect("any gives a town there is");
        let Town { east, north, .. } = self.roads.remove_node(town).expect("it had a name");
        let square = (east / SQUARE, north / SQUARE);
        let towns = self.by_square.get_mut(&square).expect("it had a square");
        towns.retain(|&other| other != town);
        if towns.is_empty() {
            self.by_square.remove(&square);
        }
    }

    /// Gives a town a longer name, and its roads too.
    fn rename(&mut self, draw: &mut Draw) {
        let old = self.any(draw);
        let town = self.by_name.remove(&old).expect("any gives a town there is");
        let new = format!("{}-upon-{old}", word(draw.below(6000)));
        let roads: Vec<_> = self.roads.edges(town).map(|road| road.id()).collect();
        for road in roads {
            let name = &mut self.roads[road].name;
            *name = name.replace(&old, &new);
        }
        self.roads[town].name.clone_from(&new);
        self.by_name.insert(new, town);
    }

    /// The name of a town, the next one after a drawn word.
    fn any(&self, draw: &mut Draw) -> String {
        let after = word(draw.below(6000));
        let next = self.by_name.range(after..).next().or_else(|| self.by_name.first_key_value());
        next.expect("there are always towns").0.clone()
    }

    /// The shortest way, road by road.
    fn journey(&self, from: &str, to: &str) -> String {
        let goal = self.by_name[to];
        let found = astar(
            &self.roads,
            self.by_name[from],
            |town| town == goal,
            |road| road.weight().metres,
            |town| self.metres(town, goal),
        );
        let Some((metres, way)) = found else { return format!("no way from {from} to {to}") };
        let mut text = format!("{from} to {to}, {metres} m");
        for pair in way.windows(2) {
            let road =
                self.roads.edges_connecting(pair[0], pair[1]).min_by_key(|it| it.weight().metres);
            let road = road.expect("the way follows roads").weight();
            write!(text, "; {} ({} m)", road.name, road.metres).expect("a string takes all");
        }
        text
    }

    /// How far apart two towns are, in whole metres, rounded down.
    fn metres(&self, one: NodeIndex, other: NodeIndex) -> u64 {
        let (one, other) = (&self.roads[one], &self.roads[other]);
        let square = one.east.abs_diff(other.east).pow(2) + one.north.abs_diff(other.north).pow(2);
        (square as u64).isqrt()
    }
}
