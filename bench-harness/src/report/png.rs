//! A picture with a palette, as a file or a `data:` address: the densest form that a heap map of tens
//! of thousands of cells has in a self-contained page.

use crc32fast::Hasher;
use miniz_oxide::deflate::compress_to_vec_zlib;

/// Encodes `pixels` (palette indices below 16, row by row). Index 0 is transparent.
pub(super) fn file(width: usize, pixels: &[u8], palette: &[[u8; 3]]) -> Vec<u8> {
    debug_assert!(width > 0 && pixels.len().is_multiple_of(width) && palette.len() <= 16);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let height = pixels.len() / width;
    let mut head = Vec::with_capacity(13);
    head.extend_from_slice(&(width as u32).to_be_bytes());
    head.extend_from_slice(&(height as u32).to_be_bytes());
    // Four bits a pixel, palette, deflate, no filter method but the standard, not interlaced.
    head.extend_from_slice(&[4, 3, 0, 0, 0]);
    chunk(&mut png, *b"IHDR", &head);
    chunk(&mut png, *b"PLTE", palette.as_flattened());
    chunk(&mut png, *b"tRNS", &[0]);
    let mut packed = Vec::with_capacity((width / 2 + 2) * height);
    for line in pixels.chunks(width) {
        packed.push(0);
        packed.extend(line.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).unwrap_or(&0)));
    }
    chunk(&mut png, *b"IDAT", &compress_to_vec_zlib(&packed, 6));
    chunk(&mut png, *b"IEND", &[]);
    png
}

/// The same as an address that needs no file.
pub(super) fn data_address(width: usize, pixels: &[u8], palette: &[[u8; 3]]) -> String {
    format!("data:image/png;base64,{}", base64(&file(width, pixels, palette)))
}

fn chunk(png: &mut Vec<u8>, name: [u8; 4], body: &[u8]) {
    png.extend_from_slice(&(body.len() as u32).to_be_bytes());
    let start = png.len();
    png.extend_from_slice(&name);
    png.extend_from_slice(body);
    let mut hasher = Hasher::new();
    hasher.update(&png[start..]);
    png.extend_from_slice(&hasher.finalize().to_be_bytes());
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_standard_examples() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_chunk_carries_its_length_and_checksum() {
        let mut png = Vec::new();
        chunk(&mut png, *b"IEND", &[]);
        assert_eq!(png, [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82]);
    }
}
