//! A mosaic drawn in tiles by threads that live for one batch.
//!
//! Each batch starts a thread for every tile; the thread draws the tile and packs it as PNG. The
//! next batch unpacks the tiles of the one before, halves them and pastes them into the mosaic.

use crate::Checksum;
use crate::workload::{Draw, Scale};
use std::io::Cursor;
use std::thread;

const BATCHES: usize = 30;
const TILES: usize = 4;
const SIDE: usize = 128;
const CHANNELS: usize = 4;

/// Draws the mosaic; the checksum is of its pixels.
pub fn run(scale: Scale) -> u64 {
    let batches = scale.of(BATCHES);
    let half = SIDE / 2;
    let mut mosaic = Image::blank(half * TILES, half * batches);
    let mut packed: Vec<Vec<u8>> = Vec::new();
    for batch in 0..=batches {
        let before = std::mem::take(&mut packed);
        thread::scope(|scope| {
            let drawing: Vec<_> = (0..if batch < batches { TILES } else { 0 })
                .map(|tile| scope.spawn(move || pack(&draw((batch * TILES + tile) as u64))))
                .collect();
            let unpacking: Vec<_> =
                before.into_iter().map(|png| scope.spawn(move || unpack(&png).halved())).collect();
            packed.extend(drawing.into_iter().map(|it| it.join().expect("drawing does not panic")));
            for (tile, halved) in unpacking.into_iter().enumerate() {
                let halved = halved.join().expect("unpacking does not panic");
                mosaic.paste(&halved, tile * half, (batch - 1) * half);
            }
        });
    }
    Checksum::of(&mosaic.pixels)
}

struct Image {
    width: usize,
    pixels: Vec<u8>,
}

impl Image {
    fn blank(width: usize, height: usize) -> Self {
        Self { width, pixels: vec![0; width * height * CHANNELS] }
    }

    fn at(&mut self, x: usize, y: usize) -> &mut [u8] {
        let start = (y * self.width + x) * CHANNELS;
        &mut self.pixels[start..start + CHANNELS]
    }

    /// Half as wide and high, each pixel the mean of four.
    fn halved(mut self) -> Self {
        let (width, height) = (self.width / 2, self.pixels.len() / CHANNELS / self.width / 2);
        let mut half = Self::blank(width, height);
        for y in 0..height {
            for x in 0..width {
                let mut sums = [0u32; CHANNELS];
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    for (sum, &value) in sums.iter_mut().zip(&*self.at(2 * x + dx, 2 * y + dy)) {
                        *sum += u32::from(value);
                    }
                }
                half.at(x, y).copy_from_slice(&sums.map(|sum| (sum / 4) as u8));
            }
        }
        half
    }

    fn paste(&mut self, other: &Self, left: usize, top: usize) {
        for (y, row) in other.pixels.chunks_exact(other.width * CHANNELS).enumerate() {
            let start = ((top + y) * self.width + left) * CHANNELS;
            self.pixels[start..start + row.len()].copy_from_slice(row);
        }
    }
}

/// Overlapping discs, each lighter towards its middle, in layers blended one over another.
fn draw(seed: u64) -> Image {
    let mut draw = Draw::seeded(seed);
    let mut image = Image::blank(SIDE, SIDE);
    for _ in 0..12 {
        let mut layer = Image::blank(SIDE, SIDE);
        let (left, top) = (draw.below(SIDE) as i64, draw.below(SIDE) as i64);
        let radius = 8 + draw.below(40) as i64;
        let colour = [draw.below(256), draw.below(256), draw.below(256)];
        for y in 0..SIDE {
            for x in 0..SIDE {
                let (dx, dy) = (x as i64 - left, y as i64 - top);
                let depth = radius * radius - dx * dx - dy * dy;
                if depth > 0 {
                    let cover = (depth * 255 / (radius * radius)) as usize;
                    let pixel = colour.map(|channel| (channel * (128 + cover / 2) / 255) as u8);
                    layer.at(x, y).copy_from_slice(&[pixel[0], pixel[1], pixel[2], cover as u8]);
                }
            }
        }
        for (under, over) in image.pixels.chunks_exact_mut(4).zip(layer.pixels.chunks_exact(4)) {
            let cover = u32::from(over[3]);
            for (below, above) in under.iter_mut().zip(over) {
                let mixed = u32::from(*below) * (255 - cover) + u32::from(*above) * cover;
                *below = (mixed / 255) as u8;
            }
        }
    }
    image
}

fn pack(image: &Image) -> Vec<u8> {
    let mut packed = Vec::new();
    let side = image.width as u32;
    let mut encoder = png::Encoder::new(&mut packed, side, side);
    encoder.set_color(png::ColorType::Rgba);
    encoder
        .write_header()
        .and_then(|mut writer| {
            writer.write_image_data(&image.pixels)?;
            writer.finish()
        })
        .expect("a vector takes every byte");
    packed
}

fn unpack(packed: &[u8]) -> Image {
    let mut reader = png::Decoder::new(Cursor::new(packed)).read_info().expect("pack wrote it");
    let info = reader.info();
    let (width, height) = (info.width as usize, info.height as usize);
    let mut image = Image::blank(width, height);
    reader.next_frame(&mut image.pixels).expect("pack wrote it");
    image
}
