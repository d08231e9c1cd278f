//! The description of the HTTP door, OpenAPI 3.1, as `GET /openapi.json` answers it.
//!
//! `schema/openapi.json` is written for people; what is shipped is the same without the white space between its
//! tokens, which the compiler leaves out.

const WRITTEN: &[u8] = include_bytes!("../schema/openapi.json");

static PACKED: [u8; packed_len(WRITTEN)] = packed(WRITTEN);

/// The document, in one line.
pub static OPENAPI: &str = match std::str::from_utf8(&PACKED) {
    Ok(text) => text,
    Err(_) => "",
};

/// Where in a JSON text a byte stands.
#[derive(Clone, Copy)]
struct Place {
    quoted: bool,
    escaped: bool,
}

impl Place {
    const START: Self = Self { quoted: false, escaped: false };

    const fn after(self, byte: u8) -> Self {
        let ends = byte == b'"' && !self.escaped;
        Self { quoted: self.quoted != ends, escaped: self.quoted && !self.escaped && byte == b'\\' }
    }

    const fn keeps(self, byte: u8) -> bool {
        self.quoted || !matches!(byte, b' ' | b'\n')
    }
}

const fn packed_len(mut text: &[u8]) -> usize {
    let (mut place, mut length) = (Place::START, 0);
    while let [byte, rest @ ..] = text {
        if place.keeps(*byte) {
            length += 1;
        }
        (place, text) = (place.after(*byte), rest);
    }
    length
}

const fn packed<const LENGTH: usize>(mut text: &[u8]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let (mut place, mut left) = (Place::START, bytes.as_mut_slice());
    while let [byte, rest @ ..] = text {
        if place.keeps(*byte) {
            let [slot, slots @ ..] = left else { break };
            *slot = *byte;
            left = slots;
        }
        (place, text) = (place.after(*byte), rest);
    }
    bytes
}
