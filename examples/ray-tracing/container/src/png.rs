//! Writes a PNG without compression: it needs no library, and every machine writes the same bytes.

/// Encodes an image. Each pixel has three bytes: red, green and blue.
pub fn encode(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // Bit depth 8, RGB, default compression, default filter, no interlacing.
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in
        [(b"IHDR", header), (b"IDAT", stored(&rows(width, pixels))), (b"IEND", Vec::new())]
    {
        let chunk = [&kind[..], &content[..]].concat();
        png.extend((content.len() as u32).to_be_bytes());
        png.extend(&chunk);
        png.extend(crc(&chunk).to_be_bytes());
    }
    png
}

/// Prefixes each row with filter type 0: no filter.
fn rows(width: u32, pixels: &[u8]) -> Vec<u8> {
    pixels.chunks(width as usize * 3).flat_map(|row| [&[0][..], row].concat()).collect()
}

/// Wraps content in a zlib stream of stored blocks.
fn stored(content: &[u8]) -> Vec<u8> {
    let mut stored = vec![0x78, 0x01];
    let mut blocks = content.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        stored.push(u8::from(blocks.peek().is_none()));
        stored.extend(length.to_le_bytes());
        stored.extend((!length).to_le_bytes());
        stored.extend(block);
    }
    stored.extend(adler(content).to_be_bytes());
    stored
}

fn adler(content: &[u8]) -> u32 {
    let (low, high) = content.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

fn crc(content: &[u8]) -> u32 {
    let shifted = |crc: u32, _| {
        if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
    };
    !content.iter().fold(!0_u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), shifted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn a_picture_has_its_size_and_its_pixels() {
        let pixels = vec![7; 200 * 150 * 3];
        let png = encode(200, 150, &pixels);
        assert_eq!(&png[12..24], b"IHDR\0\0\0\xc8\0\0\0\x96");
        // Two stored blocks; the second one is the last.
        let length = 150 * (200 * 3 + 1);
        assert_eq!(png.len(), 8 + 25 + 12 + 12 + 2 + 5 + 5 + length + 4);
        assert_eq!(&png[43..48], [0, 0xff, 0xff, 0, 0]);
        assert_eq!(png[48 + 65_535], 1);
    }
}
